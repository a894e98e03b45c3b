//! Runs the calls of `map_async` on the tokio runtime in which the application was started.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_dsl::processor::{Call, CallId};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::shared::Shared;
use crate::exec::{Answers, Caller};
use crate::task::panic_text;

/// Runs the calls of one worker's tasks; they end with it.
pub(super) struct Spawner {
    shared: Arc<Shared>,
    answers: Answers,
    open: BTreeMap<(usize, CallId), AbortHandle>,
}

impl Spawner {
    pub(super) fn new(shared: Arc<Shared>, answers: Answers) -> Self {
        Spawner { shared, answers, open: BTreeMap::new() }
    }

    fn runtime(&self) -> Option<&Handle> {
        self.shared.runtime.as_ref()
    }
}

impl Caller for Spawner {
    fn make(&mut self, task: usize, call: Call) {
        let Call { id, work, node } = call;
        let Some(runtime) = self.runtime().cloned() else {
            let text = format!(
                "node `{node}` makes calls, and there is nothing to run them: start the application in a tokio runtime"
            );
            return self.answers.put(task, id, Call::refused(text));
        };
        let work = runtime.spawn(work);
        self.open.insert((task, id), work.abort_handle());
        let (shared, answers) = (self.shared.clone(), self.answers.clone());
        runtime.spawn(async move {
            let answer = match work.await {
                Ok(answer) => answer,
                Err(ended) => match ended.try_into_panic() {
                    Ok(panic) => Call::refused(format!("panicked: {}", panic_text(&*panic))),
                    // It was dropped, because it is too late or the application closes.
                    Err(_) => return,
                },
            };
            answers.put(task, id, answer);
            shared.session.wake();
        });
    }

    fn end(&mut self, task: usize, call: CallId) {
        if let Some(open) = self.open.remove(&(task, call)) {
            open.abort();
        }
    }

    fn forget(&mut self, task: usize) {
        self.open.extract_if(.., |(of, _), _| *of == task).for_each(|(_, open)| open.abort());
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.open.values().for_each(AbortHandle::abort);
    }
}
