//! Aggregations of sliding windows: a window for every set of records of a key that lie within a time difference.
//!
//! Rule, as in Kafka Streams: a record updates the windows that it lies in, opens the one that ends with it, and those that
//! begin right after it or right after the record before it, if they have records. Rows are read as they were before the
//! record. Records without key or value are dropped. A row's time is the greatest of its records: by it the windows are found.

use std::ops::ControlFlow;

use smallvec::SmallVec;

use super::aggregate::key_and_value;
use super::closing::emit_closed;
use super::lend::{change_row, keep_row};
use super::window_aggregate::{Taken, Windowing};
use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, StreamOf, TableOf};
use crate::record::{Headers, Record, Timestamp};
use crate::serde::Data;
use crate::state::{Direction, Reader, WindowState};
use crate::window::{EmitStrategy, Sliding, Window, Windowed, millis};

pub(crate) struct SlidingAggregate<K: 'static, A: 'static, F> {
    pub(crate) windowing: Windowing<WindowState<K, A>>,
    pub(crate) windows: Sliding,
    pub(crate) fold: F,
}

/// Starts of windows. A few need no memory of their own.
type Starts = SmallVec<[i64; 8]>;

/// Rows of a key's windows around a record, as they are before it.
struct Around<A> {
    /// Starts of the windows that the record lies in.
    holding: Starts,
    /// The window that ends with the record, and the time of its row.
    left: Option<i64>,
    /// Whether the window that begins right after the record is there.
    right_there: bool,
    /// The row that the record's left window continues.
    left_row: Option<A>,
    /// The row that the record's right window begins with, and its time.
    right_row: Option<(A, Timestamp)>,
    /// The time of the record before this one.
    previous: Option<i64>,
    /// Whether the window that begins right after that is there.
    after_previous_there: bool,
}

/// What a window's row is made from.
enum From<A> {
    /// The row that is there.
    Row,
    /// Nothing.
    Initial,
    /// The row of another window.
    Copy(A),
}

impl<K, V, A, F> Operator<StreamOf<K, V>, TableOf<Windowed<K::Plain>, A>> for SlidingAggregate<K::Plain, A, F>
where
    K: Data<Plain: Clone>,
    V: Data,
    A: Clone + Send + 'static,
    F: Fn(Option<A>, &K::Plain, &V) -> Result<Option<A>, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<Windowed<K::Plain>, A>>) -> Flow {
        let Some((key, _)) = key_and_value(&record, ctx) else { return Ok(()) };
        let observed = ctx.task().time(self.windowing.time).observe(record.timestamp);
        let (difference, at) = (millis(self.windows.difference()), record.timestamp.as_millis());
        let closed_to = observed.as_millis().saturating_sub(millis(self.windows.grace()));
        if at.saturating_add(difference) < closed_to {
            ctx.drop_record(DropReason::Late);
            return Ok(());
        }
        let (state, _) = ctx.task().state::<WindowState<K::Plain, A>>(self.windowing.store.index);
        let windowed = state.lend_key(key, Window::default());
        let record = record.with_key(key);
        let taken = Taken::default();
        let mut step = Step { operator: self, record, ctx, windowed, difference, closed_to, taken };
        if at < difference {
            step.early(at)?;
        } else {
            step.usual(at)?;
        }
        let Step { windowed, taken, .. } = step;
        taken.or_leave_out(ctx);
        ctx.task().state::<WindowState<K::Plain, A>>(self.windowing.store.index).0.return_key(windowed);
        if at < difference {
            return Ok(());
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
        let closed_to = observed.as_millis().saturating_sub(millis(self.windows.grace()));
        self.emit(closed_to, &Headers::NONE, ctx)
    }
}

impl<K: Send + 'static, A: Send + 'static, F> SlidingAggregate<K, A, F> {
    fn emit(
        &self,
        closed_to: i64,
        headers: &Headers,
        ctx: &mut NodeContext<'_, TableOf<Windowed<K>, A>>,
    ) -> Result<bool, ProcessError> {
        // The end of a window lies in it, so it is closed a millisecond later than that of others.
        let difference = millis(self.windows.difference());
        let last = |closed_to: i64| closed_to.saturating_sub(difference).saturating_sub(1);
        emit_closed(&self.windowing, closed_to, last, headers, ctx)
    }
}

/// One record on its way through its windows.
struct Step<'s, 'r, 'c, K: 'static, V, A: 'static, F> {
    operator: &'s SlidingAggregate<K, A, F>,
    record: Record<'r, K, V>,
    ctx: &'s mut NodeContext<'c, TableOf<Windowed<K>, A>>,
    windowed: Windowed<K>,
    difference: i64,
    closed_to: i64,
    taken: Taken,
}

