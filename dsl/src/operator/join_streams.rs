//! Stream-stream join: a record meets those of the other stream whose times are close enough to its own.
//!
//! Rule, as in Kafka Streams: the two sides share one time, which every record moves first. Then unmatched records of before
//! come out whose time is over, then the record's matches, in the order of the others' times; a result has the greater of
//! the two times. A match takes everything out of the wait that its side has of its key and time. A record without a match,
//! on a side whose records come out unmatched, waits, or comes out at once if its window is over already.
//! How late a record can still meet others is decided by how long these are kept, and by nothing else.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;

use smallvec::SmallVec;

use super::waiting::{Waiting, Waits};
use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, StreamOf};
use crate::record::{Headers, Record, Timestamp};
use crate::serde::Data;
use crate::state::{Cause, Direction, Reader, WindowState};
use crate::topology::StoreSlot;
use crate::window::Reach;

/// Keeps the records of one side, for those of the other to be met. A record is handed on first, so that it does not meet
/// itself.
pub(crate) struct KeepForJoin<K: 'static, V: 'static> {
    pub(crate) store: StoreSlot<WindowState<K, V>>,
}

impl<K, V> Operator<StreamOf<K, V>, StreamOf<K, V>> for KeepForJoin<K::Plain, V::Plain>
where
    K: Data,
    V: Data<Plain: Clone>,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, V>>) -> Flow {
        ctx.forward(record)?;
        let Some(key) = record.key.plain() else { return Ok(()) };
        let (store, out) = ctx.task().state::<WindowState<K::Plain, V::Plain>>(self.store.index);
        let (start, value) = (record.timestamp.as_millis(), record.value.plain().cloned());
        Ok(store.put(key, start, value, record.timestamp, &mut out.caused_by(record.into()))?)
    }
}

/// Which side of a join an operator is on.
pub(crate) trait Side: Send + Sync + 'static {
    type Left: Clone + Send + 'static;
    type Right: Clone + Send + 'static;
    /// The values of the operator's own side.
    type This: Clone + Send + 'static;
    /// The values that it looks for.
    type Other: Send + 'static;
    const IS_LEFT: bool;

    /// What a joiner gets.
    fn pair<'a>(this: &'a Self::This, other: Option<&'a Self::Other>) -> Pair<'a, Self::Left, Self::Right>;

    /// A value of this side that waits.
    fn waits(this: Self::This) -> Waits<Self::Left, Self::Right>;
}

/// The values of both sides, the left one first.
pub(super) type Pair<'a, L, R> = (Option<&'a L>, Option<&'a R>);

/// The left side.
pub(crate) struct OnLeft<L, R>(PhantomData<fn(L, R)>);

/// The right side.
pub(crate) struct OnRight<L, R>(PhantomData<fn(L, R)>);

impl<L: Clone + Send + 'static, R: Clone + Send + 'static> Side for OnLeft<L, R> {
    type Left = L;
    type Right = R;
    type This = L;
    type Other = R;
    const IS_LEFT: bool = true;

    fn pair<'a>(this: &'a L, other: Option<&'a R>) -> Pair<'a, L, R> {
        (Some(this), other)
    }

    fn waits(this: L) -> Waits<L, R> {
        Waits::Left(this)
    }
}

impl<L: Clone + Send + 'static, R: Clone + Send + 'static> Side for OnRight<L, R> {
    type Left = L;
    type Right = R;
    type This = R;
    type Other = L;
    const IS_LEFT: bool = false;

    fn pair<'a>(this: &'a R, other: Option<&'a L>) -> Pair<'a, L, R> {
        (other, Some(this))
    }

    fn waits(this: R) -> Waits<L, R> {
        Waits::Right(this)
    }
}

/// One side of a join.
pub(crate) struct JoinStreams<K: Data, S: Side, F> {
    pub(crate) other: StoreSlot<WindowState<K::Plain, S::Other>>,
    /// As seen from this side.
    pub(crate) reach: Reach,
    /// In milliseconds.
    pub(crate) grace: i64,
    /// Where the records of both sides wait that have not met any; `None` for an inner join.
    pub(crate) waiting: Option<Waiting<K, S::Left, S::Right>>,
    /// Whether records of this side come out if they meet none.
    pub(crate) pads: bool,
    /// The place of the time that both sides share.
    pub(crate) time: usize,
    pub(crate) join: Arc<F>,
}

