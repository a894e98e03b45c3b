//! Where records lie: topics of partitions, appended to atomically, read in order.
//!
//! Rule: what one `append` or one `commit` writes, over however many partitions, is there as a whole or not at all.
//! Everybody sees committed records only; an application's own [`Session`] may see its own staged ones at once.

mod embedded;
mod error;
#[cfg(feature = "kafka")]
pub mod kafka;
mod ledger;
mod membership;
mod memory;
mod own;
mod search;
mod topic;
mod written;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tidemill_dsl::record::{Batch, Offset, Timestamp, TopicPartition};
use tidemill_dsl::topology::TopicNeed;

#[cfg(feature = "fuzzing")]
pub(crate) use embedded::fuzzing as embedded_fuzzing;
pub use embedded::{Copied, Durability, EmbeddedLog, Files, FolderLock, LogFile, Settings as LogSettings, StdFiles};
pub use error::{LogError, LogErrorKind};
pub use membership::{Change, Member, Membership};
pub use memory::MemoryLog;
pub use search::offset_at;
pub use topic::{Cleanup, TopicConfig, TopicId, TopicSpec};
pub use written::Written;

/// The first offset that is kept and the one that the next committed record gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first record that can be read.
    pub start: Offset,
    /// The offset after the last committed record.
    pub end: Offset,
}

/// Records for one partition; they get the next offsets, the batch's own base is ignored.
#[derive(Clone, Debug)]
pub struct Append {
    /// Where the records go.
    pub to: TopicPartition,
    /// The records.
    pub records: Batch,
}

/// Small named values that are stored in the same atomic step as records: an application's times, an importer's place.
pub type Notes = BTreeMap<String, Vec<u8>>;

/// The name of a note that belongs to a task: it stays with the task's first input, whoever reads that.
pub fn note_name(what: &str, input: &TopicPartition) -> String {
    format!("{what}@{}/{}", input.topic, input.partition)
}

/// What a note says and which partition it belongs to, by its name; `None` for a note that belongs to none.
pub fn note_parts(name: &str) -> Option<(&str, TopicPartition)> {
    let (what, place) = name.split_once('@')?;
    let (topic, partition) = place.rsplit_once('/')?;
    Some((what, TopicPartition::new(topic, partition.parse().ok()?)))
}

/// What [`Log::clean`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// How many files are gone.
    pub segments: usize,
    /// How many files were written anew, without what nobody needs.
    pub rewritten: usize,
    /// How many bytes less there are.
    pub bytes: u64,
}

/// How far an application has read a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputProgress {
    /// The next offset to process.
    pub next: Offset,
    /// The greatest record time processed so far.
    pub partition_time: Option<Timestamp>,
}

/// How far an application is. Given to a commit it names only what changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Place in every input partition.
    pub inputs: BTreeMap<TopicPartition, InputProgress>,
    /// The application's notes: stream times, operator times. See [`note_name`].
    pub notes: Notes,
}

/// When an application's own readers see what it staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnRecords {
    /// At once: memory and embedded log.
    AtOnce,
    /// Some time after it was staged, perhaps before the commit, and so does everybody else: Kafka at least once. The sooner it is
    /// staged the better.
    OnceWritten,
    /// After the commit: Kafka exactly once. Until something is staged no transaction is open, which could grow too old.
    AtCommit,
}

