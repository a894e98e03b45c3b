//! Aggregations of sessions: records of a key that follow each other at a distance of at most a gap.
//!
//! Rule, as in Kafka Streams: a record merges every session that it lies within the gap of, in the order of their ends; each
//! of them goes, with a tombstone, and the merged one comes, with its end as its time. Records without a key are dropped; a
//! record without a value is folded like any other. A record is late if the session that it would end up in is closed.

use std::ops::ControlFlow;

use smallvec::SmallVec;

use super::closing::emit_closed;
use super::lend::{change_row, keep_row};
use super::window_aggregate::Windowing;
use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, StreamOf, TableOf};
use crate::record::{Headers, Record, Timestamp};
use crate::serde::Data;
use crate::state::{Cause, Direction, Reader, SessionState};
use crate::window::{EmitStrategy, Session, Window, Windowed, millis};

pub(crate) struct SessionAggregate<K: 'static, A: 'static, I, F, M> {
    pub(crate) windowing: Windowing<SessionState<K, A>>,
    pub(crate) windows: Session,
    pub(crate) initial: I,
    pub(crate) fold: F,
    /// Adds the row of a session that is found to what was merged so far.
    pub(crate) merge: M,
}

type Context<'c, K, A> = NodeContext<'c, TableOf<Windowed<K>, A>>;

impl<K, V, A, T, I, F, M> Operator<StreamOf<K, V>, TableOf<Windowed<K::Plain>, A>>
    for SessionAggregate<K::Plain, A, I, F, M>
where
    K: Data<Plain: Clone>,
    V: Data,
    A: Send + 'static,
    I: Fn() -> T + Send + Sync + 'static,
    F: Fn(T, &K::Plain, &V) -> Result<Option<A>, ProcessError> + Send + Sync + 'static,
    M: Fn(&K::Plain, T, A) -> Result<T, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<Windowed<K::Plain>, A>>) -> Flow {
        let Some(key) = record.key.plain() else {
            ctx.drop_record(DropReason::NullKey);
            return Ok(());
        };
        let observed = ctx.task().time(self.windowing.time).observe(record.timestamp);
        let closed_to = observed.as_millis().saturating_sub(self.windows.retention());
        let found = self.find(key, record.timestamp.as_millis(), ctx)?;
        let alone = Window { start: record.timestamp, end: record.timestamp };
        let merged = found.iter().fold(alone, |merged, session| Window {
            start: merged.start.min(session.start),
            end: merged.end.max(session.end),
        });
        if merged.end.as_millis() < closed_to {
            ctx.drop_record(DropReason::Late);
        } else {
            let (state, _) = ctx.task().state::<SessionState<K::Plain, A>>(self.windowing.store.index);
            let mut windowed = state.lend_key(key, merged);
            let mut state = (self.initial)();
            // The same instant again: its session is changed in its place.
            let sessions = if merged == alone { &[][..] } else { &found[..] };
            for session in sessions {
                windowed.window = *session;
                let mut row = None;
                self.change(&windowed, record.into(), ctx, |found| {
                    row = found.map(|(row, _)| row);
                    Ok(None)
                })?;
                if let Some(row) = row {
                    state = (self.merge)(key, state, row)?;
                }
            }
            windowed.window = merged;
            self.change(&windowed, record.into(), ctx, |row| {
                let state = match row {
                    Some((row, _)) => (self.merge)(key, state, row)?,
                    None => state,
                };
                (self.fold)(state, key, record.value)
            })?;
            ctx.task().state::<SessionState<K::Plain, A>>(self.windowing.store.index).0.return_key(windowed);
        }
        self.emit(closed_to, record.headers, ctx).map(|_| ())
    }

    fn follows_time(&self) -> bool {
        true
    }

    fn advance(
        &self,
        time: Timestamp,
        ctx: &mut NodeContext<'_, TableOf<Windowed<K::Plain>, A>>,
    ) -> Result<bool, ProcessError> {
        let observed = ctx.task().time(self.windowing.time).observe(time);
        self.emit(observed.as_millis().saturating_sub(self.windows.retention()), &Headers::NONE, ctx)
    }
}

impl<K: Send + 'static, A: Send + 'static, I, F, M> SessionAggregate<K, A, I, F, M> {
    fn emit(
        &self,
        closed_to: i64,
        headers: &Headers,
        ctx: &mut NodeContext<'_, TableOf<Windowed<K>, A>>,
    ) -> Result<bool, ProcessError> {
        // The end of a session lies in it, so it is closed a millisecond later.
        emit_closed(&self.windowing, closed_to, |closed_to| closed_to.saturating_sub(1), headers, ctx)
    }
}

impl<K, A, I, F, M> SessionAggregate<K, A, I, F, M>
where
    K: Clone + Send + 'static,
    A: Send + 'static,
{
    /// The sessions within the gap of a time, in the order of their ends.
    fn find(&self, key: &K, at: i64, ctx: &mut Context<'_, K, A>) -> Result<SmallVec<[Window; 2]>, ProcessError> {
        let gap = millis(self.windows.inactivity_gap());
        let within = (at.saturating_sub(gap), at.saturating_add(gap));
        let mut found = SmallVec::new();
        let (state, _) = ctx.task().state::<SessionState<K, A>>(self.windowing.store.index);
        state.walk_key(key, within, (Direction::Forward, Reader::Task), &mut |_, session, _| {
            found.push(session);
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Changes a session's row, as of the session's end.
    fn change(
        &self,
        windowed: &Windowed<K>,
        cause: Cause<'_>,
        ctx: &mut Context<'_, K, A>,
        update: impl FnOnce(Option<(A, Timestamp)>) -> Result<Option<A>, ProcessError>,
    ) -> Flow {
        let Windowing { store, emit, .. } = &self.windowing;
        let update = |row| Ok((update(row)?, windowed.window.end));
        match emit {
            EmitStrategy::OnUpdate => change_row(store, windowed, cause, ctx, update),
            EmitStrategy::OnWindowClose => keep_row(store, windowed, cause, ctx, update),
        }
    }
}
