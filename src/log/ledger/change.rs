//! What one commit, append or topic creation changes: applied as a whole or not at all.

use std::sync::Arc;

use tidemill_dsl::record::{Batch, Offset};

use super::book::PartitionId;
use crate::log::{InputProgress, TopicSpec};

/// Whose notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::log) enum NoteOwner {
    /// An application, by its commits.
    Application(String),
    /// A scope of `Log::append`.
    Scope(String),
}

/// One note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::log) struct Note {
    pub(in crate::log) owner: NoteOwner,
    pub(in crate::log) name: String,
    pub(in crate::log) value: Vec<u8>,
}

/// How far an application has read one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::log) struct Step {
    pub(in crate::log) application: String,
    pub(in crate::log) partition: PartitionId,
    pub(in crate::log) progress: InputProgress,
}

/// A change of a log. Batches carry the offsets at which they will stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::log) struct Change {
    /// New topics, each with the number of its first partition.
    pub(in crate::log) topics: Vec<(TopicSpec, PartitionId)>,
    pub(in crate::log) batches: Vec<(PartitionId, Arc<Batch>)>,
    /// Applications of which nothing is known any more, but for the steps and notes of this same change.
    pub(in crate::log) forgotten: Vec<String>,
    pub(in crate::log) steps: Vec<Step>,
    pub(in crate::log) notes: Vec<Note>,
    /// Partitions that now begin later.
    pub(in crate::log) starts: Vec<(PartitionId, Offset)>,
    /// Partitions of deleted topics: the first one, and how many.
    pub(in crate::log) gone: Vec<(PartitionId, u32)>,
    /// Partitions from which tombstones are removed, each with the offset after the last such tombstone.
    pub(in crate::log) complete_from: Vec<(PartitionId, Offset)>,
}

impl Change {
    pub(in crate::log) fn is_empty(&self) -> bool {
        self.topics.is_empty()
            && self.batches.is_empty()
            && self.forgotten.is_empty()
            && self.steps.is_empty()
            && self.notes.is_empty()
            && self.starts.is_empty()
            && self.gone.is_empty()
            && self.complete_from.is_empty()
    }
}