/// Topics of partitions. One suite, `tidemill_testkit::conformance`, says what every log does.
pub trait Log: Send + Sync + 'static {
    /// Creates a topic. A topic that exists with the same number of partitions is fine; with another number it is an
    /// error ([`LogErrorKind::Invalid`]).
    fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError>;

    /// Creates a topic of an application's own, whose records go when nobody needs them any more. As
    /// [`create_topic`](Self::create_topic), a topic that exists with the same number of partitions is fine, as it is.
    fn create_own_topic(&self, need: &TopicNeed) -> Result<(), LogError> {
        self.create_topic(&own::spec_of(need)?)
    }

    /// An error ([`LogErrorKind::Unavailable`]) when the log takes no more writes.
    fn check(&self) -> Result<(), LogError>;

    /// What a topic was created with; `None` when there is none of this name.
    fn topic(&self, name: &str) -> Result<Option<TopicSpec>, LogError>;

    /// Which topic has this name now; `None` when there is none.
    fn topic_id(&self, name: &str) -> Result<Option<TopicId>, LogError>;

    /// All topics, by name.
    fn topics(&self) -> Result<Vec<TopicSpec>, LogError>;

    /// Deletes a topic with its records and what applications had read of it. A topic of the same name that is created
    /// later is another one. Refused ([`LogErrorKind::Invalid`]) while a session reads it or has staged records for it.
    fn delete_topic(&self, name: &str) -> Result<(), LogError>;

    /// Start and end of the committed records of a partition.
    fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, LogError>;

    /// As [`bounds`](Log::bounds), once it is known of every record written before this call whether it is committed. Whoever takes
    /// a partition over from another process finds all of its commits before this end.
    fn settled(&self, partition: &TopicPartition) -> Result<Bounds, LogError> {
        self.bounds(partition)
    }

    /// Committed batches from `from` on, in order: the first one contains `from` (or begins after it, where records were
    /// removed), and together they have at most `bytes_max` bytes, but at least one batch comes when there is one.
    ///
    /// `from` at the end gives nothing; beyond the end or before the start is an error ([`LogErrorKind::OutOfRange`]).
    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError>;

    /// Lets a partition begin at `before`, or at its end if that comes first: what lies before it can be read no more, and
    /// its room is given back some time later. What an application has processed and nobody else reads, it deletes so.
    fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<(), LogError>;

    /// The offset after the last tombstone that may have been removed from a compacted partition within this time; 0 if none
    /// was. Whoever was away for so long and has read only up to an earlier offset may have missed deletes, and has to read
    /// the partition from its start. A log that knows what it removed answers by that, whatever the time.
    fn complete_from(&self, partition: &TopicPartition, away: Duration) -> Result<Offset, LogError>;

    /// Gives room back at the time `now`: removes records that are older than their topic's retention or beyond the bytes
    /// that it keeps, those that were deleted, and in compacted topics those that a later record of the same key replaced. Call
    /// it every now and then; nothing is removed otherwise. A log that somebody else cleans does nothing.
    fn clean(&self, now: Timestamp) -> Result<Cleaned, LogError>;

    /// Appends records and stores notes under `scope`, atomically, outside any session; returns when the durability
    /// policy of the log is met. The result has the first offset of each append, in order.
    ///
    /// Where sessions see their own records at once, records for a partition in which a session has staged some stand
    /// behind those: the call waits for the end of that epoch, so it must not come from the thread that ends it.
    fn append(&self, appends: Vec<Append>, scope: &str, notes: Notes) -> Result<Vec<Offset>, LogError> {
        self.post(appends, scope, notes)?.settled()
    }

    /// As [`append`](Log::append), but returns when the records are written and can be read; whoever needs to know that the
    /// durability policy is met asks what this returns. So the next append need not wait for the disk.
    fn post(&self, appends: Vec<Append>, scope: &str, notes: Notes) -> Result<Written, LogError>;

    /// The notes that `append` stored under `scope`.
    fn notes(&self, scope: &str) -> Result<Notes, LogError>;

    /// Wakes `waker` once, after the next change of what is committed. Whoever waits calls this and then looks again.
    fn wake_at_change(&self, waker: &Waker);

    /// The applications that have committed something, by name.
    fn applications(&self) -> Result<Vec<String>, LogError>;

    /// How far an application was at its last commit, as everybody may know it; empty for one that committed nothing.
    fn progress(&self, application: &str) -> Result<Progress, LogError>;

    /// Who works for an application now, in words; empty when nobody does.
    fn members(&self, application: &str) -> Result<Vec<String>, LogError>;

    /// Lets an application be as far as `progress` says, and forgets everything else that was known of it: places in other
    /// partitions, and notes. One atomic step. Refused ([`LogErrorKind::Invalid`]) while somebody works for it.
    fn set_progress(&self, application: &str, progress: &Progress) -> Result<(), LogError>;

    /// Begins an application's session. The application's earlier session on this log, if any, is fenced: whatever it
    /// staged is gone and its calls fail with [`LogErrorKind::Fenced`].
    fn session(&self, application: &str) -> Result<Box<dyn Session>, LogError>;

    /// Whether several processes may run one application on this log, each with a share of its partitions.
    fn is_shared(&self) -> bool {
        false
    }

    /// Joins the processes that share an application's work; on a log that one process has for itself, it gets everything.
    fn join(&self, member: &Member) -> Result<Box<dyn Membership>, LogError> {
        Ok(Box::new(membership::SoleMember::join(self, member)?))
    }
}

