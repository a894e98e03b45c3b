//! How an application works: plain data, to be printed and compared.

mod in_use;
#[cfg(feature = "kafka")]
mod kafka;
mod kafka_streams;
mod notation;
mod sources;
mod table;

use std::time::Duration;

use tidemill_dsl::topology::TaskSettings;

use super::ErrorPolicy;
use crate::{exec, log, store};

pub use in_use::{SettingInUse, SettingsInUse};
pub use sources::{SettingOrigin, SettingSources};

/// Settings of an application. All have defaults.
///
/// Those that a file or the environment sets go before them: [`SettingSources`]. What holds in the end says
/// [`App::settings`](super::App::settings).
///
/// ```
/// use std::time::Duration;
/// use tidemill::Settings;
///
/// let settings = Settings { commit_interval: Duration::from_millis(20), threads: 2, ..Settings::default() };
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long work may stay uncommitted. Others see results at the commit.
    pub commit_interval: Duration,
    /// How many threads run tasks.
    pub threads: usize,
    /// Whether the topics that the topology reads and writes are created when they are missing. On a log that several processes
    /// share, only those are that the builder names.
    pub create_topics: bool,
    /// How many partitions a topic that is created gets, where nothing else was said.
    pub partitions: u32,
    /// How tasks work: changelogs, errors, caches.
    pub tasks: TaskSettings,
    /// After how many changed rows a store on disk is flushed, at the next commit. More rows take more memory and make a
    /// start after a crash longer.
    pub flush_rows: usize,
    /// How often the log is cleaned: expired and deleted records removed, changelogs compacted.
    pub clean_interval: Duration,
    /// How the embedded log works: durability, segments, memory.
    pub log: log::LogSettings,
    /// How many bytes of memory rows, caches, buffers and records on their way may take, all together. Each part has a share,
    /// which its own setting can lower. What no part can give back, such as rows of stores in memory, the program itself and
    /// what its closures hold, comes on top.
    pub memory_bytes: u64,
    /// How long a worker may be at one record or one commit before the process gives its partitions to others and stops with an
    /// error, where several processes share the work: Kafka's `max.poll.interval.ms`. Half of it is worth a warning.
    pub stuck_after: Duration,
    /// In how many other processes the stores of each task are kept too, close behind it, so that one of them can go on almost at
    /// once when its process is gone. Only where several processes share the work.
    pub standbys: usize,
    /// What is done after an error that no handler took.
    pub on_error: ErrorPolicy,
    /// Whether the application is paused when it starts, until [`App::resume`](super::App::resume).
    pub start_paused: bool,
    /// How often it is looked for topics that sources by pattern do not read yet.
    pub topics_interval: Duration,
    /// What stores on disk lie in.
    pub store_engine: store::StoreEngine,
    /// How stores on disk work.
    pub stores: store::StoreSettings,
}

impl Default for Settings {
    fn default() -> Self {
        let exec::Settings { commit_interval, flush_rows, .. } = exec::Settings::default();
        Settings {
            commit_interval,
            threads: 1,
            create_topics: true,
            partitions: 1,
            tasks: TaskSettings::default(),
            flush_rows,
            clean_interval: Duration::from_secs(15),
            log: log::LogSettings::default(),
            memory_bytes: 256 << 20,
            stuck_after: Duration::from_secs(300),
            standbys: 0,
            on_error: ErrorPolicy::default(),
            start_paused: false,
            topics_interval: Duration::from_secs(30),
            store_engine: store::StoreEngine::default(),
            stores: store::StoreSettings::default(),
        }
    }
}

/// All that can be set by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Configuration {
    pub(super) settings: Settings,
    /// `None` where the application is not on Kafka.
    #[cfg(feature = "kafka")]
    pub(super) kafka: Option<log::kafka::KafkaSettings>,
}
