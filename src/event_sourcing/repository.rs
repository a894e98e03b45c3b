//! Aggregates in memory, made of all their events; what is added to them is saved with the version that it was added to.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use tidemill_dsl::event_sourcing::{Aggregate, CommandContext};
use tidemill_dsl::record::Timestamp;

use super::entity::Entity;
use super::{Loaded, Provider, Recorded, SaveError};
use crate::error::{Error, ErrorKind};

/// Aggregates in memory, by their keys, and where their events are.
///
/// It belongs to one task or thread; several repositories of the same events keep each other from losing anything by the versions
/// that they save with.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidemill::event_sourcing::{MemoryEvents, Repository};
/// use tidemill::prelude::*;
///
/// #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
/// #[data(json)]
/// struct Account(i64);
///
/// impl Aggregate for Account {
///     type Key = String;
///     type Command = i64;
///     type Event = i64;
///     type Refusal = String;
///
///     fn decide(&self, amount: &i64, _: &CommandContext<'_, String>) -> Result<Vec<i64>, String> {
///         if self.0 + amount >= 0 { Ok(vec![*amount]) } else { Err("insufficient funds".into()) }
///     }
///
///     fn evolve(&mut self, amount: &i64) {
///         self.0 += amount;
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut accounts = Repository::<Account, _>::new(MemoryEvents::default());
/// accounts.load(20, |_| ())?;
/// let alice = "alice".to_owned();
/// accounts.decide(&alice, &10, 0.into())?;
/// assert_eq!((accounts.get(&alice), accounts.uncommitted(&alice).len()), (Some(&Account(10)), 1));
/// assert_eq!(accounts.save(&alice).await?, 1);
/// assert!(accounts.uncommitted(&alice).is_empty());
/// # Ok(())
/// # }
/// ```
pub struct Repository<A: Aggregate, P> {
    provider: P,
    entities: BTreeMap<A::Key, Entity<A>>,
}