/// One application's reading and writing: what it stages is committed together with how far it has read.
///
/// An epoch is what lies between two commits. Dropping a session aborts its open epoch.
pub trait Session: Send + Sync {
    /// When this session's readers see what it stages.
    fn own_records(&self) -> OwnRecords;

    /// How far the application was at its last commit, whichever session made it.
    fn progress(&self) -> Result<Progress, LogError>;

    /// As [`Log::read`]; with [`OwnRecords::AtOnce`] the session's staged records come too, in their place.
    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError>;

    /// The offset after the last record that `read` of this session would give; where own records are seen at the commit, of a
    /// partition that the session has written, the offset after the last one that it has committed.
    fn end(&self, partition: &TopicPartition) -> Result<Offset, LogError>;

    /// Begins to read a partition from `from` on. The result is a shared view of [`Session::end`] that can be asked for every
    /// record: where own records are seen at once, it is never behind what this session has staged.
    fn follow(&self, partition: &TopicPartition, from: Offset) -> Result<EndWatch, LogError>;

    /// Stops reading a partition: what was fetched ahead of it is dropped.
    fn unfollow(&self, _partition: &TopicPartition) {}

    /// Adds records to the open epoch and says at which offset they will stand; `None` where that is not known before the
    /// commit. Where own records are seen at once, a partition in which another application's open epoch has records is an error
    /// ([`LogErrorKind::Invalid`]).
    fn stage(&self, append: Append) -> Result<Option<Offset>, LogError>;

    /// Ends the epoch: everything staged, and `progress` merged into what was there, becomes visible in one atomic step.
    /// An error of the kind [`LogErrorKind::UnknownTopic`] or [`LogErrorKind::Invalid`] leaves the epoch open as it was.
    /// After any other but [`LogErrorKind::Fenced`] nobody knows whether it did: end the session, begin another.
    fn commit(&self, progress: &Progress) -> Result<(), LogError>;

    /// Ends the epoch and drops what was staged.
    fn abort(&self) -> Result<(), LogError>;

    /// Waits until something was appended, staged or committed since `seen`, or [`Session::wake`] was called, or `limit`
    /// is over. The result is the new value for `seen`; begin with 0.
    fn wait(&self, seen: u64, limit: Duration) -> u64;

    /// Ends a `wait` of another thread.
    fn wake(&self);
}

/// The end of a partition, readable from any thread without a lock.
#[derive(Clone, Debug)]
pub struct EndWatch(Arc<std::sync::atomic::AtomicU64>);

impl EndWatch {
    /// A watch on a counter that the log keeps.
    pub fn new(counter: Arc<std::sync::atomic::AtomicU64>) -> Self {
        EndWatch(counter)
    }

    /// The offset after the last record.
    pub fn get(&self) -> Offset {
        Offset::new(self.0.load(std::sync::atomic::Ordering::Acquire))
    }
}
