//! Which processes have the rows of a store: for programs that send their users there themselves.
//!
//! Rule: it is what the processes said of themselves some seconds ago at most; whoever is sent somewhere may be sent on.

use super::StoreQuery;
use crate::error::Error;
use crate::runtime::Instance;

/// Where the row of a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOwner {
    /// The partition of the key.
    pub partition: u32,
    /// The process that runs the partition; `None` while it is on its way from one to another.
    pub active: Option<Instance>,
    /// Those that keep it on standby.
    pub standbys: Vec<Instance>,
}

impl StoreQuery {
    /// Where the row of a key is, by the key's bytes; `None` where there is no partition at all.
    pub fn owner(&self, key: &[u8]) -> Result<Option<KeyOwner>, Error> {
        let place = self.place()?;
        let Some(partition) = place.partition_of(key) else { return Ok(None) };
        let all = self.shared().instances();
        let is_global = self.shared().shape().reads.is_global(place.subtopology);
        // Every process has the rows of global stores for itself.
        let runs = |instance: &&Instance| {
            if is_global { instance.is_here } else { instance.runs(place.subtopology, partition) }
        };
        let keeps = |instance: &&Instance| instance.standby(place.subtopology, partition).is_some();
        let active = all.iter().find(runs).cloned();
        Ok(Some(KeyOwner { partition, active, standbys: all.iter().filter(keeps).cloned().collect() }))
    }

    /// The processes that have a part of the store, to run it or on standby.
    pub fn instances(&self) -> Result<Vec<Instance>, Error> {
        let place = self.place()?;
        let is_global = self.shared().shape().reads.is_global(place.subtopology);
        let has = |instance: &Instance| {
            let part = |partition| {
                instance.runs(place.subtopology, partition) || instance.standby(place.subtopology, partition).is_some()
            };
            is_global || (0..place.tasks).any(part)
        };
        Ok(self.shared().instances().into_iter().filter(has).collect())
    }
}
