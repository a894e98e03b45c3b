//! The processes of an application, as they know one another.
//!
//! Rule: each process says of itself what it has, and nobody else does; what is known of the others may be some seconds old, so
//! whoever is sent to one of them asks it, and believes its answer.

mod placement;
mod registry;
mod row;

use std::fmt;

use tidemill_dsl::record::{Offset, Timestamp};

use super::Position;
use crate::task::TaskId;

pub(super) use placement::standbys_of;
pub(super) use registry::{Registry, RegistryThread, is_topic};

/// A process of an application: what it works on, and what it keeps for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// What tells it from the others; the same after a restart if it has a state folder.
    pub id: String,
    /// Where it answers queries, `host:port`, if it does.
    pub address: Option<String>,
    /// Whether it is this process.
    pub is_here: bool,
    /// The tasks that it runs.
    pub active: Vec<ActiveTask>,
    /// The tasks that run elsewhere and whose stores it keeps too.
    pub standbys: Vec<StandbyTask>,
    /// In how many processes besides its own it wants each task's stores kept (`Settings::standbys`); with 0 it keeps none itself.
    pub keeps_standbys: usize,
    /// When it last said so, by its own clock.
    pub seen: Timestamp,
}

/// A task that a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveTask {
    /// Which task.
    pub task: TaskId,
    /// How far its inputs were at a commit.
    pub position: Position,
}

/// A task whose stores a process keeps for the case that it gets the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandbyTask {
    /// Which task.
    pub task: TaskId,
    /// Its stores.
    pub stores: Vec<StandbyStore>,
}

/// How far a store on standby is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandbyStore {
    /// The store's name.
    pub store: String,
    /// The offset of its changelog that it goes on with.
    pub reached: Offset,
    /// Where the changelog ended when it was last looked at.
    pub end: Offset,
}

impl StandbyStore {
    /// How many offsets of the changelog it lacked when that was last looked at.
    pub fn lag(&self) -> u64 {
        self.end.get().saturating_sub(self.reached.get())
    }
}

impl StandbyTask {
    /// The lag of all its stores together.
    pub fn lag(&self) -> u64 {
        self.stores.iter().map(StandbyStore::lag).sum()
    }
}

impl Instance {
    /// Whether it runs a task of a sub-topology and partition.
    pub(super) fn runs(&self, subtopology: usize, partition: u32) -> bool {
        self.active.iter().any(|active| is_of(&active.task, subtopology, partition))
    }

    /// What it keeps of a task of a sub-topology and partition.
    pub(super) fn standby(&self, subtopology: usize, partition: u32) -> Option<&StandbyTask> {
        self.standbys.iter().find(|standby| is_of(&standby.task, subtopology, partition))
    }
}

/// All as text: of each its id in brackets and then what its row says.
#[cfg(feature = "http")]
pub(super) fn as_text(all: &[Instance]) -> String {
    all.iter().map(|instance| format!("[{}]\n{}", instance.id, row::write(instance))).collect()
}

fn is_of(task: &TaskId, subtopology: usize, partition: u32) -> bool {
    task.partition == partition && task.subtopologies.contains(&subtopology)
}

/// Its id, and its address if it has one.
impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Some(address) => write!(f, "instance `{}` at {address}", self.id),
            None => write!(f, "instance `{}`", self.id),
        }
    }
}