/// Results of one record, each with its time. A few need no memory of their own.
pub(super) type Results<O> = SmallVec<[(O, i64); 4]>;

impl<K, V, S, O, F> Operator<StreamOf<K, V>, StreamOf<K, O>> for JoinStreams<K, S, F>
where
    K: Data,
    V: Data<Plain = S::This>,
    S: Side,
    O: 'static,
    F: Fn(&K, Option<&S::Left>, Option<&S::Right>) -> Result<O, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, O>>) -> Flow {
        let observed = ctx.task().time(self.time).observe(record.timestamp);
        let Some(value) = record.value.plain() else {
            ctx.drop_record(DropReason::NullValue);
            return Ok(());
        };
        let Some(key) = record.key.plain() else {
            if self.pads {
                return self.pad(record, value, ctx);
            }
            ctx.drop_record(DropReason::NullKey);
            return Ok(());
        };
        if let Some(waiting) = self.waiting.as_ref().filter(|_| record.timestamp == observed) {
            let after_both = self.reach.after.wrapping_add(self.grace);
            waiting.let_out(after_both, record.into(), &*self.join, ctx)?;
        }
        if self.match_others(record, (key, value), ctx)? || !self.pads {
            return Ok(());
        }
        match &self.waiting {
            Some(waiting) if *self.reach.around(record.timestamp.as_millis()).end() >= observed.as_millis() => {
                ctx.task().time(self.time).wait_from(record.timestamp);
                waiting.hold(key, S::waits(value.clone()), record, ctx.task())
            }
            _ => self.pad(record, value, ctx),
        }
    }

    fn follows_time(&self) -> bool {
        true
    }

    fn advance(&self, time: Timestamp, ctx: &mut NodeContext<'_, StreamOf<K, O>>) -> Result<bool, ProcessError> {
        let timestamp = ctx.task().time(self.time).observe(time);
        let Some(waiting) = &self.waiting else { return Ok(false) };
        let after_both = self.reach.after.wrapping_add(self.grace);
        waiting.let_out(after_both, Cause { timestamp, headers: &Headers::NONE }, &*self.join, ctx)
    }
}

impl<K, S, F> JoinStreams<K, S, F>
where
    K: Data,
    S: Side,
{
    /// Hands on a record without a match.
    fn pad<V, O>(&self, record: Record<'_, K, V>, value: &S::This, ctx: &mut NodeContext<'_, StreamOf<K, O>>) -> Flow
    where
        O: 'static,
        F: Fn(&K, Option<&S::Left>, Option<&S::Right>) -> Result<O, ProcessError>,
    {
        let (left, right) = S::pair(value, None);
        let result = (self.join)(record.key, left, right)?;
        ctx.forward(record.with_value(&result))
    }

    /// Joins a record with those that it meets, and says whether it met any.
    fn match_others<V, O>(
        &self,
        record: Record<'_, K, V>,
        (key, value): (&K::Plain, &S::This),
        ctx: &mut NodeContext<'_, StreamOf<K, O>>,
    ) -> Result<bool, ProcessError>
    where
        V: 'static,
        O: 'static,
        F: Fn(&K, Option<&S::Left>, Option<&S::Right>) -> Result<O, ProcessError>,
    {
        let at = record.timestamp.as_millis();
        let (mut results, mut failure) = (Results::new(), None);
        let (other, _) = ctx.task().state::<WindowState<K::Plain, S::Other>>(self.other.index);
        other.walk_key(key, self.reach.around(at), (Direction::Forward, Reader::Task), &mut |_, time, found, _| {
            let (left, right) = S::pair(value, Some(found));
            match (self.join)(record.key, left, right) {
                Ok(result) => {
                    results.push((result, time));
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        let met = !results.is_empty();
        for (result, time) in results {
            if let Some(waiting) = &self.waiting {
                waiting.forget(key, time, !S::IS_LEFT, record, ctx.task())?;
            }
            let timestamp = Timestamp::from_millis(time.max(at));
            ctx.forward(record.with_value(&result).with_timestamp(timestamp))?;
        }
        failure.map_or(Ok(met), Err)
    }
}
