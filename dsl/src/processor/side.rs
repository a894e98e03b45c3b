//! Where records go that a node drops, if the program wants to see them: a topic beside those that it goes on to.

use std::sync::Arc;

use super::{DropReason, Flow, Push, StreamOf, TaskState};
use crate::record::Record;

/// The side output of a node: the sink of the records that it drops, if there is one.
pub(crate) struct SideOutput<K: 'static, V: 'static>(Option<Arc<dyn Push<StreamOf<K, V>>>>);

impl<K: 'static, V: 'static> SideOutput<K, V> {
    pub(crate) fn new(sink: Option<Arc<dyn Push<StreamOf<K, V>>>>) -> Self {
        SideOutput(sink)
    }

    /// Counts a record that is dropped, and hands it to the side output.
    #[cold]
    pub(crate) fn drop_record(&self, record: Record<'_, K, V>, reason: DropReason, task: &mut TaskState) -> Flow {
        task.drop_record(reason);
        self.0.as_ref().map_or(Ok(()), |sink| sink.push(record, task))
    }
}
