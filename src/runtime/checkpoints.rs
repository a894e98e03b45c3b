//! Opens the stores on disk of an application's tasks.
//!
//! Rule: a store is only ever opened as what it was made as, unless the program decides about it. One of another shape is refused, and
//! nothing is changed; one whose changelog was deleted, also if another one has its name now, is wiped, and that is said aloud.

use tidemill_dsl::processor::BoxError;
use tidemill_dsl::state::{ByteStore, Changelog, Persistence, StoreSpec};
use tidemill_dsl::topology::changelog_topic;

use super::program::{Decisions, may_adopt};
use crate::log::{Log, LogError, TopicId};
use crate::store::{Label, Stores};

/// Where stores on disk lie, and what they belong to.
pub(super) struct Checkpoints<'a> {
    pub(super) stores: &'a Stores,
    pub(super) log: &'a dyn Log,
    pub(super) application: &'a str,
    /// What a changelog gets where the topology does not say.
    pub(super) changelog: Changelog,
    /// What the program says about stores that do not fit.
    pub(super) decisions: &'a Decisions,
}

impl Checkpoints<'_> {
    /// Opens a store of one partition; `None` for one that is not kept on disk.
    pub(super) fn open(&self, spec: &StoreSpec, partition: u32) -> Result<Option<Box<dyn ByteStore>>, BoxError> {
        if spec.persistence() != Persistence::Disk {
            return Ok(None);
        }
        let label = Label { shape: spec.shape().to_owned(), topic: self.origin(spec)? };
        let mut known = self.stores.label(spec.name(), partition)?;
        if let Some(made) = &known
            && self.must_go(spec, made, &label)?
        {
            self.stores.remove(spec.name(), partition)?;
            known = None;
        }
        let store = self.stores.open_store(spec.name(), partition)?;
        if known.as_ref() != Some(&label) {
            self.stores.set_label(spec.name(), partition, &label)?;
        }
        Ok(Some(store))
    }

    /// Whether the rows of a store are of no use to the program; an error where it has to say so itself.
    fn must_go(&self, spec: &StoreSpec, made: &Label, label: &Label) -> Result<bool, BoxError> {
        let name = &**spec.name();
        let (is_adopted, is_dropped) = (self.decisions.adopted.contains(name), self.decisions.dropped.contains(name));
        let is_same = made.shape == label.shape || (is_adopted && may_adopt(&made.shape, &label.shape));
        if is_dropped && (!is_same || made.topic.is_some() != label.topic.is_some()) {
            tracing::warn!(store = name, "its rows are deleted, as the program says");
            return Ok(true);
        }
        if !is_same {
            return Err(self.other_shape(spec, &made.shape).into());
        }
        let was_made_again = made.topic.zip(label.topic).is_some_and(|(made_by, now)| made_by != now);
        if was_made_again {
            tracing::warn!(
                store = name,
                "the topic that the store's rows come from was deleted and made again: the store is wiped and restored from what the \
                 new one has"
            );
        }
        Ok(was_made_again)
    }

    /// The topic that a store is restored from.
    fn origin(&self, spec: &StoreSpec) -> Result<Option<TopicId>, LogError> {
        let logged = spec.changelog_declared().unwrap_or(self.changelog) != Changelog::Off;
        match spec.source_topic() {
            _ if logged => self.log.topic_id(&changelog_topic(self.application, spec.name())),
            Some(topic) => self.log.topic_id(topic),
            None => Ok(None),
        }
    }

    fn other_shape(&self, spec: &StoreSpec, known: &str) -> String {
        format!(
            "store `{}` of application `{}` was made as `{known}`, and the program declares it as `{}`: give the store a name \
             that was not used before, declare it as it was, or call `adopt` if its bytes can be read so; nothing was changed",
            spec.name(),
            self.application,
            spec.shape()
        )
    }
}
