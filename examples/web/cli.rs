//! The options that services have in common, and what they mean.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tidemill::log::{Durability, LogSettings};
use tidemill::topology::Topology;
use tidemill::{App, AppBuilder, Settings};

use super::failing::Failure;

/// Over how many partitions a service's topics are spread, where they are new.
pub(crate) const PARTITIONS: u32 = 4;

/// Where a service keeps its state, and how often.
#[derive(Debug, Args)]
pub(crate) struct Backing {
    /// The folder that keeps everything, unless `--kafka` is given
    ///
    /// Created if it is missing; one process at a time can have it open.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Brokers of Apache Kafka, such as localhost:9092: topics live there, and several processes share the work
    ///
    /// Stores on disk are then in the folder of `--data`, or in one beside the process that is restored from the topics.
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,

    /// After how many milliseconds at most what was done is committed; who waits for an answer does not wait so long
    #[arg(long, value_name = "MS", default_value_t = 100)]
    commit_every: u64,

    /// After how many milliseconds at most what was sent is safe from a loss of power; an answer waits for it
    ///
    /// Answers that wait at the same time share one wait for the disk. Brokers of `--kafka` have settings of their own for it.
    #[arg(long, value_name = "MS", default_value_t = 10)]
    sync_every: u64,
}

impl Backing {
    /// The application on the log that was chosen; `folder` where no other was named.
    pub(crate) fn app(self, application: &str, topology: Topology, folder: &str) -> Result<AppBuilder, Failure> {
        let commit_interval = Duration::from_millis(self.commit_every);
        let durability = Durability::Interval(Duration::from_millis(self.sync_every));
        let log = LogSettings { durability, ..LogSettings::default() };
        let settings = Settings { partitions: PARTITIONS, threads: 2, commit_interval, log, ..Settings::default() };
        let builder = App::builder(application, topology).settings(settings);
        let folder = self.data.unwrap_or_else(|| folder.into());
        match self.kafka {
            None => Ok(builder.embedded(folder)),
            Some(brokers) => on_kafka(builder, &brokers, folder),
        }
    }
}

/// Processes ask one another for the rows that they do not have.
#[cfg(all(feature = "kafka", feature = "http"))]
fn on_kafka(builder: AppBuilder, brokers: &str, folder: PathBuf) -> Result<AppBuilder, Failure> {
    Ok(builder.kafka(brokers).state_folder(folder).query_server(tidemill::QueryServer::default()))
}

#[cfg(not(all(feature = "kafka", feature = "http")))]
fn on_kafka(_: AppBuilder, brokers: &str, _: PathBuf) -> Result<AppBuilder, Failure> {
    Err(format!(
        "this program was built without Kafka, so `{brokers}` cannot be reached: run it with `--features kafka`"
    )
    .into())
}
