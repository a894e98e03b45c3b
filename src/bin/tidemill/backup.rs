//! `backup` and `restore`: the log of a folder, copied while an application runs, and put back.

use std::path::PathBuf;

use clap::Args;
use indicatif::HumanBytes;
use tidemill::log::{Copied, EmbeddedLog, Log, LogError};

use crate::failure::Failure;
use crate::{folder, progress};

#[derive(Debug, Args)]
#[command(after_help = "\
The application may run. The backup is the log at one moment: what was committed before is in it, an epoch as a whole or not at all, so \
an application that goes on from it loses nothing up to there and does nothing twice. It needs as much room as the log. Stores are \
not copied: a start makes them of their changelogs, but for stores without one (`Changelog::Off`), which begin empty.

The backup is durable when the command ends. One that was interrupted is refused by everything that opens a log; remove it, and \
make it again. Every other command that reads works on a backup too.

Examples:
  tidemill backup ./bank-data /backups/bank-monday
  tidemill log lag /backups/bank-monday                 how far the application was
  tidemill restore /backups/bank-monday ./bank-data-2   a folder to start the application in")]
pub(crate) struct Backup {
    /// The application's folder
    folder: PathBuf,

    /// A new folder for the backup
    to: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Every byte of the backup is compared with the checksums that were written with it. The backup stays as it is; never start an \
application on it, or it is no backup any more.

Example:
  tidemill restore /backups/bank-monday ./bank-data-2")]
pub(crate) struct Restore {
    /// What `tidemill backup` wrote
    backup: PathBuf,

    /// A new folder for the application
    folder: PathBuf,
}

impl Backup {
    pub(crate) fn run(self) -> Result<(), Failure> {
        folder::check(&self.folder)?;
        let copied = shown("copying", |progress| EmbeddedLog::back_up(&self.folder, &self.to, progress))?;
        let log = folder::read(&self.to)?;
        let (topics, applications) = (log.topics()?.len(), log.applications()?.len());
        let size = HumanBytes(copied.bytes);
        eprintln!(
            "backed up {size} in {} files: {topics} topics, how far {applications} applications are; see `tidemill log topics {}`",
            copied.files,
            self.to.display()
        );
        Ok(())
    }
}

impl Restore {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let copied = shown("restoring", |progress| EmbeddedLog::restore(&self.backup, &self.folder, progress))?;
        let (size, folder) = (HumanBytes(copied.bytes), self.folder.display());
        eprintln!("restored {size}: start the application with `{folder}` as its folder");
        Ok(())
    }
}

fn shown(
    what: &'static str,
    copy: impl FnOnce(&mut dyn FnMut(Copied)) -> Result<Copied, LogError>,
) -> Result<Copied, Failure> {
    let bar = progress::bytes(what);
    let copied = copy(&mut |copied| {
        bar.set_length(copied.bytes_total);
        bar.set_position(copied.bytes);
    });
    bar.finish_and_clear();
    Ok(copied?)
}
