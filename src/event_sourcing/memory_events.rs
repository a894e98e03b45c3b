//! Events in memory, for tests: as strict about versions as a topic.

use std::future::{Future, ready};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidemill_dsl::event_sourcing::Aggregate;

use super::{Batches, EventBatch, Loaded, Provider, Recorded, SaveError};
use crate::error::Error;

type Event<A> = Recorded<<A as Aggregate>::Key, <A as Aggregate>::Event>;

/// Events in memory. They are gone with it.
pub struct MemoryEvents<A: Aggregate>(Mutex<Vec<Event<A>>>);

impl<A: Aggregate> Default for MemoryEvents<A> {
    fn default() -> Self {
        MemoryEvents(Mutex::default())
    }
}

impl<A: Aggregate> MemoryEvents<A> {
    fn lock(&self) -> MutexGuard<'_, Vec<Event<A>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A> Provider<A> for MemoryEvents<A>
where
    A: Aggregate<Key: Clone + PartialEq, Event: Clone>,
{
    fn fetch_all(&self, batch: usize) -> Result<Batches<'_, A>, Error> {
        let events = self.lock().clone();
        let (total, batch) = (events.len() as u64, batch.max(1));
        let mut rest = events.into_iter();
        let mut read = 0;
        Ok(Box::new(std::iter::from_fn(move || {
            let events: Vec<Event<A>> = rest.by_ref().take(batch).collect();
            read += events.len() as u64;
            (!events.is_empty()).then_some(Ok(EventBatch { events, loaded: Loaded { read, total } }))
        })))
    }

    fn send(
        &self,
        key: A::Key,
        expected: u64,
        events: Vec<A::Event>,
        _: Option<String>,
    ) -> impl Future<Output = Result<u64, SaveError>> + Send {
        let mut stored = self.lock();
        let actual = stored.iter().filter(|event| event.key == key).count() as u64;
        if actual != expected {
            return ready(Err(SaveError::Conflict { expected, actual }));
        }
        let version = expected + events.len() as u64;
        let numbered = (expected + 1..).zip(events);
        stored.extend(numbered.map(|(version, event)| Recorded { key: key.clone(), version: Some(version), event }));
        ready(Ok(version))
    }

    fn close(self) -> impl Future<Output = Result<(), Error>> + Send {
        ready(Ok(()))
    }
}
