//! One state of everything: what lies in the log, what the members of the application hold, what is committed.
//!
//! Rule: a world is plain data. Two worlds with the same fingerprint behave the same from then on; what led to a world is no
//! part of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tidemill::log::Progress;
use tidemill::record::{Batch, Offset, Timestamp};
use tidemill::task::Fingerprint;

use super::backend::{Budgets, Guarantee, Rules};
use super::part::{Canonical, Part, Pool};

/// Everything at one moment. Cheap to copy: the parts are shared until they change.
#[derive(Clone)]
pub(super) struct World {
    /// By the partition's number in the model.
    pub(super) logs: Vec<Part<PartitionLog>>,
    /// How many records of each script were sent.
    pub(super) sent: Vec<usize>,
    pub(super) members: Vec<Part<Member>>,
    /// How far the application is.
    pub(super) committed: Part<Progress>,
    pub(super) budgets: Budgets,
    /// The number that the next member gets.
    pub(super) next_member: u32,
    /// What the properties remember of the way here.
    pub(super) memory: Vec<u8>,
}

/// All parts of worlds that were seen.
#[derive(Default)]
pub(super) struct Pools {
    logs: Pool<PartitionLog>,
    members: Pool<Member>,
    committed: Pool<Progress>,
    buffer: Vec<u8>,
    whole: Vec<u8>,
}

/// The records of a partition.
#[derive(Clone, Default)]
pub(super) struct PartitionLog(Vec<LogRecord>);

/// A record, at the offset of its place.
#[derive(Clone)]
pub(super) struct LogRecord {
    /// One record.
    pub(super) batch: Arc<Batch>,
    pub(super) state: RecordState,
}

/// Who can read a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordState {
    /// Everybody.
    Committed,
    /// It belongs to the open transaction of this member.
    Pending(u32),
    /// Nobody.
    Aborted,
}

/// One thread of one process, as the broker knows it.
#[derive(Clone)]
pub(super) struct Member {
    /// Never used again.
    pub(super) id: u32,
    pub(super) thread: usize,
    /// A former owner of its tasks, which has not noticed that they were taken from it.
    pub(super) zombie: bool,
    pub(super) tasks: Vec<MemberTask>,
    /// Sent, but not in their partitions yet, by partition.
    pub(super) sending: BTreeMap<usize, VecDeque<Arc<Batch>>>,
    /// Positions that are committed when everything that was sent has arrived.
    pub(super) ending: Option<Arc<Progress>>,
}

/// A task of a member.
#[derive(Clone)]
pub(super) struct MemberTask {
    /// Its number in the model.
    pub(super) task: usize,
    /// Its wall clock.
    pub(super) now: Timestamp,
    /// The whole task, as bytes.
    pub(super) state: Arc<[u8]>,
    /// A hash of these.
    pub(super) hash: Fingerprint,
    /// Whether it would process a record, as far as it knows the ends of its inputs.
    pub(super) ready: bool,
    /// Whether it has done something since its last commit.
    pub(super) has_progress: bool,
    /// When its next wall-clock timer is due.
    pub(super) timer: Option<Timestamp>,
    /// By queue: where it fetches next, and whether a record waits.
    pub(super) queues: Vec<QueueView>,
}

/// What is known of a queue without waking its task.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueView {
    pub(super) fetched: Offset,
    pub(super) waits: bool,
}

impl PartitionLog {
    pub(super) fn records(&self) -> &[LogRecord] {
        &self.0
    }

    pub(super) fn end(&self) -> Offset {
        Offset::new(self.0.len() as u64)
    }

    /// Adds a record and gives its offset.
    pub(super) fn push(&mut self, record: &Arc<Batch>, state: RecordState) -> Offset {
        let offset = self.end();
        self.0.push(LogRecord { batch: Arc::new(Batch::clone(record).rebased(offset)), state });
        offset
    }

    /// Settles what a member's transaction has here, and gives the offsets.
    pub(super) fn settle(&mut self, member: u32, state: RecordState) -> Vec<Offset> {
        let mut settled = Vec::new();
        for (offset, record) in self.0.iter_mut().enumerate() {
            if record.state == RecordState::Pending(member) {
                record.state = state;
                settled.push(Offset::new(offset as u64));
            }
        }
        settled
    }

    /// Takes away what is not committed, which is all behind what is.
    pub(super) fn roll_back(&mut self) {
        let committed = self.0.iter().take_while(|record| record.state == RecordState::Committed).count();
        self.0.truncate(committed);
    }

    pub(super) fn has_pending(&self) -> bool {
        self.0.iter().any(|record| matches!(record.state, RecordState::Pending(_)))
    }

    /// Up to where the application's own readers get.
    pub(super) fn readable(&self, rules: Rules) -> usize {
        if rules.one_epoch || rules.guarantee == Guarantee::AtLeastOnce {
            return self.0.len();
        }
        let pending = |record: &LogRecord| matches!(record.state, RecordState::Pending(_));
        self.0.iter().position(pending).unwrap_or(self.0.len())
    }

