//! Sinks: where records leave, as bytes.

use std::sync::Arc;

use super::{SinkTopic, TopicRef};
use crate::processor::{Address, DropReason, Flow, PlacedBy, ProcessError, Push, Stage, StreamOf, TaskState};
use crate::record::{Headers, Partitioner, Partitions, Record, Timestamp};
use crate::serde::SerdeRef;
use crate::topic::Topic;

/// What a function that chooses a sink's topic may look at besides key and value.
#[derive(Clone, Copy, Debug)]
pub struct RecordContext<'a> {
    /// Topic, partition and offset of the record that is being processed.
    pub address: Option<&'a Address>,
    /// The time of the record that is written.
    pub timestamp: Timestamp,
    /// Its headers.
    pub headers: &'a Headers,
}

pub(crate) type ChooseTopic<K, V> = dyn Fn(&K, &V, RecordContext<'_>) -> Result<String, ProcessError> + Send + Sync;

/// Where a sink node writes, and how.
pub struct Sink<K: 'static, V: 'static> {
    pub(crate) to: Target<K, V>,
    pub(crate) key: SerdeRef<K>,
    pub(crate) value: SerdeRef<V>,
    pub(crate) partitioner: Option<Arc<dyn Partitioner<K, V>>>,
}

pub(crate) enum Target<K, V> {
    Fixed(TopicRef),
    Chosen(Arc<ChooseTopic<K, V>>),
}

impl<K: 'static, V: 'static> Sink<K, V> {
    /// Writes to one topic.
    pub fn topic(topic: &Topic<K, V>) -> Self {
        Sink::new(Target::Fixed(TopicRef::External(topic.name().into())), topic.key_serde(), topic.value_serde())
    }

    /// Writes each record to the topic that `choose` names. It must exist.
    pub fn chosen<E: Into<ProcessError>>(
        choose: impl Fn(&K, &V, RecordContext<'_>) -> Result<String, E> + Send + Sync + 'static,
        key: &SerdeRef<K>,
        value: &SerdeRef<V>,
    ) -> Self {
        let choose =
            move |key: &K, value: &V, context: RecordContext<'_>| choose(key, value, context).map_err(Into::into);
        Sink::new(Target::Chosen(Arc::new(choose)), key, value)
    }

    pub(crate) fn internal(name: &str, key: &SerdeRef<K>, value: &SerdeRef<V>) -> Self {
        Sink::new(Target::Fixed(TopicRef::Internal(name.into())), key, value)
    }

    fn new(to: Target<K, V>, key: &SerdeRef<K>, value: &SerdeRef<V>) -> Self {
        Sink { to, key: key.clone(), value: value.clone(), partitioner: None }
    }

    /// Chooses partitions otherwise than by the key's bytes.
    #[must_use]
    pub fn partitioner(self, partitioner: impl Partitioner<K, V>) -> Self {
        Sink { partitioner: Some(Arc::new(partitioner)), ..self }
    }

    pub(crate) fn kind(&self) -> SinkTopic {
        match &self.to {
            Target::Fixed(topic) => SinkTopic::Fixed(topic.clone()),
            Target::Chosen(_) => SinkTopic::Chosen,
        }
    }
}

pub(crate) struct SinkNode<K: 'static, V: 'static> {
    pub(crate) name: Arc<str>,
    /// The topic's number among the program's outputs; `None`: chosen for each record.
    pub(crate) output: Option<usize>,
    pub(crate) sink: Sink<K, V>,
}

impl<K: 'static, V: 'static> SinkNode<K, V> {
    fn send(&self, record: Record<'_, K, V>, task: &mut TaskState) -> Flow {
        // What the program chooses is its own code; what follows is the writing.
        let chosen = match &self.sink.to {
            Target::Chosen(choose) => {
                let context =
                    RecordContext { address: task.address(), timestamp: record.timestamp, headers: record.headers };
                Some(choose(record.key, record.value, context)?)
            }
            Target::Fixed(_) => None,
        };
        self.write(chosen.as_deref(), record, task).map_err(|error| error.at_stage(Stage::Production))
    }

    fn write(&self, chosen: Option<&str>, record: Record<'_, K, V>, task: &mut TaskState) -> Flow {
        let topic = match chosen {
            Some(name) => task.outputs().number_of(name)?,
            None => self.output.expect("a fixed topic is numbered when the program is made"),
        };
        let serdes = (&*self.sink.key, &*self.sink.value);
        let parts = (record.key, record.value, record.timestamp, record.headers);
        let placed_by = match &self.sink.to {
            Target::Fixed(TopicRef::Internal(_)) => PlacedBy::AllOfIt,
            Target::Fixed(TopicRef::External(_)) | Target::Chosen(_) => PlacedBy::Key,
        };
        let Some(partitioner) = &self.sink.partitioner else {
            return task.outputs().send(topic, placed_by, serdes, parts);
        };
        match task.outputs().choose(topic, &**partitioner, serdes, parts)? {
            Partitions::Default => task.outputs().send(topic, placed_by, serdes, parts),
            Partitions::These(set) => {
                set.as_slice().iter().try_for_each(|partition| task.outputs().send_to(topic, *partition, serdes, parts))
            }
            Partitions::Drop => {
                task.drop_record(DropReason::NoPartition);
                Ok(())
            }
        }
    }
}

impl<K: 'static, V: 'static> Push<StreamOf<K, V>> for SinkNode<K, V> {
    fn push(&self, record: Record<'_, K, V>, task: &mut TaskState) -> Flow {
        let blame = Blame { node: &self.name, task: &mut *task };
        let flow = self.send(record, blame.task);
        std::mem::forget(blame);
        flow.or_else(|error| task.failed_in(&self.name, error))
    }
}

/// Dropped only when the user code of a sink panics: then the task is told which node that was.
struct Blame<'a> {
    node: &'a Arc<str>,
    task: &'a mut TaskState,
}

impl Drop for Blame<'_> {
    fn drop(&mut self) {
        self.task.panicked_in(self.node);
    }
}