impl<K, V, A, F> Step<'_, '_, '_, K, V, A, F>
where
    K: Data<Plain = K> + Clone,
    A: Clone + Send + 'static,
    F: Fn(Option<A>, &K, &V) -> Result<Option<A>, ProcessError>,
{
    fn usual(&mut self, at: i64) -> Flow {
        let around = self.around(at)?;
        for start in around.holding {
            self.update(start, From::Row)?;
        }
        if let Some(time) = around.left {
            self.update(at - self.difference, From::Row)?;
            // A record of the same time was here before, so all that this one could open is there.
            if time == at {
                return Ok(());
            }
        }
        self.open_after_previous(around.previous.filter(|_| !around.after_previous_there), at)?;
        if around.left.is_none() {
            self.update(at - self.difference, around.left_row.map_or(From::Initial, From::Copy))?;
        }
        self.open_right(around.right_row.filter(|_| !around.right_there), at)
    }

    /// The windows that begin at most twice the difference before the record, the latest first.
    fn around(&mut self, at: i64) -> Result<Around<A>, ProcessError> {
        let mut around = Around {
            holding: Starts::new(),
            left: None,
            right_there: false,
            left_row: None,
            right_row: None,
            previous: None,
            after_previous_there: false,
        };
        let mut starts = Starts::new();
        let difference = self.difference;
        let range = at.saturating_sub(difference.saturating_mul(2)).max(0)..=at.saturating_add(1);
        let (state, _) = self.ctx.task().state::<WindowState<K, A>>(self.operator.windowing.store.index);
        state.walk_key(self.record.key, range, (Direction::Backward, Reader::Task), &mut |_, start, row, time| {
            starts.push(start);
            let (end, time_millis) = (start.saturating_add(difference), time.as_millis());
            if start == at.saturating_add(1) {
                around.right_there = true;
            } else if end > at {
                if around.holding.is_empty() && !around.right_there && time_millis > at {
                    around.right_row = Some((row.clone(), time));
                }
                around.holding.push(start);
            } else if end == at {
                around.left = Some(time_millis);
                around.previous = Some(time_millis).filter(|time| *time < at);
            } else {
                around.previous = Some(time_millis);
                if around.left.is_none() && time_millis >= at - difference {
                    around.left_row = Some(row.clone());
                }
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        around.after_previous_there = around.previous.is_some_and(|previous| starts.contains(&(previous + 1)));
        Ok(around)
    }

    /// Records so early that the windows ending with them would begin before time 0 share the window that begins there.
    fn early(&mut self, at: i64) -> Flow {
        let (mut starts, mut holding) = (Starts::new(), Starts::new());
        let (mut combined, mut right_row, mut right_there) = (None, None, false);
        let (state, _) = self.ctx.task().state::<WindowState<K, A>>(self.operator.windowing.store.index);
        state.walk_key(
            self.record.key,
            0..=at + 1,
            (Direction::Forward, Reader::Task),
            &mut |_, start, row, time| {
                starts.push(start);
                if start == 0 {
                    combined = Some((row.clone(), time));
                } else if start <= at {
                    holding.push(start);
                    right_row = Some((row.clone(), time));
                } else {
                    right_there = true;
                }
                ControlFlow::Continue(())
            },
        )?;
        for start in holding {
            self.update(start, From::Row)?;
        }
        let combined_time = combined.as_ref().map(|(_, time): &(A, Timestamp)| time.as_millis());
        let right_row = right_row.or(combined.filter(|(_, time)| time.as_millis() > at));
        self.open_right(right_row.filter(|(_, time)| !right_there && time.as_millis() > at), at)?;
        let previous = combined_time.filter(|time| *time < at && !starts.contains(&(time + 1)));
        self.open_after_previous(previous, at)?;
        self.update(0, if combined_time.is_some() { From::Row } else { From::Initial })
    }

    /// Opens the window that begins right after the record before this one, if it reaches to this one.
    fn open_after_previous(&mut self, previous: Option<i64>, at: i64) -> Flow {
        match previous.map(|previous| previous + 1) {
            Some(start) if start.saturating_add(self.difference) >= at => self.update(start, From::Initial),
            _ => Ok(()),
        }
    }

    /// Opens the window that begins right after this record, with what is in the one before it.
    fn open_right(&mut self, row: Option<(A, Timestamp)>, at: i64) -> Flow {
        let Some((row, time)) = row else { return Ok(()) };
        self.put(at + 1, |_| Ok((Some(row), time)))
    }

    /// Adds the record to a window, unless that is closed.
    fn update(&mut self, start: i64, from: From<A>) -> Flow {
        if start.saturating_add(self.difference) < self.closed_to {
            self.taken.not_by_closed(self.ctx);
            return Ok(());
        }
        self.taken.by_window();
        let (operator, record) = (self.operator, self.record);
        self.put(start, |row| {
            let time = row.as_ref().map_or(record.timestamp, |(_, time)| record.timestamp.max(*time));
            let row = match from {
                From::Row => row.map(|(row, _)| row),
                From::Initial => None,
                From::Copy(row) => Some(row),
            };
            Ok(((operator.fold)(row, record.key, record.value)?, time))
        })
    }

    fn put(
        &mut self,
        start: i64,
        update: impl FnOnce(Option<(A, Timestamp)>) -> Result<(Option<A>, Timestamp), ProcessError>,
    ) -> Flow {
        let Windowing { store, emit, .. } = &self.operator.windowing;
        self.windowed.window = Window::of_millis(start, start.saturating_add(self.difference));
        match emit {
            EmitStrategy::OnUpdate => change_row(store, &self.windowed, self.record, self.ctx, update),
            EmitStrategy::OnWindowClose => keep_row(store, &self.windowed, self.record, self.ctx, update),
        }
    }
}
