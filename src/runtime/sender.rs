//! Appends what users send: whatever waits goes into one append, so many senders share one write and one sync.
//!
//! Rule: a write never waits for the sync of the one before it. One thread writes, and what it wrote can be read at once;
//! another waits for the durability policy and answers, in the order of the writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use tidemill_dsl::record::{Batch, BatchBuilder, Offset, TopicPartition};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Position;
use crate::error::{Error, ErrorKind};
use crate::log::{Append, Log, Notes, Written};

/// How many writes may wait for the disk; the next one then waits for the first of them.
const UNSETTLED_MAX: usize = 1024;

/// Records of one user that go together. Their topics and partitions exist.
pub(super) struct Parcel {
    pub(super) records: Vec<(TopicPartition, Batch)>,
    /// Where the feed that they come from is after them.
    pub(super) position: Option<(String, Vec<u8>)>,
    pub(super) done: Done,
    /// Its share of the memory for records on their way, given back once they are written.
    pub(super) _room: OwnedSemaphorePermit,
}

/// Answers a sender. One that did not wait for the answer is no fault.
type Done = oneshot::Sender<Result<Position, Error>>;

/// A write, and who waits for it to be durable.
struct Unsettled {
    written: Written,
    answers: Vec<(Done, Position)>,
}

/// The way to the sender's thread.
#[derive(Clone)]
pub(super) struct Outbox(Sender<Parcel>);

impl Outbox {
    /// Starts the threads. They end when the last outbox is dropped; the handle is that of the one that ends last.
    pub(super) fn start(log: Arc<dyn Log>, scope: String) -> Result<(Outbox, JoinHandle<()>), Error> {
        let (sender, parcels) = channel();
        let (unsettled, written) = sync_channel(UNSETTLED_MAX);
        let writer = spawn("tidemill-send", move || write(&*log, &scope, &parcels, &unsettled))?;
        let settle_all = move || {
            settle(&written);
            // What a panic there says is to be heard of here.
            writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        };
        Ok((Outbox(sender), spawn("tidemill-sent", settle_all)?))
    }

    /// Sends a parcel off; `false` when the thread is gone.
    pub(super) fn post(&self, parcel: Parcel) -> bool {
        self.0.send(parcel).is_ok()
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(body);
    thread.map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))
}

fn write(log: &dyn Log, scope: &str, parcels: &Receiver<Parcel>, unsettled: &SyncSender<Unsettled>) {
    while let Ok(first) = parcels.recv() {
        let mut waiting = vec![first];
        waiting.extend(parcels.try_iter());
        let outcome = append(log, scope, &waiting);
        let dones = waiting.into_iter().map(|parcel| parcel.done);
        match outcome {
            Ok((written, positions)) => {
                // The other thread ends after this one, unless it panicked; then nobody is answered.
                let _ = unsettled.send(Unsettled { written, answers: dones.zip(positions).collect() });
            }
            Err(error) => dones.for_each(|done| drop(done.send(Err(error.clone())))),
        }
    }
}

fn settle(written: &Receiver<Unsettled>) {
    for Unsettled { written, answers } in written {
        let outcome = written.settled().map_err(Error::from);
        for (done, position) in answers {
            let _ = done.send(outcome.as_ref().map(|_| position).map_err(Clone::clone));
        }
    }
}

/// Appends everything, and says for each parcel where it lies: the offset behind its last record in each partition.
fn append(log: &dyn Log, scope: &str, parcels: &[Parcel]) -> Result<(Written, Vec<Position>), Error> {
    let mut builders: BTreeMap<&TopicPartition, BatchBuilder> = BTreeMap::new();
    let mut notes = Notes::new();
    // How many records of a partition there are, up to the last one of each parcel.
    let mut ends: Vec<BTreeMap<&TopicPartition, u64>> = Vec::with_capacity(parcels.len());
    for parcel in parcels {
        let mut parcel_ends = BTreeMap::new();
        for (to, records) in &parcel.records {
            let builder = builders.entry(to).or_default();
            builder.extend(records);
            parcel_ends.insert(to, u64::from(builder.count()));
        }
        ends.push(parcel_ends);
        notes.extend(parcel.position.clone());
    }
    let partitions: Vec<&TopicPartition> = builders.keys().copied().collect();
    let append = |(to, mut builder): (&TopicPartition, BatchBuilder)| Append {
        to: to.clone(),
        records: builder.finish(Offset::ZERO),
    };
    let written = log.post(builders.into_iter().map(append).collect(), scope, notes)?;
    let firsts: BTreeMap<&TopicPartition, Offset> = partitions.into_iter().zip(written.firsts().to_vec()).collect();
    let behind = |(to, count): (&TopicPartition, u64)| ((*to).clone(), firsts[to].plus(count));
    let positions = ends.into_iter().map(|ends| ends.into_iter().map(behind).collect()).collect();
    Ok((written, positions))
}
