//! Runs the calls of `map_async` on the tokio runtime in which the application was started.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_dsl::processor::{Call, CallId};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::exec::{Answers, Caller};
use crate::log::Session;
use crate::task::panic_text;

/// Runs the calls of one worker's tasks; they end with it.
pub(super) struct Spawner {
    runtime: Option<Handle>,
    /// What an answer wakes.
    session: Arc<dyn Session>,
    answers: Answers,
    open: BTreeMap<(usize, CallId), AbortHandle>,
}

impl Spawner {
    pub(super) fn new(runtime: Option<Handle>, session: Arc<dyn Session>, answers: Answers) -> Self {
        Spawner { runtime, session, answers, open: BTreeMap::new() }
    }
}

impl Caller for Spawner {
    fn make(&mut self, task: usize, call: Call) {
        let Call { id, work, node } = call;
        let Some(runtime) = self.runtime.clone() else {
            let text = format!(
                "node `{node}` makes calls, and there is nothing to run them: start the application in a tokio runtime"
            );
            return self.answers.put(task, id, Call::refused(text));
        };
        let work = runtime.spawn(work);
        self.open.insert((task, id), work.abort_handle());
        let (session, answers) = (self.session.clone(), self.answers.clone());
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
            session.wake();
        });
    }

    fn end(&mut self, task: usize, call: CallId) {
        if let Some(open) = self.open.remove(&(task, call)) {
            open.abort();
        }
    }

    fn forget(&mut self, task: usize) {
        self.open.retain(|(of, _), open| {
            let stays = *of != task;
            if !stays {
                open.abort();
            }
            stays
        });
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.open.values().for_each(AbortHandle::abort);
    }
}
