//! What a store is restored from, and how far it has come there.

use tidemill_dsl::record::{Offset, StoredRecord, TopicPartition};
use tidemill_dsl::state::Changelog;
use tidemill_dsl::topology::changelog_topic;

use crate::error::Error;
use crate::log::{Bounds, Log, Session};
use crate::task::Task;

/// What a store is restored from.
#[derive(Clone)]
pub(super) enum Origin {
    /// Its changelog.
    Changelog(TopicPartition),
    /// The topic that its rows are read from, by a queue of its task.
    Source { input: TopicPartition, queue: usize },
}

impl Origin {
    /// That of a store of a task; `None` for one without.
    pub(super) fn of(task: &mut Task, store: usize, application: &str) -> Option<Origin> {
        if let Some(queue) = task.source_of(store) {
            let input = task.inputs().find(|(number, _)| *number == queue)?.1.clone();
            return Some(Origin::Source { input, queue });
        }
        let partition = task.id().partition;
        let (_, store) = task.state().stores().find(|(number, _)| *number == store)?;
        let logged = store.changelog() != Changelog::Off;
        logged.then(|| Origin::Changelog(TopicPartition::new(changelog_topic(application, store.name()), partition)))
    }

    pub(super) fn partition(&self) -> &TopicPartition {
        match self {
            Origin::Changelog(partition) | Origin::Source { input: partition, .. } => partition,
        }
    }

    /// The records that the store reflects when it is restored: a changelog's all, and of a topic those that the task has
    /// processed, as it goes on with the next one.
    pub(super) fn bounds(&self, task: &Task, log: &dyn Log) -> Result<Bounds, Error> {
        Ok(match self {
            // Another process may have written it up to now.
            Origin::Changelog(changelog) => log.settled(changelog)?,
            Origin::Source { queue, input } => Bounds { end: task.position(*queue), ..log.bounds(input)? },
        })
    }

    /// Whether a record changed the store.
    pub(super) fn changes(&self, task: &Task, record: &StoredRecord<'_>) -> bool {
        match self {
            Origin::Changelog(_) => true,
            Origin::Source { queue, .. } => task.makes_row(*queue, record),
        }
    }

    /// The offset after the last record that the store reflects right after a commit.
    pub(super) fn reached(&self, task: &Task, session: &dyn Session) -> Result<Offset, Error> {
        match self {
            Origin::Changelog(changelog) => Ok(session.end(changelog)?),
            Origin::Source { queue, .. } => Ok(task.position(*queue)),
        }
    }
}
