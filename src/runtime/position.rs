//! Places in input topics: what a record got, and what an answer reflects.

use std::collections::BTreeMap;
use std::fmt;

use tidemill_dsl::record::{Offset, TopicPartition};

/// Where a record that was sent lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Topic and partition.
    pub partition: TopicPartition,
    /// The offset.
    pub offset: Offset,
}

/// How far each of some partitions is: the offset after the last record that counts.
///
/// What [`App::send`](crate::App::send) returns is one, and so is what a feed's batch returns; several are
/// [merged](Position::merge) to the greatest of each partition. An answer to a query says its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position(BTreeMap<TopicPartition, Offset>);

impl Position {
    /// Nothing yet, of no partition.
    pub fn new() -> Self {
        Position::default()
    }

    /// The offset after the last record of a partition that counts.
    pub fn next(&self, partition: &TopicPartition) -> Option<Offset> {
        self.0.get(partition).copied()
    }

    /// Raises one partition, where it is not there already.
    pub fn reach(&mut self, partition: &TopicPartition, next: Offset) {
        match self.0.get_mut(partition) {
            Some(known) => *known = next.max(*known),
            None => drop(self.0.insert(partition.clone(), next)),
        }
    }

    /// Raises every partition to where `other` is.
    pub fn merge(&mut self, other: &Position) {
        other.0.iter().for_each(|(partition, next)| self.reach(partition, *next));
    }

    /// Whether this is nowhere behind `other`.
    pub fn covers(&self, other: &Position) -> bool {
        self.missing(other).next().is_none()
    }

    /// Where this is behind `other`.
    pub(super) fn missing<'a>(&'a self, other: &'a Position) -> impl Iterator<Item = (&'a TopicPartition, Offset)> {
        let behind = |(partition, next): &(&TopicPartition, Offset)| self.next(partition).unwrap_or_default() < *next;
        other.iter().filter(behind)
    }

    /// The partitions, by topic and number.
    pub fn iter(&self) -> impl Iterator<Item = (&TopicPartition, Offset)> {
        self.0.iter().map(|(partition, next)| (partition, *next))
    }
}

impl From<&Sent> for Position {
    fn from(sent: &Sent) -> Self {
        Position(BTreeMap::from([(sent.partition.clone(), sent.offset.next())]))
    }
}

impl From<Sent> for Position {
    fn from(sent: Sent) -> Self {
        Position::from(&sent)
    }
}

impl From<&Position> for Position {
    fn from(position: &Position) -> Self {
        position.clone()
    }
}

impl FromIterator<(TopicPartition, Offset)> for Position {
    fn from_iter<I: IntoIterator<Item = (TopicPartition, Offset)>>(all: I) -> Self {
        let mut position = Position::new();
        all.into_iter().for_each(|(partition, next)| position.reach(&partition, next));
        position
    }
}

/// Topic, partition and next offset of each: `orders-0@17 orders-1@4`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (partition, next)) in self.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{partition}@{next}")?;
        }
        Ok(())
    }
}

/// A text is no position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPosition(String);

impl fmt::Display for NoPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no position: it has the form `topic-0@17`, with a space between two", self.0)
    }
}

impl std::error::Error for NoPosition {}

/// Reads what `Display` writes, so that a client can be given a position and bring it back.
impl std::str::FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let one = |part: &str| {
            let (partition, next) = part.rsplit_once('@')?;
            let (topic, number) = partition.rsplit_once('-')?;
            Some((TopicPartition::new(topic, number.parse().ok()?), Offset::new(next.parse().ok()?)))
        };
        text.split_whitespace().map(|part| one(part).ok_or_else(|| NoPosition(part.to_owned()))).collect()
    }
}
