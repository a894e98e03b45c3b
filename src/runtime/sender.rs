//! Appends what users send: whatever waits goes into one append, so many senders share one write and one sync.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tidemill_dsl::record::{Batch, BatchBuilder, Offset, TopicPartition};
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind};
use crate::log::{Append, Log, Notes};

/// Records of one user that go together. Their topics and partitions exist.
pub(super) struct Parcel {
    pub(super) records: Vec<(TopicPartition, Batch)>,
    /// Where the feed that they come from is after them.
    pub(super) position: Option<(String, Vec<u8>)>,
    pub(super) done: oneshot::Sender<Result<(), Error>>,
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
        let result = append(log, scope, &waiting);
        for parcel in waiting {
            // A sender that did not wait for the answer is no fault.
            let _ = parcel.done.send(result.clone());
        }
    }
}

fn append(log: &dyn Log, scope: &str, parcels: &[Parcel]) -> Result<(), Error> {
    let mut builders: BTreeMap<&TopicPartition, BatchBuilder> = BTreeMap::new();
    let mut notes = Notes::new();
    for parcel in parcels {
        for (to, records) in &parcel.records {
            builders.entry(to).or_default().extend(records);
        }
        notes.extend(parcel.position.clone());
    }
    let append = |(to, mut builder): (&TopicPartition, BatchBuilder)| Append {
        to: to.clone(),
        records: builder.finish(Offset::ZERO),
    };
    log.append(builders.into_iter().map(append).collect(), scope, notes)?;
    Ok(())
}
