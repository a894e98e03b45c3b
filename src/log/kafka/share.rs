//! What a process holds of its application's work.
//!
//! Rule: what a session commits is what the process holds at that moment. A commit keeps the share as it is until it is over;
//! partitions are given away, or taken as lost, before or after it.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rdkafka::consumer::{BaseConsumer, Consumer};
use tidemill_dsl::record::TopicPartition;

use super::super::{LogError, LogErrorKind};
use super::client::Quiet;
use super::joined::Joined;

/// What a process holds, and the consumer that is its member.
pub(super) struct Share {
    held: RwLock<Held>,
}

struct Held {
    consumer: Arc<Joined>,
    partitions: BTreeSet<TopicPartition>,
    lost: Option<String>,
}

/// A share that stays as it is meanwhile.
pub(super) struct Holding<'a>(RwLockReadGuard<'a, Held>);

impl Holding<'_> {
    /// The member.
    pub(super) fn consumer(&self) -> &BaseConsumer<Quiet> {
        &self.0.consumer
    }
}

impl Share {
    /// Nothing yet.
    pub(super) fn new(consumer: Joined) -> Self {
        let held = Held { consumer: Arc::new(consumer), partitions: BTreeSet::new(), lost: None };
        Share { held: RwLock::new(held) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The member.
    pub(super) fn consumer(&self) -> Arc<Joined> {
        self.read().consumer.clone()
    }

    /// Another member instead of one that holds nothing.
    pub(super) fn replace(&self, consumer: Joined) {
        let mut held = self.write();
        held.consumer.context().close(&held.consumer);
        held.consumer = Arc::new(consumer);
    }

    /// The process is no member any more: its consumer is closed by whoever drops it last.
    pub(super) fn close(&self) {
        let held = self.write();
        held.consumer.context().close(&held.consumer);
    }

    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.read().partitions.is_empty()
    }

    /// An error when the share is lost.
    pub(super) fn check(&self) -> Result<(), LogError> {
        self.read().check()
    }

    /// Keeps the share as it is; an error unless these partitions are in it.
    pub(super) fn hold(&self, partitions: &[TopicPartition]) -> Result<Holding<'_>, LogError> {
        let held = self.read();
        held.check()?;
        match partitions.iter().find(|partition| !held.partitions.contains(partition)) {
            None => Ok(Holding(held)),
            Some(partition) => {
                let message = format!("`{partition}` belongs to another process now: what was done with it is void");
                Err(LogError::new(LogErrorKind::Lost, message))
            }
        }
    }

    /// Adds partitions once `take` has told the member so; no commit is under way meanwhile.
    pub(super) fn add(
        &self,
        partitions: &[TopicPartition],
        take: impl FnOnce(&BaseConsumer<Quiet>) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let mut held = self.write();
        take(&held.consumer)?;
        held.partitions.extend(partitions.iter().cloned());
        Ok(())
    }

    /// Takes partitions away and lets `give` tell the member so; no commit is under way meanwhile.
    pub(super) fn remove(
        &self,
        partitions: &[TopicPartition],
        give: impl FnOnce(&BaseConsumer<Quiet>) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let mut held = self.write();
        held.partitions.retain(|partition| !partitions.contains(partition));
        give(&held.consumer)
    }

    /// From now on nothing is committed any more.
    pub(super) fn lose(&self, why: &str) {
        let mut held = self.write();
        held.partitions.clear();
        held.lost.get_or_insert_with(|| why.to_owned());
    }
}

impl Held {
    fn check(&self) -> Result<(), LogError> {
        match &self.lost {
            None => Ok(()),
            Some(why) => {
                let message = format!("the process's share of the work is lost: {why}; drop it and join again");
                Err(LogError::new(LogErrorKind::Lost, message))
            }
        }
    }
}
