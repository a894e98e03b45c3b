//! A process's membership in its application's group.
//!
//! Rule: what a session commits is what the process holds at that moment: a commit keeps the share as it is until it is over, and
//! partitions are given away, or taken as lost, before or after it.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rdkafka::consumer::BaseConsumer;
use tidemill_dsl::record::TopicPartition;

use super::super::{LogError, LogErrorKind};
use super::client::Quiet;

/// What a process holds, and the consumer that is its member.
pub(super) struct Share {
    held: RwLock<Held>,
}

struct Held {
    consumer: Arc<BaseConsumer<Quiet>>,
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
    fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
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
}

impl Held {
    fn check(&self) -> Result<(), LogError> {
        match &self.lost {
            None => Ok(()),
            Some(why) => {
                Err(LogError::new(LogErrorKind::Lost, format!("the process's share of the work is lost: {why}")))
            }
        }
    }
}
