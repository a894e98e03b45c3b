//! What is asked of every world and every way to it.

use std::sync::Arc;

use tidemill::record::{StoredRecord, TopicName};

use super::event::Event;
use super::look::Look;
use super::model::Model;

/// A question about a world.
pub(super) type Holds = Arc<dyn for<'l, 'a, 'm> Fn(&'l mut Look<'a, 'm>) -> bool>;
/// A question about a record that is processed next, in the world before.
pub(super) type HoldsBefore = Arc<dyn for<'l, 'a, 'm> Fn(&StoredRecord<'_>, &'l mut Look<'a, 'm>) -> bool>;
/// A question about a record.
pub(super) type IsBad = Arc<dyn Fn(&StoredRecord<'_>) -> bool>;

/// What has to agree in all runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confluence {
    /// The topic's records, in their order.
    Exact,
    /// The records of each key, in their order.
    PerKey,
    /// The last record of each key.
    FinalTable,
}

/// A property with its name.
#[derive(Clone)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Clone)]
pub(super) enum Kind {
    /// No task fails.
    NoFailure,
    /// No record like that can be read by anybody.
    NeverOutput { topic: TopicName, is_bad: IsBad },
    /// In every world.
    Always(Holds),
    /// In every world in which a record of the topic is processed next.
    Before { topic: TopicName, holds: HoldsBefore },
    /// In some world.
    Sometimes(Holds),
    /// In every world in which nothing is left to do.
    AtQuiescence(Holds),
    /// All runs end with the same records of a topic.
    Confluent { topic: TopicName, how: Confluence },
    /// Which of two moments comes first.
    Order([Moment; 2]),
    /// Every outcome with crashes and rebalances is one without.
    RefinesCrashFree,
}

impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// A moment on a way: something happens to the record with a number of a topic, counted from 0 as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    topic: TopicName,
    number: u8,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Processed,
    Visible,
}

impl Moment {
    /// A task has processed the topic's record of this number.
    pub fn processed<K, V>(topic: &tidemill::Topic<K, V>, number: u8) -> Self {
        Moment { topic: topic.name().into(), number, what: What::Processed }
    }

    /// The topic's record of this number can be read by everybody.
    pub fn visible<K, V>(topic: &tidemill::Topic<K, V>, number: u8) -> Self {
        Moment { topic: topic.name().into(), number, what: What::Visible }
    }

    fn happens(&self, event: &Event, model: &Model) -> bool {
        let log = match (self.what, event) {
            (What::Processed, Event::Processed { log, .. }) | (What::Visible, Event::Visible { log, .. }) => *log,
            _ => return false,
        };
        model.partitions[log].topic == self.topic
    }
}

/// Which of two moments came first on a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    Neither,
    One(usize),
    Both { first: usize },
}

/// What an order remembers of a way: how often each kind of moment came, and which was first.
const MEMORY: usize = 3;

impl First {
    /// From what is remembered.
    pub(super) fn of(byte: u8) -> Self {
        match byte {
            1 | 2 => First::One(usize::from(byte - 1)),
            3 | 4 => First::Both { first: usize::from(byte - 3) },
            _ => First::Neither,
        }
    }

    /// As it is remembered.
    pub(super) fn byte(self) -> u8 {
        match self {
            First::Neither => 0,
            First::One(which) => u8::try_from(which).unwrap_or(0) + 1,
            First::Both { first } => u8::try_from(first).unwrap_or(0) + 3,
        }
    }

    fn and(self, which: usize) -> Self {
        match self {
            First::Neither => First::One(which),
            First::One(first) if first != which => First::Both { first },
            same => same,
        }
    }
}

/// What all properties together remember at the beginning.
pub(super) fn no_memory(properties: &[Property]) -> Vec<u8> {
    let orders = properties.iter().filter(|property| matches!(property.kind, Kind::Order(_))).count();
    vec![0; orders * MEMORY]
}

/// Remembers what happened, for the properties that ask for the way.
pub(super) fn remember(properties: &[Property], model: &Model, events: &[Event], memory: &mut [u8]) {
    let orders = properties.iter().filter_map(|property| match &property.kind {
        Kind::Order(moments) => Some(moments),
        _ => None,
    });
    for (moments, memory) in orders.zip(memory.chunks_mut(MEMORY)) {
        for event in events {
            for (which, moment) in moments.iter().enumerate() {
                if moment.happens(event, model) {
                    if memory[which] == moment.number {
                        memory[2] = First::of(memory[2]).and(which).byte();
                    }
                    memory[which] = memory[which].saturating_add(1).min(moment.number.saturating_add(1));
                }
            }
        }
    }
}

/// What the order with this number among the orders remembers.
pub(super) fn first_of(order: usize, memory: &[u8]) -> First {
    First::of(memory[order * MEMORY + 2])
}
