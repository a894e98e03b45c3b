//! `lag`: how far applications have read, and what is left.

use std::path::PathBuf;

use clap::Args;
use tidemill::log::Log;

use crate::failure::Failure;
use crate::{folder, output, time};

#[derive(Debug, Args)]
#[command(after_help = "\
`next` is the offset that the application processes next, as of its last commit; `lag` is how many offsets are left to the end; \
`time` is the greatest time that it has processed in the partition. Partitions that it has not committed anything of are not \
listed.

Examples:
  tidemill log lag ./bank-data
  tidemill log lag ./bank-data bank --json | jq 'select(.lag > 0)'")]
pub(crate) struct Lag {
    /// The application's folder
    folder: PathBuf,

    /// One application; without it, all that have committed something
    application: Option<String>,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Lag {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let log = folder::read(&self.folder)?;
        let known = log.applications()?;
        if let Some(name) = self.application.as_ref().filter(|name| !known.contains(name)) {
            let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Failure::new(format!("application `{name}` has committed nothing here; these have: {known}")));
        }
        let mut rows = Vec::new();
        for application in known.iter().filter(|name| self.application.as_ref().is_none_or(|wanted| wanted == *name)) {
            for (input, at) in log.progress(application)?.inputs {
                let end = log.bounds(&input)?.end;
                let lag = end.get().saturating_sub(at.next.get());
                let time = at.partition_time.map_or_else(String::new, time::show);
                let numbers =
                    [u64::from(input.partition), at.next.get(), end.get(), lag].map(|number| number.to_string());
                let names = [application.clone(), input.topic.to_string()];
                rows.push(names.into_iter().chain(numbers).chain([time]).collect());
            }
        }
        let header = ["application", "topic", "partition", "next", "end", "lag", "time"];
        output::rows(self.json, &header, &header[2..6], rows)
    }
}
