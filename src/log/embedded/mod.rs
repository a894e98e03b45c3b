//! The embedded log: durable, in a folder, without a server.
//!
//! Rule: one append or one epoch is one frame, written behind the last one; so it is there as a whole or not at all.
//! The format is described, byte by byte, in `folder`, `segment`, `frame` and `body`.

mod body;
mod clean;
mod copy;
mod files;
mod folder;
mod frame;
mod frozen;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod index;
mod journal;
mod latest;
mod recover;
mod retention;
mod rewrite;
mod segment;
mod sync;

use std::path::Path;
use std::sync::Arc;

use tidemill_dsl::record::{Batch, Offset, Timestamp, TopicPartition};

use super::ledger::{Ledger, log_by_ledger};
use super::{Append, Bounds, Cleaned, LogError, LogErrorKind, Notes, Progress, Session, TopicId, TopicSpec};
use frozen::FrozenFiles;
use journal::Journal;

pub use copy::Copied;
pub use files::{Files, FolderLock, LogFile, StdFiles};
pub use sync::Durability;

/// The largest size at which a segment ends; positions in it are stored in memory with four bytes.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// How often a folder that is written meanwhile is looked at before its state counts as an error.
const FROZEN_TRIES: u32 = 5;

/// How an [`EmbeddedLog`] works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often the log waits for the disk.
    pub durability: Durability,
    /// When a segment has this many bytes, the next commit begins another; at most 1 GiB. Records are removed by whole
    /// segments.
    pub segment_bytes: u64,
    /// How many bytes of the youngest records are kept in memory, so that readers at the end do not read from the disk.
    pub recent_bytes: usize,
    /// How many bytes [`Log::clean`](super::Log::clean) takes to find out which records of compacted topics were replaced;
    /// about 40 per key. With fewer than all keys need it reads the topics more than once.
    pub clean_bytes: usize,
}

impl Default for Settings {
    /// Durable every 50 ms, segments of 64 MiB, 32 MiB in memory, 64 MiB to clean with.
    fn default() -> Self {
        Settings {
            durability: Durability::Interval(std::time::Duration::from_millis(50)),
            segment_bytes: 64 << 20,
            recent_bytes: 32 << 20,
            clean_bytes: 64 << 20,
        }
    }
}

/// A durable log in a folder of its own.
///
/// One process at a time has it open. The folder can be read by its owner only. Dropping the log and all its sessions
/// closes it.
///
/// An append to a partition where a session has staged records waits for the end of that epoch: do not call it from the
/// thread that shall end the epoch.
///
/// ```
/// use tidemill::log::{Append, EmbeddedLog, Log, LogSettings, Notes, TopicSpec};
/// use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path().join("bank-data");
/// let orders = TopicPartition::new("orders", 0);
/// {
///     let log = EmbeddedLog::open(&folder, LogSettings::default())?;
///     log.create_topic(&TopicSpec::new("orders", 1))?;
///     let mut batch = BatchBuilder::default();
///     batch.push(Timestamp::ZERO, Some(b"alice"), Some(b"10"), &Headers::NONE);
///     log.append(vec![Append { to: orders.clone(), records: batch.finish(Offset::ZERO) }], "", Notes::new())?;
/// }
/// let log = EmbeddedLog::open(&folder, LogSettings::default())?;
/// let batches = log.read(&orders, Offset::ZERO, usize::MAX)?;
/// assert_eq!(batches[0].records().peek().unwrap().value, Some(&b"10"[..]));
/// # Ok::<(), tidemill::log::LogError>(())
/// ```
pub struct EmbeddedLog(Ledger<Journal>);

impl EmbeddedLog {
    /// Opens the log in `folder`, or makes one there if it is empty or missing.
    ///
    /// # Errors
    ///
    /// `Invalid` for a folder that is not a log's, cannot be written or was written by another version; `Locked` when it
    /// is open already; `Corrupt` when stored bytes were damaged. The folder is as it was after each of them.
    pub fn open(folder: impl AsRef<Path>, settings: Settings) -> Result<Self, LogError> {
        EmbeddedLog::open_on(Arc::new(StdFiles::new(folder)), settings)
    }

    /// As [`EmbeddedLog::open`], on files of any kind.
    pub fn open_on(files: Arc<dyn Files>, settings: Settings) -> Result<Self, LogError> {
        let settings = Settings { segment_bytes: settings.segment_bytes.min(SEGMENT_BYTES_MAX), ..settings };
        let (book, journal) = Journal::open(files, settings)?;
        Ok(EmbeddedLog(Ledger::new(book, journal)))
    }

