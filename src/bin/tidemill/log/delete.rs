//! `delete`: removes a topic.

use std::path::PathBuf;

use clap::Args;
use tidemill::log::Log;

use crate::failure::Failure;
use crate::folder;

#[derive(Debug, Args)]
#[command(after_help = "\
The records are gone, and so is how far applications had read them; a topic of the same name that is made later is another \
one. Of an application's own topics remove all or none: an application whose changelog is gone wipes the store. No application \
may have the folder open.

Examples:
  tidemill log delete ./bank-data clicks          says what would go
  tidemill log delete ./bank-data clicks --yes    removes it")]
pub(crate) struct Delete {
    /// The application's folder
    folder: PathBuf,

    /// The topic
    topic: String,

    /// Really do it
    #[arg(long)]
    yes: bool,
}

impl Delete {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let looked_at = folder::read(&self.folder)?;
        let spec = folder::topic(&looked_at, &self.topic)?;
        let mut offsets = 0;
        for partition in folder::partitions(&spec, None)? {
            let bounds = looked_at.bounds(&partition)?;
            offsets += bounds.end.get() - bounds.start.get();
        }
        let what = format!("topic `{}` with {} partitions and up to {offsets} records", spec.name, spec.partitions);
        if !self.yes {
            return Err(Failure::new(format!("nothing was removed: {what} would go; repeat the command with `--yes`")));
        }
        folder::write(&self.folder)?.delete_topic(&self.topic)?;
        eprintln!("removed {what}");
        Ok(())
    }
}
