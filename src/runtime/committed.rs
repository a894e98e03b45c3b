//! What readers in any thread get: the published rows of all tasks, and how far the inputs were, as of one commit.
//!
//! Rule: all parts go on to a commit in one step, so whoever holds the lock sees no two parts of different commits.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tidemill_dsl::record::TopicPartition;
use tidemill_dsl::state::{CommittedRows, PublishedRows, StoreError, Watcher};
use tokio::sync::watch;

use super::Position;
use crate::log::{InputProgress, Progress};

pub(super) struct Committed {
    state: RwLock<State>,
    /// The number of the last commit.
    news: watch::Sender<u64>,
}

struct State {
    commit: u64,
    position: Arc<Position>,
    /// By store and partition.
    parts: BTreeMap<Arc<str>, Vec<Option<Part>>>,
}

/// The rows of one task's store, and the gate at which its worker commits.
struct Part {
    gate: usize,
    rows: Arc<PublishedRows>,
}

/// Rows of several partitions, all as one commit left them.
pub(super) struct Snapshot {
    pub(super) parts: Vec<CommittedRows>,
    pub(super) position: Arc<Position>,
}

/// Rows of several partitions, all as one commit left them, and who follows what comes after.
pub(super) struct Watched {
    pub(super) rows: Vec<CommittedRows>,
    pub(super) watchers: Vec<Watcher>,
    pub(super) parts: Parts,
}

/// Which parts were there: those of a partition that left and came back are others.
pub(super) struct Parts(Vec<Arc<PublishedRows>>);

impl Committed {
    /// Begins where the application was at its last commit.
    pub(super) fn new(position: Position) -> Self {
        let state = State { commit: 0, position: Arc::new(position), parts: BTreeMap::new() };
        Committed { state: RwLock::new(state), news: watch::Sender::new(0) }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit was made at a gate that contributed `progress`.
    pub(super) fn commit(&self, gate: usize, progress: &Progress) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.commit += 1;
        let number = state.commit;
        if !progress.inputs.is_empty() {
            // A reader may hold the old one.
            let position = Arc::make_mut(&mut state.position);
            progress.inputs.iter().for_each(|(input, at)| position.reach(input, at.next));
        }
        let parts = state.parts.values().flatten().flatten().filter(|part| part.gate == gate);
        let superseded: Vec<_> = parts.filter_map(|part| part.rows.commit(number)).collect();
        drop(state);
        drop(superseded);
        self.news.send_replace(number);
    }

    /// Inputs have got so far: those of global stores at the start or with the last commit, others because another process had
    /// them before.
    pub(super) fn reached(&self, inputs: &BTreeMap<TopicPartition, InputProgress>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let position = Arc::make_mut(&mut state.position);
        inputs.iter().for_each(|(input, at)| position.reach(input, at.next));
        drop(state);
        self.stir();
    }

    /// Adds the rows of one task, whose worker commits at `gate`. They are those of the last commit: the worker has made none
    /// since.
    pub(super) fn add(&self, store: &Arc<str>, partition: u32, gate: usize, rows: Arc<PublishedRows>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let parts = state.parts.entry(store.clone()).or_default();
        let place = partition as usize;
        if parts.len() <= place {
            parts.resize_with(place + 1, || None);
        }
        parts[place] = Some(Part { gate, rows });
    }

    /// The rows of one partition of these stores are committed at another gate from now on.
    pub(super) fn move_to(&self, stores: &[Arc<str>], partition: u32, gate: usize) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for store in stores {
            let part = state.parts.get_mut(store).and_then(|parts| parts.get_mut(partition as usize));
            part.into_iter().flatten().for_each(|part| part.gate = gate);
        }
    }

    /// The rows of one partition of these stores are not here any more.
    pub(super) fn remove(&self, stores: &[Arc<str>], partition: u32) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for store in stores {
            let part = state.parts.get_mut(store).and_then(|parts| parts.get_mut(partition as usize));
            part.into_iter().for_each(|part| drop(part.take()));
        }
        drop(state);
        self.stir();
    }

    /// Lets everybody look again who waits for a commit.
    pub(super) fn stir(&self) {
        self.news.send_modify(|_| {});
    }

    /// No rows are here any more.
    pub(super) fn clear(&self) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).parts.clear();
    }

    /// The rows of these partitions of a store; `None` when not all are published.
    pub(super) fn snapshot(&self, store: &str, partitions: &[u32]) -> Result<Option<Snapshot>, StoreError> {
        let state = self.read();
        let Some(parts) = state.parts_of(store, partitions) else { return Ok(None) };
        let parts = parts.into_iter().map(|part| part.rows.rows()).collect::<Result<_, _>>()?;
        Ok(Some(Snapshot { parts, position: state.position.clone() }))
    }

    /// The same with watchers that miss nothing that comes after.
    pub(super) fn watch(
        &self,
        store: &str,
        partitions: &[u32],
        bytes_max: usize,
    ) -> Result<Option<Watched>, StoreError> {
        let state = self.read();
        let Some(found) = state.parts_of(store, partitions) else { return Ok(None) };
        let parts = Parts(found.iter().map(|part| part.rows.clone()).collect());
        let watched = found.into_iter().map(|part| part.rows.watch(bytes_max));
        let (rows, watchers) = watched.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        Ok(Some(Watched { rows, watchers, parts }))
    }

    /// Whether the parts of these partitions are still those that were there.
    pub(super) fn still_has(&self, store: &str, partitions: &[u32], parts: &Parts) -> bool {
        let state = self.read();
        let found = state.parts_of(store, partitions);
        found.is_some_and(|found| found.iter().zip(&parts.0).all(|(part, known)| Arc::ptr_eq(&part.rows, known)))
    }

    /// Does something while no commit comes in between.
    pub(super) fn between_commits<T>(&self, act: impl FnOnce() -> T) -> T {
        let _no_commit = self.read();
        act()
    }

    /// How far the inputs were at the last commit.
    pub(super) fn position(&self) -> Arc<Position> {
        self.read().position.clone()
    }

    /// The number of the last commit, now and whenever there is another.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }
}

impl State {
    fn parts_of(&self, store: &str, partitions: &[u32]) -> Option<Vec<&Part>> {
        let known = self.parts.get(store);
        partitions.iter().map(|partition| known?.get(*partition as usize)?.as_ref()).collect()
    }
}
