//! `describe`: a topic's settings and its partitions.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tidemill::log::{Cleanup, Log};

use super::visit::visit;
use crate::failure::Failure;
use crate::{folder, output, time};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tidemill log describe ./bank-data movements")]
pub(crate) struct Describe {
    /// The application's folder
    folder: PathBuf,

    /// The topic
    topic: String,

    /// Print the partitions as one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Describe {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let log = folder::read(&self.folder)?;
        let spec = folder::topic(&log, &self.topic)?;
        if !self.json {
            let config = spec.config;
            let mut out = output::Lines::new();
            out.line(format_args!("topic           {}", spec.name))?;
            out.line(format_args!("cleanup         {}", cleanup(config.cleanup)))?;
            if config.cleanup.deletes() {
                out.line(format_args!("retention       {}", config.retention.map_or("for ever".into(), shown)))?;
                let bytes =
                    config.retention_bytes.map_or("all".to_owned(), |bytes| format!("{bytes} bytes a partition"));
                out.line(format_args!("                {bytes}"))?;
            }
            if config.cleanup.compacts() {
                out.line(format_args!("tombstones      {}", shown(config.tombstones)))?;
                out.line(format_args!("compaction lag  {}", shown(config.compaction_lag)))?;
            }
            out.flush()?;
        }
        let mut rows = Vec::new();
        for partition in folder::partitions(&spec, None)? {
            let bounds = log.bounds(&partition)?;
            let (mut records, mut bytes, mut first, mut last) = (0_u64, 0, None, None);
            visit(&log, &partition, bounds.start, bounds.end, |_, record| {
                records += 1;
                bytes += record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
                first = Some(first.map_or(record.timestamp, |first| record.timestamp.min(first)));
                last = last.max(Some(record.timestamp));
                Ok(true)
            })?;
            let numbers = [u64::from(partition.partition), bounds.start.get(), bounds.end.get(), records, bytes as u64];
            let times = [first, last].map(|time| time.map_or_else(String::new, time::show));
            rows.push(numbers.iter().map(u64::to_string).chain(times).collect());
        }
        let header = ["partition", "start", "end", "records", "bytes", "first time", "last time"];
        output::rows(self.json, &header, &header[..5], rows)
    }
}

/// A cleanup as Kafka calls it.
pub(super) fn cleanup(cleanup: Cleanup) -> &'static str {
    match cleanup {
        Cleanup::Delete => "delete",
        Cleanup::Compact => "compact",
        Cleanup::CompactAndDelete => "compact,delete",
    }
}

fn shown(time: Duration) -> String {
    format!("{time:?}")
}
