//! How tasks work: plain data, the same for the application and the test driver.

use std::time::Duration;

use super::OffsetReset;
use crate::processor::ErrorSettings;
use crate::state::Changelog;

/// Settings of an application's tasks.
#[derive(Clone, Debug)]
pub struct TaskSettings {
    /// What changelogs get where the topology does not say.
    pub changelog: Changelog,
    /// How many bytes the record caches of a task's stores may hold, all together, counted as Kafka Streams counts them;
    /// 0, the default, is no cache. Kafka Streams divides its `statestore.cache.max.bytes` by the number of threads; this
    /// is for each task.
    pub cache_bytes: u64,
    /// How often operators that emit on window close look for closed windows, and left and outer joins of streams for records
    /// that have met none, by the wall clock: records that come sooner only update windows, or join. In an application a second, as in Kafka Streams; in the test driver zero: at every record.
    pub emit_interval: Duration,
    /// How long a task waits, by the wall clock, before record time moves on without records; `None`, the default: it never
    /// does, as in Kafka Streams, and what waits for a later record waits.
    ///
    /// When none of a task's inputs has had a record for so long, and all that was there is processed, its stream time moves on
    /// by the time that has passed since the last record, and again after each such time. So windows close and suppressed
    /// results come out. A record that comes later and is older than that is late where it would be late behind a record of
    /// that time: choose a time that is longer than what senders take to send.
    pub idle_advance: Option<Duration>,
    /// What becomes of records that cannot be read, processed or written.
    pub errors: ErrorSettings,
    /// How large key and value of a record that is written may be together, in bytes; a larger one fails, or goes where
    /// `errors.production` says. The default is 1 GiB; logs of others may take less.
    pub record_bytes_max: usize,
    /// Where to begin in a partition that the application has no place in, for sources that do not say themselves.
    pub offset_reset: OffsetReset,
}

impl Default for TaskSettings {
    /// An application's: changelogs get the last value of a row per commit, nothing is cached, and a record that fails
    /// fails its task.
    fn default() -> Self {
        TaskSettings {
            changelog: Changelog::LastPerCommit,
            cache_bytes: 0,
            emit_interval: Duration::from_secs(1),
            idle_advance: None,
            errors: ErrorSettings::default(),
            record_bytes_max: 1 << 30,
            offset_reset: OffsetReset::default(),
        }
    }
}
