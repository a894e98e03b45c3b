//! Appends from outside: at once, or behind an open epoch.
//!
//! Rule: an append never takes an offset that a session was promised. It waits as a whole, and is written as a whole, with
//! the first commit or abort after which none of its partitions has staged records.

use std::sync::{Arc, MutexGuard, PoisonError};

use tidemill_dsl::record::{Batch, Offset};

use super::draft::{Draft, check_name, dense};
use super::{CHANGE_BYTES_MAX, Keep, NoteOwner, PartitionId, Shared, State, Ticket, bytes_of, check_bytes};
use crate::log::{Append, LogError, Notes};

/// Where records of an append begin, and the number of the change that wrote them.
pub(super) type Answer = (Vec<Offset>, Option<Ticket>);

/// An append from outside that stands behind staged records.
pub(super) struct Waiting {
    id: u64,
    appends: Vec<(PartitionId, Arc<Batch>)>,
    scope: String,
    notes: Notes,
}

impl State {
    fn is_staged(&self, partition: PartitionId) -> bool {
        self.slots[partition.index()].owner().is_some()
    }

    /// Takes the waiting appends that no session holds up any more into `draft`, as many as one change may have.
    fn release_waiting(&mut self, draft: &mut Draft) -> Result<Vec<(u64, Vec<Offset>)>, LogError> {
        let mut bytes = 0;
        let mut may_go = |waiting: &Waiting| {
            let held_up = waiting.appends.iter().any(|(to, _)| self.slots[to.index()].owner().is_some());
            if !held_up {
                bytes += bytes_of(waiting.appends.iter().map(|(_, batch)| &**batch));
            }
            !held_up && bytes <= CHANGE_BYTES_MAX
        };
        let (free, held): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().partition(&mut may_go);
        self.waiting = held;
        let mut released = Vec::with_capacity(free.len());
        for Waiting { id, appends, scope, notes } in free {
            let offsets = appends.into_iter().map(|(to, batch)| draft.append(&self.book, to, batch)).collect();
            draft.notes(NoteOwner::Scope(scope), &notes)?;
            released.push((id, offsets));
        }
        Ok(released)
    }
}

impl<K: Keep> Shared<K> {
    /// Writes a draft together with the appends that waited for it; those for which it has no room follow.
    pub(super) fn write_with_waiting(&self, state: &mut State, mut draft: Draft) -> Result<Option<Ticket>, LogError> {
        let mut last = None;
        loop {
            let released = state.release_waiting(&mut draft)?;
            let change = std::mem::take(&mut draft).finish();
            if change.is_empty() && released.is_empty() {
                return Ok(last);
            }
            let ticket = self.write(state, &change)?;
            state.answers.extend(released.into_iter().map(|(id, offsets)| (id, (offsets, ticket))));
            self.answered.notify_all();
            last = Some(ticket);
        }
    }

    /// Appends from outside; a ticket, if there was anything to write, is what the durability policy is about.
    pub(super) fn append(&self, appends: Vec<Append>, scope: &str, notes: Notes) -> Result<Answer, LogError> {
        let mut state = self.lock();
        self.keep.usable()?;
        check_name("a scope", scope)?;
        check_bytes("an append", bytes_of(appends.iter().map(|append| &append.records)))?;
        let resolve = |append: Append| Ok((state.book.partition(&append.to)?, Arc::new(dense(append.records))));
        let appends: Vec<_> = appends.into_iter().map(resolve).collect::<Result<_, LogError>>()?;
        if appends.iter().any(|(to, _)| state.is_staged(*to)) {
            notes.keys().try_for_each(|name| check_name("a note", name))?;
            return self.append_behind(state, appends, scope, notes);
        }
        let mut draft = Draft::default();
        draft.notes(NoteOwner::Scope(scope.to_owned()), &notes)?;
        let offsets = appends.into_iter().map(|(to, batch)| draft.append(&state.book, to, batch)).collect();
        let change = draft.finish();
        if change.is_empty() {
            return Ok((offsets, None));
        }
        let ticket = self.write(&mut state, &change)?;
        Ok((offsets, Some(ticket)))
    }

    fn append_behind(
        &self,
        mut state: MutexGuard<'_, State>,
        appends: Vec<(PartitionId, Arc<Batch>)>,
        scope: &str,
        notes: Notes,
    ) -> Result<Answer, LogError> {
        let id = state.new_id();
        state.waiting.push(Waiting { id, appends, scope: scope.to_owned(), notes });
        loop {
            if let Some((offsets, ticket)) = state.answers.remove(&id) {
                return Ok((offsets, Some(ticket)));
            }
            if let Err(broken) = self.keep.usable() {
                state.waiting.retain(|waiting| waiting.id != id);
                return Err(broken);
            }
            state = self.answered.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
