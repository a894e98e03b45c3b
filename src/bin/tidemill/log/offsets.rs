//! `offsets`: where partitions begin and end, and where a time begins.

use std::path::PathBuf;

use clap::Args;
use tidemill::log::{Log, offset_at};
use tidemill::{Clock, SystemClock};

use crate::failure::Failure;
use crate::time::When;
use crate::{folder, output};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidemill log offsets ./bank-data movements
  tidemill log offsets ./bank-data movements --at 2026-11-22T10:30
  tidemill log offsets ./bank-data movements --at 15m")]
pub(crate) struct Offsets {
    /// The application's folder
    folder: PathBuf,

    /// The topic
    topic: String,

    /// Also the offset of the first record of this time or later: milliseconds since 1970, a date in UTC, or how long ago (15m)
    #[arg(long, value_name = "TIME")]
    at: Option<When>,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Offsets {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let log = folder::read(&self.folder)?;
        let spec = folder::topic(&log, &self.topic)?;
        let mut rows = Vec::new();
        for partition in folder::partitions(&spec, None)? {
            let bounds = log.bounds(&partition)?;
            let mut row = vec![partition.partition.to_string(), bounds.start.to_string(), bounds.end.to_string()];
            if let Some(when) = self.at {
                row.push(offset_at(&log, &partition, when.from(SystemClock.now()))?.to_string());
            }
            rows.push(row);
        }
        let header = ["partition", "start", "end", "at"];
        let header = if self.at.is_some() { &header[..] } else { &header[..3] };
        output::rows(self.json, header, header, rows)
    }
}