    /// Opens the log in `folder` as it is now, for reading, whether or not somebody has it open: takes no lock, and changes
    /// nothing on the disk. What is written to it later is not seen; open it again for that. Writing to it fails. Every
    /// segment stays open, so the process may need to be allowed as many files as the log has segments.
    ///
    /// ```
    /// use tidemill::log::{EmbeddedLog, Log, LogSettings, TopicSpec};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let folder = folder.path().join("bank-data");
    /// let writing = EmbeddedLog::open(&folder, LogSettings::default())?;
    /// writing.create_topic(&TopicSpec::new("orders", 1))?;
    /// let reading = EmbeddedLog::open_read_only(&folder, LogSettings::default())?;
    /// assert_eq!(reading.topics()?, writing.topics()?);
    /// # Ok::<(), tidemill::log::LogError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` for a folder that holds no log, or one of another version; `Unavailable` when it cannot be read; `Corrupt`
    /// when stored bytes were damaged.
    pub fn open_read_only(folder: impl AsRef<Path>, settings: Settings) -> Result<Self, LogError> {
        freeze(folder.as_ref(), settings).map(|(_, log)| log)
    }

    /// Copies the log in `folder` to the new folder `to`, whether or not somebody has it open, and calls `progress` every now and
    /// then. The copy is the log at one moment: everything that was committed before this was called, and of what is committed
    /// meanwhile the beginning; an epoch is in it as a whole or not at all. It is durable when this returns. The stores of
    /// applications are not copied: a start makes them of their changelogs.
    ///
    /// The copy can be read as a log; [`EmbeddedLog::restore`] makes one of it that can be written.
    ///
    /// ```
    /// use tidemill::log::{EmbeddedLog, Log, LogSettings, TopicSpec};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let (data, backup, restored) = (folder.path().join("d"), folder.path().join("b"), folder.path().join("r"));
    /// let running = EmbeddedLog::open(&data, LogSettings::default())?;
    /// running.create_topic(&TopicSpec::new("orders", 2))?;
    /// EmbeddedLog::back_up(&data, &backup, &mut |copied| println!("{} of {}", copied.bytes, copied.bytes_total))?;
    /// EmbeddedLog::restore(&backup, &restored, &mut |_| ())?;
    /// assert_eq!(EmbeddedLog::open(&restored, LogSettings::default())?.topics()?, running.topics()?);
    /// # Ok::<(), tidemill::log::LogError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`EmbeddedLog::open_read_only`], and `Invalid` when `to` is not empty. A copy that did not come to its end, whatever
    /// ended it, is refused by everything that opens logs.
    pub fn back_up(
        folder: impl AsRef<Path>,
        to: impl AsRef<Path>,
        progress: &mut dyn FnMut(Copied),
    ) -> Result<Copied, LogError> {
        let (files, _log) = freeze(folder.as_ref(), Settings { recent_bytes: 0, ..Settings::default() })?;
        copy::back_up(&files.segments(), to.as_ref(), progress)
    }

    /// Makes a log in the new folder `to` of a backup.
    ///
    /// # Errors
    ///
    /// `Invalid` for a folder without a backup, an unfinished backup, and when `to` is not empty; `Corrupt` when the backup is not
    /// as it was made, also because an application was started on it.
    pub fn restore(
        backup: impl AsRef<Path>,
        to: impl AsRef<Path>,
        progress: &mut dyn FnMut(Copied),
    ) -> Result<Copied, LogError> {
        copy::restore(backup.as_ref(), to.as_ref(), progress)
    }

    /// Waits until everything that was written is durable, whatever the durability setting.
    pub fn sync(&self) -> Result<(), LogError> {
        self.0.keep().syncer.sync_all()
    }
}

/// Opens a log as it is now, with the files that it consists of.
fn freeze(folder: &Path, settings: Settings) -> Result<(Arc<FrozenFiles>, EmbeddedLog), LogError> {
    folder::check_finished(&StdFiles::new(folder))?;
    if !folder::is_log(&StdFiles::new(folder)) {
        let message = format!("there is no log in `{}`: name the folder of one", folder.display());
        return Err(LogError::new(LogErrorKind::Invalid, message));
    }
    let settings = Settings { durability: Durability::Never, ..settings };
    let mut tries = 0;
    loop {
        let files = Arc::new(FrozenFiles::new(folder));
        // Segments may go between the look at the folder and the look at them; the next look finds what took their place.
        match EmbeddedLog::open_on(files.clone(), settings) {
            Err(changed) if changed.kind() != LogErrorKind::Invalid && tries < FROZEN_TRIES => tries += 1,
            opened => return opened.map(|log| (files, log)),
        }
    }
}

impl std::fmt::Debug for EmbeddedLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EmbeddedLog(`{}`)", self.0.keep().files.place())
    }
}

log_by_ledger!(EmbeddedLog);
