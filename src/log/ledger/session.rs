//! An application's session on a ledger: it stages, reads its own records at once, and commits them with its progress.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tidemill_dsl::record::{Batch, Offset, TopicPartition};

use super::draft::{Draft, dense, out_of_range};
use super::staging::SessionId;
use super::{Call, Keep, Live, PartitionId, Shared, State, check_bytes};
use crate::log::{Append, EndWatch, LogError, LogErrorKind, OwnRecords, Progress, Session};

pub(super) struct LedgerSession<K: Keep> {
    shared: Arc<Shared<K>>,
    application: String,
    id: SessionId,
    fenced: Arc<AtomicBool>,
}

impl<K: Keep> LedgerSession<K> {
    pub(super) fn new(shared: Arc<Shared<K>>, application: &str, id: SessionId, fenced: Arc<AtomicBool>) -> Self {
        LedgerSession { shared, application: application.to_owned(), id, fenced }
    }

    /// The state, if this is still the application's session.
    fn lock(&self) -> Result<MutexGuard<'_, State>, LogError> {
        let state = self.shared.lock();
        if !self.fenced.load(Ordering::SeqCst) {
            return Ok(state);
        }
        let message = format!(
            "another session of application `{}` began on this log, and what this one had staged is gone: drop it",
            self.application
        );
        Err(LogError::new(LogErrorKind::Fenced, message))
    }

    fn live<'a>(&self, state: &'a mut State) -> &'a mut Live {
        state.live.get_mut(&self.application).expect("a session that is not fenced is live")
    }

    fn staged_by_another(&self, state: &State, partition: PartitionId, owner: SessionId) -> LogError {
        let other = state.live.iter().find(|(_, live)| live.id == owner).map_or("another", |(name, _)| name.as_str());
        let message = format!(
            "application `{}` cannot stage into `{}`, where application `{other}` has records in its open epoch: both \
             would be promised the same offsets; let each write topics of its own, or open a log for each",
            self.application,
            state.book.name(partition)
        );
        LogError::new(LogErrorKind::Invalid, message)
    }
}

impl<K: Keep> Session for LedgerSession<K> {
    fn own_records(&self) -> OwnRecords {
        OwnRecords::AtOnce
    }

    fn progress(&self) -> Result<Progress, LogError> {
        Ok(self.lock()?.book.progress(&self.application))
    }

    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError> {
        let mut state = self.lock()?;
        let id = state.book.partition(partition)?;
        let bounds = state.book.bounds(id);
        let slot = &mut state.slots[id.index()];
        let end = slot.end_for(self.id, bounds.end);
        if from < bounds.start || from > end {
            return Err(out_of_range(partition, from, bounds.start, end));
        }
        let own = if end > bounds.end { slot.read(bounds.end, from).to_vec() } else { Vec::new() };
        drop(state);
        let mut batches = match from < bounds.end {
            true => self.shared.keep.read(id, from, bounds.end, bytes_max)?,
            false => Vec::new(),
        };
        if batches.last().map_or(from, |batch| batch.end()) >= bounds.end {
            take_up_to(&mut batches, own, bytes_max);
        }
        Ok(batches)
    }

    fn end(&self, partition: &TopicPartition) -> Result<Offset, LogError> {
        let state = self.lock()?;
        let id = state.book.partition(partition)?;
        Ok(state.slots[id.index()].end_for(self.id, state.book.bounds(id).end))
    }

    fn follow(&self, partition: &TopicPartition, _from: Offset) -> Result<EndWatch, LogError> {
        let mut state = self.lock()?;
        let id = state.book.partition(partition)?;
        let end = state.book.bounds(id).end;
        let watched = &mut self.live(&mut state).watched;
        if !watched.contains(&id) {
            watched.push(id);
        }
        Ok(EndWatch::new(state.slots[id.index()].watch(self.id, end)))
    }

    fn stage(&self, append: Append) -> Result<Option<Offset>, LogError> {
        let mut state = self.lock()?;
        self.shared.keep.usable()?;
        let id = state.book.partition(&append.to)?;
        let end = state.book.bounds(id).end;
        if append.records.count() == 0 {
            return Ok(Some(state.slots[id.index()].end_for(self.id, end)));
        }
        let new = match state.slots[id.index()].owner() {
            None => true,
            Some(owner) if owner == self.id => false,
            Some(other) => return Err(self.staged_by_another(&state, id, other)),
        };
        let live = self.live(&mut state);
        let staged_bytes = live.staged_bytes + append.records.bytes().len();
        check_bytes("an epoch", staged_bytes)?;
        live.staged_bytes = staged_bytes;
        if new {
            live.staged.push(id);
        }
        let slot = &mut state.slots[id.index()];
        let at = slot.stage(self.id, end, &dense(append.records));
        slot.tell(end);
        drop(state);
        self.shared.signal.raise();
        Ok(Some(at))
    }

    fn commit(&self, progress: &Progress) -> Result<(), LogError> {
        let mut guard = self.lock()?;
        self.shared.keep.usable()?;
        let state = &mut *guard;
        let mut draft = Draft::default();
        draft.progress(&state.book, &self.application, progress)?;
        let live = self.live(state);
        live.staged_bytes = 0;
        for id in std::mem::take(&mut live.staged) {
            let end = state.book.bounds(id).end;
            for batch in state.slots[id.index()].take(end) {
                draft.append(&state.book, id, batch);
            }
        }
        let ticket = self.shared.write_with_waiting(state, draft)?;
        drop(guard);
        ticket.map_or(Ok(()), |ticket| self.shared.keep.settle(ticket, Call::Commit))
    }

    fn abort(&self) -> Result<(), LogError> {
        let mut state = self.lock()?;
        self.shared.abort(&mut state, &self.application)
    }

    fn wait(&self, seen: u64, limit: Duration) -> u64 {
        self.shared.signal.wait(seen, limit)
    }

    fn wake(&self) {
        self.shared.signal.raise();
    }
}

impl<K: Keep> Drop for LedgerSession<K> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if !self.fenced.load(Ordering::SeqCst) {
            self.shared.end_session(&mut state, &self.application);
        }
    }
}

/// Moves batches over as long as all together have at most `bytes_max` bytes, but at least one.
fn take_up_to(batches: &mut Vec<Arc<Batch>>, more: Vec<Arc<Batch>>, bytes_max: usize) {
    let mut bytes: usize = batches.iter().map(|batch| batch.bytes().len()).sum();
    for batch in more {
        bytes += batch.bytes().len();
        if bytes > bytes_max && !batches.is_empty() {
            break;
        }
        batches.push(batch);
    }
}
