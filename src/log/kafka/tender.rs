//! Gives readers new clients in place of those that have lost a broker.
//!
//! Rule: nobody reads on through a client that has lost a broker. When brokers come back they say for a moment that a partition has no
//! leader, and a client that takes this in may never fetch the partition again (librdkafka's issue 5430), or end the process (5280).
//! A new one asks who leads before it fetches anything.

use std::sync::Weak;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::super::{LogError, LogErrorKind};
use super::reader::Reader;

/// Where readers whose clients are lost are told to. The thread behind it ends when nobody can tell it anything any more.
#[derive(Clone)]
pub(super) struct Tender(Sender<Weak<Reader>>);

impl Tender {
    pub(super) fn start() -> Result<Tender, LogError> {
        let (tender, told) = channel();
        let started = thread::Builder::new().name("tidemill-kafka-tend".to_owned()).spawn(move || tend(&told));
        started.map_err(|cause| {
            LogError::new(LogErrorKind::Unavailable, "no thread can be started that looks after clients")
                .with_source(cause)
        })?;
        Ok(Tender(tender))
    }

    /// Has a reader get another client.
    pub(super) fn tell(&self, reader: Weak<Reader>) {
        // Nobody listens when the process ends.
        let _ = self.0.send(reader);
    }
}

fn tend(told: &Receiver<Weak<Reader>>) {
    while let Ok(reader) = told.recv() {
        if let Some(reader) = reader.upgrade() {
            reader.renew();
        }
    }
}
