//! A stream joined with itself, stored once: `single.store.self.join` of Kafka Streams.
//!
//! Rule: the results are those that two stores would give. A record meets the earlier ones as the left side, then as the right
//! side, then itself; where the second round comes to a later record it meets itself before. A record that is no longer kept
//! does not meet itself. Unlike in a join of two stores, a record that is dropped moves no time, and one that is exactly as old as
//! records are kept is met still.

use std::ops::ControlFlow;

use super::join_streams::Results;
use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, StreamOf};
use crate::record::{Record, Timestamp};
use crate::serde::Data;
use crate::state::{Direction, Reader, WindowState};
use crate::topology::StoreSlot;
use crate::window::Reach;

pub(crate) struct JoinItself<K: 'static, V: 'static, W, F> {
    pub(crate) store: StoreSlot<WindowState<K, V>>,
    /// As seen from the left side.
    pub(crate) reach: Reach,
    /// In milliseconds.
    pub(crate) retention: i64,
    pub(crate) time: usize,
    pub(crate) join: F,
    /// A value as one of the right side: the types are the same, but the program knows that only when it is built.
    pub(crate) as_right: fn(&V) -> &W,
}

impl<K, V, W, O, F> Operator<StreamOf<K, V>, StreamOf<K, O>> for JoinItself<K::Plain, V::Plain, W, F>
where
    K: Data,
    V: Data,
    W: 'static,
    O: 'static,
    F: Fn(&K, Option<&V::Plain>, Option<&W>) -> Result<O, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, O>>) -> Flow {
        let Some(value) = record.value.plain() else {
            ctx.drop_record(DropReason::NullValue);
            return Ok(());
        };
        let Some(key) = record.key.plain() else {
            ctx.drop_record(DropReason::NullKey);
            return Ok(());
        };
        let at = record.timestamp.as_millis();
        let observed = ctx.task().time(self.time).observe(record.timestamp).as_millis();
        let join =
            |left: &V::Plain, right: &V::Plain| (self.join)(record.key, Some(left), Some((self.as_right)(right)));
        let mut itself = match at > observed.saturating_sub(self.retention).saturating_add(1) {
            true => Some((join(value, value)?, at)),
            false => None,
        };
        let (mut results, mut failure) = (Results::new(), None);
        let (store, _) = ctx.task().state::<WindowState<K::Plain, V::Plain>>(self.store.index);
        let how = (Direction::Forward, Reader::Task);
        let mut push = |results: &mut Results<O>, result: Result<O, ProcessError>, time| match result {
            Ok(result) => {
                results.push((result, time));
                ControlFlow::Continue(())
            }
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        };
        store.walk_key(key, self.reach.around(at), how, &mut |_, time, other, _| {
            push(&mut results, join(value, other), time)
        })?;
        store.walk_key(key, self.reach.turned().around(at), how, &mut |_, time, other, _| {
            if time > at {
                results.extend(itself.take());
            }
            push(&mut results, join(other, value), time)
        })?;
        results.extend(itself.filter(|_| failure.is_none()));
        for (result, time) in results {
            let timestamp = Timestamp::from_millis(time.max(at));
            ctx.forward(record.with_value(&result).with_timestamp(timestamp))?;
        }
        failure.map_or(Ok(()), Err)
    }

    fn follows_time(&self) -> bool {
        true
    }

    fn advance(&self, time: Timestamp, ctx: &mut NodeContext<'_, StreamOf<K, O>>) -> Result<bool, ProcessError> {
        ctx.task().time(self.time).observe(time);
        Ok(false)
    }
}