    /// The next record from an offset on that the application's own readers get.
    pub(super) fn next_readable(&self, from: Offset, rules: Rules) -> Option<&Arc<Batch>> {
        let from = usize::try_from(from.get()).ok()?;
        let readable = self.0[..self.readable(rules)].get(from..)?;
        readable.iter().find(|record| record.state != RecordState::Aborted).map(|record| &record.batch)
    }

    /// The offset after the last record that the application's own readers get.
    pub(super) fn readable_end(&self, rules: Rules) -> Offset {
        let readable = &self.0[..self.readable(rules)];
        let end = readable.iter().rposition(|record| record.state != RecordState::Aborted).map_or(0, |last| last + 1);
        Offset::new(end as u64)
    }

    /// What a reader from outside gets, in order.
    pub(super) fn committed(&self) -> impl Iterator<Item = &Arc<Batch>> {
        let pending = |record: &&LogRecord| !matches!(record.state, RecordState::Pending(_));
        let stable = self.0.iter().take_while(pending);
        stable.filter(|record| record.state == RecordState::Committed).map(|record| &record.batch)
    }
}

impl Canonical for PartitionLog {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend((self.0.len() as u64).to_le_bytes());
        for LogRecord { batch, state } in &self.0 {
            let (tag, member) = match state {
                RecordState::Committed => (0_u8, 0),
                RecordState::Pending(member) => (1, *member),
                RecordState::Aborted => (2, 0),
            };
            out.push(tag);
            out.extend(member.to_le_bytes());
            write_batch(batch, out);
        }
    }
}

fn write_batch(batch: &Batch, out: &mut Vec<u8>) {
    out.extend((batch.bytes().len() as u64).to_le_bytes());
    out.extend(batch.bytes());
}

impl Member {
    /// Whether something of it can still become visible, or a commit is due.
    pub(super) fn has_progress(&self) -> bool {
        self.tasks.iter().any(|task| task.has_progress)
    }
}

impl Canonical for Member {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.id.to_le_bytes());
        // Tasks of different threads may have equal states.
        out.extend((self.thread as u64).to_le_bytes());
        out.push(u8::from(self.zombie));
        for task in &self.tasks {
            out.extend(task.hash.0.to_le_bytes());
            out.extend(task.now.as_millis().to_le_bytes());
        }
        for (log, batches) in &self.sending {
            out.extend((*log as u64).to_le_bytes());
            out.extend((batches.len() as u64).to_le_bytes());
            batches.iter().for_each(|batch| write_batch(batch, out));
        }
        out.push(u8::from(self.ending.is_some()));
        self.ending.iter().for_each(|progress| progress.write(out));
    }
}

impl Canonical for Progress {
    fn write(&self, out: &mut Vec<u8>) {
        for (input, at) in &self.inputs {
            out.extend(input.topic.as_bytes());
            out.extend(input.partition.to_le_bytes());
            out.extend(at.next.get().to_le_bytes());
            out.extend(at.partition_time.map_or(i64::MIN, Timestamp::as_millis).to_le_bytes());
        }
        for (name, note) in &self.notes {
            out.extend(name.as_bytes());
            out.extend((note.len() as u64).to_le_bytes());
            out.extend(note);
        }
    }
}

impl World {
    /// What stands for it. Parts that other worlds have too are shared with them.
    pub(super) fn fingerprint(&mut self, pools: &mut Pools) -> Fingerprint {
        let Pools { logs, members, committed, buffer, whole } = pools;
        whole.clear();
        self.logs.iter_mut().for_each(|log| whole.extend(logs.share(log, buffer).0.to_le_bytes()));
        whole.extend((self.members.len() as u64).to_le_bytes());
        self.members.iter_mut().for_each(|member| whole.extend(members.share(member, buffer).0.to_le_bytes()));
        whole.extend(committed.share(&mut self.committed, buffer).0.to_le_bytes());
        self.sent.iter().for_each(|sent| whole.extend((*sent as u64).to_le_bytes()));
        let Budgets { crashes, rebalances, ticks } = self.budgets;
        whole.extend([crashes, rebalances, ticks]);
        whole.extend(&self.memory);
        Fingerprint::of(whole)
    }

    pub(super) fn log_mut(&mut self, log: usize) -> &mut PartitionLog {
        self.logs[log].change()
    }

    pub(super) fn member_mut(&mut self, member: usize) -> &mut Member {
        self.members[member].change()
    }

    /// Adds to what is committed.
    pub(super) fn commit(&mut self, progress: &Progress) {
        let committed = self.committed.change();
        committed.inputs.extend(progress.inputs.iter().map(|(input, at)| (input.clone(), *at)));
        committed.notes.extend(progress.notes.iter().map(|(name, note)| (name.clone(), note.clone())));
    }
}
