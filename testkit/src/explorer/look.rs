//! A look at one world, for the properties of users.

use std::sync::Arc;

use tidemill::Topic;
use tidemill::record::{Batch, StoredRecord};
use tidemill::serde::Data;
use tidemill::state::Store;

use super::machine::Machine;
use super::world::{RecordState, World};

/// What a property looks at: the log, the stores and the positions of the application at one moment.
pub struct Look<'a, 'm> {
    machine: &'a mut Machine<'m>,
    world: &'a World,
}

impl<'a, 'm> Look<'a, 'm> {
    pub(super) fn new(machine: &'a mut Machine<'m>, world: &'a World) -> Self {
        Look { machine, world }
    }

    /// What a reader outside the application gets from a topic: keys and values, partition by partition in their order.
    ///
    /// # Panics
    ///
    /// When a record is not of the topic's types.
    pub fn output<K: Data, V: Data>(&self, topic: &Topic<K, V>) -> Vec<(K, V)> {
        let logs = self.machine.model.logs_of(topic.name());
        logs.flat_map(|log| self.world.logs[log].committed()).map(|record| typed(topic, record)).collect()
    }

    /// What the application has written to a topic, whether it can be read yet or not: what lies there, and what is on its
    /// way. What was taken back is not in it.
    ///
    /// # Panics
    ///
    /// As [`output`](Self::output).
    pub fn written<K: Data, V: Data>(&self, topic: &Topic<K, V>) -> Vec<(K, V)> {
        let mut written = Vec::new();
        for log in self.machine.model.logs_of(topic.name()) {
            let lying = self.world.logs[log].records().iter().filter(|record| record.state != RecordState::Aborted);
            written.extend(lying.map(|record| typed(topic, &record.batch)));
            let sending = self.world.members.iter().flat_map(|member| member.sending.get(&log)).flatten();
            written.extend(sending.map(|record| typed(topic, record)));
        }
        written
    }

    /// How many records of a topic the tasks are past. Of a topic that fills global stores: the first process.
    pub fn processed<K: Data, V: Data>(&mut self, topic: &Topic<K, V>) -> u64 {
        let mut processed = 0;
        let mut global_counted = false;
        for member in self.world.members.iter().filter(|member| !member.zombie) {
            for held in &member.tasks {
                let place = &self.machine.model.tasks[held.task];
                if place.is_global && std::mem::replace(&mut global_counted, true) {
                    continue;
                }
                let of_topic = |log: usize| *self.machine.model.partitions[log].topic == *topic.name();
                let queues: Vec<usize> =
                    place.inputs.iter().filter(|(_, log)| of_topic(**log)).map(|(queue, _)| *queue).collect();
                let task = self.machine.set(held);
                processed += queues.iter().map(|queue| task.position(*queue).get()).sum::<u64>();
            }
        }
        processed
    }

    /// The value of a key in a store, as its task has it now, committed or not. Of a global store: as the first process has it.
    ///
    /// # Panics
    ///
    /// When no task has the store, or it has other types.
    pub fn store<K: 'static, V: Send + 'static>(&mut self, store: &Store<K, V>, key: &K) -> Option<V> {
        let mut found = None;
        let mut known = false;
        for held in self.world.members.iter().filter(|member| !member.zombie).flat_map(|member| &member.tasks) {
            let is_global = self.machine.model.tasks[held.task].is_global;
            let row = self.machine.set(held).with_stores(|task| {
                let opened = task.state().open(store);
                let mut rows = opened.unwrap_or_else(|error| panic!("{error}"))?;
                known = true;
                let value = rows.get(key).unwrap_or_else(|error| panic!("{error}"));
                value.map(|value| copy(store, value))
            });
            found = found.or(row);
            if known && is_global {
                break;
            }
        }
        assert!(known, "no task has a store `{}`", store.name());
        found
    }
}

fn copy<K: 'static, V: 'static>(store: &Store<K, V>, value: &V) -> V {
    let mut bytes = Vec::new();
    let values = store.value_serde();
    let copied = values.write(value, &mut bytes).and_then(|()| values.read(&bytes));
    copied.unwrap_or_else(|error| panic!("a row of store `{}` cannot be copied: {error}", store.name()))
}

fn typed<K: Data, V: Data>(topic: &Topic<K, V>, record: &Arc<Batch>) -> (K, V) {
    let record = record.records();
    let record = record.peek().expect("a batch of one record");
    read(topic, &record)
}

/// Key and value of a record.
pub(super) fn read<K: Data, V: Data>(topic: &Topic<K, V>, record: &StoredRecord<'_>) -> (K, V) {
    let wrong = |error| panic!("a record of topic `{}` cannot be read: {error}", topic.name());
    let key = topic.key_serde().read_nullable(record.key).unwrap_or_else(wrong);
    let wrong = |error| panic!("a record of topic `{}` cannot be read: {error}", topic.name());
    (key, topic.value_serde().read_nullable(record.value).unwrap_or_else(wrong))
}
