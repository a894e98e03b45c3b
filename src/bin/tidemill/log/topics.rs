//! `topics`: what there is.

use std::path::PathBuf;

use clap::Args;
use tidemill::log::{Log, TopicSpec};

use crate::failure::Failure;
use crate::{folder, output};

#[derive(Debug, Args)]
pub(crate) struct Topics {
    /// The application's folder
    folder: PathBuf,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Topics {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let log = folder::read(&self.folder)?;
        let row = |spec: TopicSpec| {
            let mut offsets = 0;
            for partition in folder::partitions(&spec, None)? {
                let bounds = log.bounds(&partition)?;
                offsets += bounds.end.get() - bounds.start.get();
            }
            let cleanup = super::describe::cleanup(spec.config.cleanup);
            Ok(vec![spec.name.to_string(), spec.partitions.to_string(), offsets.to_string(), cleanup.to_owned()])
        };
        let rows = log.topics()?.into_iter().map(row).collect::<Result<_, Failure>>()?;
        output::rows(self.json, &["topic", "partitions", "offsets", "cleanup"], &["partitions", "offsets"], rows)
    }
}
