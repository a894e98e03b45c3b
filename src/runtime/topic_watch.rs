//! Looks for topics that sources by pattern do not read yet.
//!
//! Rule: a topic that cannot be read with the others, because its number of partitions does not fit, is left out and named once; it
//! never ends what runs.

use std::sync::Arc;
use std::time::Duration;

use tidemill_dsl::record::{Offset, Timestamp, TopicName};

use super::reads::Reads;
use super::shape::{Shape, has_patterns, names_in};
use super::shared::Shared;
use super::task_maker::TaskMaker;
use crate::error::Error;
use crate::log::InputProgress;

/// When it was looked for topics, and what was found that does not fit.
pub(super) struct TopicWatch {
    every: Duration,
    looked: Timestamp,
    refused: Vec<TopicName>,
}

impl TopicWatch {
    /// That of an application; `None` if it reads topics by their names alone.
    pub(super) fn of(shared: &Shared, every: Duration) -> Option<TopicWatch> {
        let looked = shared.clock.now();
        has_patterns(&shared.topology).then_some(TopicWatch { every, looked, refused: Vec::new() })
    }

    /// How soon it is to be looked again.
    pub(super) fn due(&self, now: Timestamp) -> Duration {
        let passed = u64::try_from(now.as_millis().saturating_sub(self.looked.as_millis())).unwrap_or(0);
        self.every.saturating_sub(Duration::from_millis(passed))
    }

    /// What is to be read from now on, if it is time to look and that is something else.
    pub(super) fn look(&mut self, shared: &Shared, maker: &TaskMaker) -> Option<Arc<Shape>> {
        let now = shared.clock.now();
        if !self.due(now).is_zero() {
            return None;
        }
        self.looked = now;
        match self.find(shared, maker) {
            Ok(shape) => shape,
            Err(error) => {
                tracing::warn!(%error, "topics that came later are not read");
                None
            }
        }
    }

    fn find(&mut self, shared: &Shared, maker: &TaskMaker) -> Result<Option<Arc<Shape>>, Error> {
        let names = names_in(&*shared.log)?;
        let reads = Reads::of(&shared.topology, &shared.application, &names);
        if reads.by_subtopology() == shared.shape().reads.by_subtopology() || names == self.refused {
            return Ok(None);
        }
        let changelog = maker.settings.changelog;
        let shape =
            Shape::make(&shared.topology, &shared.application, changelog, &maker.topics, names.clone(), |_| Ok(()));
        let shape = shape.inspect_err(|_| self.refused = names)?;
        // Who waits for a position in them finds them not at all otherwise.
        let known = shared.shape();
        let new = shape.inputs.iter().filter(|input| !known.inputs.contains(input));
        let begin = |next: Offset| InputProgress { next, partition_time: None };
        let begun = new.map(|input| Ok((input.clone(), begin(shared.log.bounds(input)?.start))));
        shared.committed.reached(&begun.collect::<Result<_, Error>>()?);
        Ok(Some(Arc::new(shape)))
    }
}
