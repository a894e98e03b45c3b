//! `create`: makes a topic.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tidemill::log::{Cleanup, Log, TopicConfig, TopicSpec};

use crate::failure::Failure;
use crate::{folder, time};

#[derive(Debug, Args)]
#[command(after_help = "\
An application makes the topics that it is missing by itself; make one beforehand to choose its partitions and what it keeps. \
The settings of a topic that is there are not changed. No application may have the folder open.

Examples:
  tidemill log create ./bank-data orders --partitions 4
  tidemill log create ./bank-data clicks --retention 7d
  tidemill log create ./bank-data prices --cleanup compact")]
pub(crate) struct Create {
    /// The application's folder
    folder: PathBuf,

    /// The topic
    topic: String,

    /// How many partitions it has, for ever
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    partitions: u32,

    /// Which records may go
    #[arg(long, value_enum, default_value = "delete")]
    cleanup: CleanupName,

    /// How long records are kept, such as 12h or 7d; without it for ever
    #[arg(long, value_name = "TIME", value_parser = time::duration)]
    retention: Option<Duration>,

    /// How many bytes of records a partition keeps; without it all
    #[arg(long, value_name = "BYTES")]
    retention_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CleanupName {
    /// Those older than the retention, and beyond the bytes
    Delete,
    /// Those that a later record of the same key replaced
    Compact,
    /// Both
    CompactAndDelete,
}

impl Create {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let cleanup = match self.cleanup {
            CleanupName::Delete => Cleanup::Delete,
            CleanupName::Compact => Cleanup::Compact,
            CleanupName::CompactAndDelete => Cleanup::CompactAndDelete,
        };
        if !cleanup.deletes() && (self.retention.is_some() || self.retention_bytes.is_some()) {
            let message =
                "a compacted topic has no retention: use `--cleanup compact-and-delete`, or leave the retention out";
            return Err(Failure::new(message));
        }
        let log = folder::write(&self.folder)?;
        if log.topic(&self.topic)?.is_some() {
            return Err(Failure::new(format!("topic `{}` is there already: see `tidemill log describe`", self.topic)));
        }
        let (retention, retention_bytes) = (self.retention, self.retention_bytes);
        let config = TopicConfig { cleanup, retention, retention_bytes, ..TopicConfig::default() };
        log.create_topic(&TopicSpec { config, ..TopicSpec::new(self.topic.as_str(), self.partitions) })?;
        eprintln!("made topic `{}` with {} partitions", self.topic, self.partitions);
        Ok(())
    }
}
