//! What a table's function may do with a row: use stores and look at times. It cannot forward.

use super::context::NodeHead;
use super::{Address, ProcessError, TaskState};
use crate::record::{Headers, Timestamp};
use crate::state::{Descriptor, Readable};

/// What a function of [`transform_values`](crate::stream::Table::transform_values) may do while it runs.
pub struct RowContext<'a> {
    node: &'a NodeHead,
    task: &'a mut TaskState,
    timestamp: Option<Timestamp>,
    headers: &'a Headers,
    /// Whether the row changes now, and is not only looked up.
    changes: bool,
}

impl<'a> RowContext<'a> {
    /// For a row that changes.
    pub(crate) fn of_change(
        node: &'a NodeHead,
        task: &'a mut TaskState,
        timestamp: Timestamp,
        headers: &'a Headers,
    ) -> Self {
        RowContext { node, task, timestamp: Some(timestamp), headers, changes: true }
    }

    /// For a row that another node looks up.
    pub(crate) fn of_lookup(node: &'a NodeHead, task: &'a mut TaskState, timestamp: Option<Timestamp>) -> Self {
        RowContext { node, task, timestamp, headers: &Headers::NONE, changes: false }
    }

    /// The time of the change, or, for a row that is looked up, of the row; `None` for one that is not there.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// The headers of the record that makes the change; none for a row that is looked up.
    pub fn headers(&self) -> &Headers {
        self.headers
    }

    /// The record that makes the change: topic, partition and offset; `None` for a row that is looked up.
    pub fn address(&self) -> Option<&Address> {
        self.task.address().filter(|_| self.changes)
    }

    /// The partition number that this task works on.
    pub fn partition(&self) -> u32 {
        self.task.partition()
    }

    /// The greatest record time that the task has seen, that of the current record included.
    pub fn stream_time(&self) -> Option<Timestamp> {
        self.task.stream_time()
    }

    /// The wall-clock time, from the application's clock.
    pub fn now(&self) -> Timestamp {
        self.task.now()
    }

    /// A store that was named where the function was given.
    pub fn store<D: Descriptor>(&mut self, store: &D) -> Result<D::Access<'_>, ProcessError> {
        self.node.open(self.task, store)
    }

    /// Looks at a store that was named where the function was given, or at any global one. See
    /// [`NodeContext::read`](super::NodeContext::read).
    pub fn read<D: Readable, R>(
        &mut self,
        store: &D,
        look: impl FnOnce(&mut D::Reader<'_>) -> Result<R, ProcessError>,
    ) -> Result<R, ProcessError> {
        self.node.look(self.task, store, look)
    }
}
