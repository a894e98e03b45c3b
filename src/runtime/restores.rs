//! Which tasks are being restored, and how far they are.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemill_dsl::record::Timestamp;

use crate::exec::Restoring;
use crate::task::TaskId;

/// The tasks of an application that are being restored, to be looked at from any thread: for a progress bar, or a log line.
///
/// ```
/// # use tidemill::{App, Topic, stream::StreamsBuilder};
/// # const IN: Topic<String, i64> = Topic::of("in");
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder = StreamsBuilder::new();
/// # builder.stream(&IN).group_by_key().count();
/// # let topology = builder.build()?;
/// let starting = App::builder("counts", topology).memory();
/// let restores = starting.restores();
/// let app = starting.start().await?;
/// assert!(restores.now().is_empty(), "it has started");
/// # app.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Restores(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    now: Mutex<BTreeMap<TaskId, Begun>>,
    restored: AtomicU64,
}

#[derive(Debug)]
struct Begun {
    restoring: Arc<Restoring>,
    since: Timestamp,
}

/// How far the restore of one task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRestore {
    /// The task.
    pub task: TaskId,
    /// How many records were read.
    pub restored: u64,
    /// How many are left at most of the store that is being restored.
    pub left: u64,
    /// When it began to wait for its turn, on the application's clock.
    pub since: Timestamp,
}

impl TaskRestore {
    /// How long what is left will take if it goes on as it went up to `now`; `None` before anything was read.
    pub fn eta(&self, now: Timestamp) -> Option<Duration> {
        let took = u64::try_from(now.as_millis().saturating_sub(self.since.as_millis())).unwrap_or(0);
        let millis = u128::from(took) * u128::from(self.left) / u128::from(self.restored).max(1);
        (self.restored > 0).then(|| Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
    }
}

impl Restores {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<TaskId, Begun>> {
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The restores that wait or run now, by task.
    pub fn now(&self) -> Vec<TaskRestore> {
        let of = |(task, begun): (&TaskId, &Begun)| TaskRestore {
            task: task.clone(),
            restored: begun.restoring.done(),
            left: begun.restoring.left(),
            since: begun.since,
        };
        self.lock().iter().map(of).collect()
    }

    /// How many records all restores that have ended read, together: what a task needed that was on standby counts alone.
    pub fn restored(&self) -> u64 {
        self.0.restored.load(Ordering::Relaxed)
    }

    /// A task is ready, and needed so many records.
    pub(super) fn add(&self, records: u64) {
        self.0.restored.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn begin(&self, task: TaskId, restoring: Arc<Restoring>, since: Timestamp) {
        self.lock().insert(task, Begun { restoring, since });
    }

    pub(super) fn end(&self, task: &TaskId) {
        self.lock().remove(task);
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_as_what_was_read() {
        let task = TaskId { subtopologies: vec![0], partition: 1 };
        let at =
            |restored, left| TaskRestore { task: task.clone(), restored, left, since: Timestamp::from_millis(1_000) };
        let now = Timestamp::from_millis(3_000);
        assert_eq!(at(0, 10).eta(now), None);
        assert_eq!(at(100, 50).eta(now), Some(Duration::from_secs(1)));
        assert_eq!(at(100, 0).eta(now), Some(Duration::ZERO));
    }
}
