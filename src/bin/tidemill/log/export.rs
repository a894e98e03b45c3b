//! `export`: a topic as lines of JSON.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tidemill::log::Log;

use super::json_lines::{of_record, of_topic};
use super::visit::visit;
use crate::failure::Failure;
use crate::folder;
use crate::output::Lines;

#[derive(Debug, Args)]
#[command(after_help = "\
The first line is the topic with its settings. Every other line is a record: partition, offset, timestamp, headers, key, value. \
Text stands as text, other bytes as {\"hex\":\"..\"}, none as null; so `import` makes the same records of it.

Examples:
  tidemill log export ./bank-data movements > movements.jsonl
  tidemill log export ./bank-data movements | gzip > movements.jsonl.gz
  tidemill log export ./bank-data movements | tail -n +2 | jq -r .key")]
pub(crate) struct Export {
    /// The application's folder
    folder: PathBuf,

    /// The topic
    topic: String,
}

impl Export {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let log = folder::read(&self.folder)?;
        let spec = folder::topic(&log, &self.topic)?;
        let partitions = folder::partitions(&spec, None)?;
        let bounds = partitions.iter().map(|partition| log.bounds(partition)).collect::<Result<Vec<_>, _>>()?;
        let all = bounds.iter().map(|bounds| bounds.end.get() - bounds.start.get()).sum();
        let progress = bar(all);
        let mut out = Lines::new();
        out.line(of_topic(&spec))?;
        for (partition, bounds) in partitions.iter().zip(bounds) {
            visit(&log, partition, bounds.start, bounds.end, |offset, record| {
                let line = of_record(partition.partition, offset, record);
                out.line(line.map_err(|reason| Failure::new(format!("record {offset} of `{partition}`: {reason}")))?)?;
                progress.inc(1);
                Ok(true)
            })?;
        }
        out.flush()?;
        progress.finish_and_clear();
        Ok(())
    }
}

/// Shown on standard error where that is a terminal.
pub(super) fn bar(all: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} records, {eta} left");
    ProgressBar::new(all).with_style(style.expect("the template is sound"))
}
