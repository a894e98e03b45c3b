//! Appends what users send: whatever waits goes into one append, so many senders share one write and one sync.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tidemill_dsl::record::{Batch, BatchBuilder, Offset, TopicPartition};
use tokio::sync::oneshot;

use super::Position;
use crate::error::{Error, ErrorKind};
use crate::log::{Append, Log, Notes};

/// Records of one user that go together. Their topics and partitions exist.
pub(super) struct Parcel {
    pub(super) records: Vec<(TopicPartition, Batch)>,
    /// Where the feed that they come from is after them.
    pub(super) position: Option<(String, Vec<u8>)>,
    pub(super) done: oneshot::Sender<Result<Position, Error>>,
}

/// The way to the sender's thread.
#[derive(Clone)]
pub(super) struct Outbox(Sender<Parcel>);

impl Outbox {
    /// Starts the thread. It ends when the last outbox is dropped.
    pub(super) fn start(log: Arc<dyn Log>, scope: String) -> Result<(Outbox, std::thread::JoinHandle<()>), Error> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("tidemill-send".into())
            .spawn(move || run(&*log, &scope, &receiver))
            .map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))?;
        Ok((Outbox(sender), thread))
    }

    /// Sends a parcel off; `false` when the thread is gone.
    pub(super) fn post(&self, parcel: Parcel) -> bool {
        self.0.send(parcel).is_ok()
    }
}

fn run(log: &dyn Log, scope: &str, parcels: &Receiver<Parcel>) {
    while let Ok(first) = parcels.recv() {
        let mut waiting = vec![first];
        waiting.extend(parcels.try_iter());
        let mut positions = append(log, scope, &waiting).map(Vec::into_iter);
        for parcel in waiting {
            let position = positions.as_mut().map(|all| all.next().unwrap_or_default()).map_err(|error| error.clone());
            // A sender that did not wait for the answer is no fault.
            let _ = parcel.done.send(position);
        }
    }
}

/// Appends everything, and says for each parcel where it lies: the offset behind its last record in each partition.
fn append(log: &dyn Log, scope: &str, parcels: &[Parcel]) -> Result<Vec<Position>, Error> {
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
    let firsts = log.append(builders.into_iter().map(append).collect(), scope, notes)?;
    let firsts: BTreeMap<&TopicPartition, Offset> = partitions.into_iter().zip(firsts).collect();
    let behind = |(to, count): (&TopicPartition, u64)| ((*to).clone(), firsts[to].plus(count));
    Ok(ends.into_iter().map(|ends| ends.into_iter().map(behind).collect()).collect())
}