impl<A, P> Repository<A, P>
where
    A: Aggregate<Key: Ord + Clone, Event: Clone>,
    P: Provider<A>,
{
    /// An empty one; [`load`](Self::load) fills it.
    pub fn new(provider: P) -> Self {
        Repository { provider, entities: BTreeMap::new() }
    }

    /// Makes all aggregates anew of the events that are stored now, read `batch` at a time; `progress` hears of each batch. What was
    /// added and not saved is forgotten. Gives how much there was.
    ///
    /// # Errors
    ///
    /// When an event cannot be read, or one of a key is missing. The repository stays as it was.
    pub fn load(&mut self, batch: usize, mut progress: impl FnMut(Loaded)) -> Result<Loaded, Error> {
        let mut entities: BTreeMap<A::Key, Entity<A>> = BTreeMap::new();
        let mut all = Loaded { read: 0, total: 0 };
        for batch in self.provider.fetch_all(batch)? {
            let batch = batch?;
            for Recorded { key, version, event } in batch.events {
                let entity = entities.entry(key).or_insert_with(|| Entity::at(None, 0));
                check_version(version, entity.version + 1)?;
                entity.replay(&event);
            }
            all = batch.loaded;
            progress(all);
        }
        self.entities = entities;
        Ok(all)
    }

    /// Puts an aggregate in as it was at a version: from a snapshot. What was added to it is forgotten.
    pub fn add_or_modify(&mut self, key: A::Key, state: A, version: u64) {
        self.entities.insert(key, Entity::at(Some(state), version));
    }

    /// Takes events that others have stored, as the next ones.
    pub fn replay<'e>(&mut self, key: &A::Key, events: impl IntoIterator<Item = &'e A::Event>) {
        let entity = self.entity(key);
        events.into_iter().for_each(|event| entity.replay(event));
    }

    /// The aggregate, with what was added to it; `None` when nothing has happened to it, or it is gone.
    pub fn get(&self, key: &A::Key) -> Option<&A> {
        self.entities.get(key)?.state.as_ref()
    }

    /// How many events of it are stored, as far as is known here.
    pub fn version(&self, key: &A::Key) -> u64 {
        self.entities.get(key).map_or(0, |entity| entity.version)
    }

    /// The keys of aggregates that something has happened to, in order.
    pub fn keys(&self) -> impl Iterator<Item = &A::Key> {
        self.entities.keys()
    }

    /// Adds an event that has happened. It is stored by [`save`](Self::save).
    pub fn add_event(&mut self, key: &A::Key, event: A::Event) {
        self.entity(key).add(event);
    }

    /// Decides a command against the aggregate and adds the events; gives how many there are.
    ///
    /// # Errors
    ///
    /// The aggregate's refusal; nothing is added then.
    pub fn decide(&mut self, key: &A::Key, command: &A::Command, time: Timestamp) -> Result<usize, A::Refusal> {
        let entity = self.entity(key);
        let version = entity.version + entity.added.len() as u64;
        let context = CommandContext::new(key, time).at_version(version);
        let events = match &entity.state {
            Some(state) => state.decide(command, &context)?,
            None => A::default().decide(command, &context)?,
        };
        let count = events.len();
        events.into_iter().for_each(|event| entity.add(event));
        Ok(count)
    }

    /// What was added and is not saved.
    pub fn uncommitted(&self, key: &A::Key) -> &[A::Event] {
        self.entities.get(key).map_or(&[], |entity| &entity.added)
    }

    /// Forgets what was added and not saved.
    pub fn discard(&mut self, key: &A::Key) {
        if let Some(entity) = self.entities.get_mut(key) {
            entity.discard();
        }
    }

    /// Stores what was added, and gives the version after it.
    ///
    /// # Errors
    ///
    /// `Conflict` when others have added events meanwhile: nothing is stored, and [`load`](Self::load) begins anew. After `Unknown` save
    /// again. What was added is kept in any case.
    pub async fn save(&mut self, key: &A::Key) -> Result<u64, SaveError> {
        let saved = self.save_all([key.clone()]).await.into_values().next();
        saved.expect("a key that is saved has a result")
    }

    /// Stores what was added to several keys, all at the same time: it takes no longer than the slowest of them. Gives what
    /// [`save`](Self::save) gives, by key.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tidemill::event_sourcing::{MemoryEvents, Repository};
    /// # use tidemill::prelude::*;
    /// # #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
    /// # #[data(json)]
    /// # struct Account(i64);
    /// # impl Aggregate for Account {
    /// #     type Key = String;
    /// #     type Command = i64;
    /// #     type Event = i64;
    /// #     type Refusal = String;
    /// #     fn decide(&self, amount: &i64, _: &CommandContext<'_, String>) -> Result<Vec<i64>, String> {
    /// #         Ok(vec![*amount])
    /// #     }
    /// #     fn evolve(&mut self, amount: &i64) {
    /// #         self.0 += amount;
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut accounts = Repository::<Account, _>::new(MemoryEvents::default());
    /// for (key, amount) in [("alice", 10), ("bob", 20), ("alice", 30)] {
    ///     accounts.decide(&key.to_owned(), &amount, 0.into())?;
    /// }
    /// let saved = accounts.save_all(["alice".to_owned(), "bob".to_owned()]).await;
    /// assert_eq!((saved["alice"].clone()?, saved["bob"].clone()?), (2, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn save_all(
        &mut self,
        keys: impl IntoIterator<Item = A::Key>,
    ) -> BTreeMap<A::Key, Result<u64, SaveError>> {
        let mut open: BTreeSet<A::Key> = keys.into_iter().collect();
        let mut results = BTreeMap::new();
        while !open.is_empty() {
            let sent = join_all(std::mem::take(&mut open).into_iter().map(|key| self.send_next(key))).await;
            for (key, sent) in sent {
                match sent.map(|count| self.entities.get_mut(&key).into_iter().for_each(|entity| entity.keep(count))) {
                    Ok(()) if !self.uncommitted(&key).is_empty() => drop(open.insert(key)),
                    Ok(()) => drop(results.insert(key.clone(), Ok(self.version(&key)))),
                    Err((error, count)) => {
                        if let SaveError::Unknown { id, .. } = &error {
                            self.entity(&key).in_doubt = Some((id.clone(), count));
                        }
                        results.insert(key, Err(error));
                    }
                }
            }
        }
        results
    }

    /// Sends what is to be stored next of a key, and gives how many events that was. What is in doubt goes first, and alone: it has an
    /// id of its own.
    async fn send_next(&self, key: A::Key) -> (A::Key, Result<usize, (SaveError, usize)>) {
        let Some(entity) = self.entities.get(&key).filter(|entity| !entity.added.is_empty()) else {
            return (key, Ok(0));
        };
        let (id, count) = match &entity.in_doubt {
            Some((id, count)) => (Some(id.clone()), *count),
            None => (None, entity.added.len()),
        };
        let events = entity.added[..count].to_vec();
        let sent = self.provider.send(key.clone(), entity.version, events, id).await;
        (key, sent.map(|_| count).map_err(|error| (error, count)))
    }

    /// Closes the provider. What was not saved is gone.
    ///
    /// # Errors
    ///
    /// The provider's.
    pub async fn close(self) -> Result<(), Error> {
        self.provider.close().await
    }

    fn entity(&mut self, key: &A::Key) -> &mut Entity<A> {
        self.entities.entry(key.clone()).or_insert_with(|| Entity::at(None, 0))
    }
}

fn check_version(version: Option<u64>, next: u64) -> Result<(), Error> {
    match version {
        Some(version) if version != next => {
            let message = format!(
                "an event has version {version} where {next} is next: events of its key are missing or in another order; read a \
                 topic that keeps all events"
            );
            Err(Error::new(ErrorKind::Corrupt, message))
        }
        _ => Ok(()),
    }
}
