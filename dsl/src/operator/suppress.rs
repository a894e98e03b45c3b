//! `suppress`: changes wait, and only the last one of a row comes out.
//!
//! Rule, as in Kafka Streams: the operator has a time of its own, the greatest of the changes that it has seen. A change waits
//! from its buffer time on; rows leave in the order of that time, then of the keys' bytes, each as of the record that changed
//! it last. Nothing leaves but when a change comes.

use std::sync::Arc;

use super::read_row::{Fetched, ReadRow, Visit};
use crate::processor::{Flow, NodeContext, Operator, ProcessError, TableOf, TaskState};
use crate::record::{Change, Timestamp};
use crate::state::{BufferState, Buffered};
use crate::topology::StoreSlot;

/// From when on a change waits, given the row's key and the time of the change.
pub(crate) type BufferTime<K> = Arc<dyn Fn(&K, Timestamp) -> Timestamp + Send + Sync>;

/// What is done when more wait than may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// Those that have waited longest leave early.
    Emit,
    /// The task fails.
    Fail,
}

pub(crate) struct Suppress<K: 'static, V: 'static> {
    pub(crate) store: StoreSlot<BufferState<K, V>>,
    /// The place of the operator's own time.
    pub(crate) time: usize,
    pub(crate) buffer_time: BufferTime<K>,
    /// How long after the buffer time a row leaves, in milliseconds.
    pub(crate) wait: i64,
    /// Whether deleted rows are no news, because nobody was told of them.
    pub(crate) drops_deleted: bool,
    pub(crate) records_max: u64,
    pub(crate) bytes_max: u64,
    pub(crate) when_full: WhenFull,
}

impl<K, V> Operator<TableOf<K, V>, TableOf<K, V>> for Suppress<K, V>
where
    K: Send + 'static,
    V: Clone + Send + 'static,
{
    fn process(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K, V>>) -> Flow {
        let address = ctx.address().cloned();
        let observed = ctx.task().time(self.time).observe(change.timestamp);
        let old = change.old.and_then(Option::as_ref);
        let buffered = Buffered {
            time: (self.buffer_time)(change.key, change.timestamp),
            prior: old.cloned(),
            old: old.cloned(),
            new: change.new.clone(),
            timestamp: change.timestamp,
            headers: change.headers.clone(),
            address,
        };
        let (buffer, mut out) = ctx.task().state::<BufferState<K, V>>(self.store.index);
        buffer.put(change.key, buffered, &mut out)?;
        self.emit_due(observed, ctx)?;
        match self.when_full {
            WhenFull::Emit => self.emit_while(ctx, |buffer| self.is_over(buffer)).map(|_| ()),
            WhenFull::Fail => {
                let (buffer, _) = ctx.task().state::<BufferState<K, V>>(self.store.index);
                if self.is_over(buffer)? { Err(self.full(buffer)?) } else { Ok(()) }
            }
        }
    }

    fn follows_time(&self) -> bool {
        true
    }

    fn advance(&self, time: Timestamp, ctx: &mut NodeContext<'_, TableOf<K, V>>) -> Result<bool, ProcessError> {
        let observed = ctx.task().time(self.time).observe(time);
        self.emit_due(observed, ctx)
    }
}

impl<K, V> Suppress<K, V>
where
    K: Send + 'static,
    V: Clone + Send + 'static,
{
    fn is_over(&self, buffer: &mut BufferState<K, V>) -> Result<bool, ProcessError> {
        Ok(buffer.count()? > self.records_max || buffer.bytes()? > self.bytes_max)
    }

    fn full(&self, buffer: &mut BufferState<K, V>) -> Result<ProcessError, ProcessError> {
        let limit = |limit: u64| if limit == u64::MAX { "any number".into() } else { limit.to_string() };
        let (records, bytes) = (buffer.count()?, buffer.bytes()?);
        Ok(format!(
            "the buffer of changes is full: {records} rows wait where {} may, in {bytes} bytes where {} may; allow more, \
             or say what else is to be done: `emit_early`, `spilling`",
            limit(self.records_max),
            limit(self.bytes_max),
        )
        .into())
    }

    /// Lets the rows out whose time has come; gives whether there were any.
    fn emit_due(&self, observed: Timestamp, ctx: &mut NodeContext<'_, TableOf<K, V>>) -> Result<bool, ProcessError> {
        let due = observed.as_millis().saturating_sub(self.wait);
        self.emit_while(ctx, |buffer| Ok(buffer.first_time()?.is_some_and(|time| time.as_millis() <= due)))
    }

    /// Lets rows out as long as `goes_on` says so; gives whether there were any.
    fn emit_while(
        &self,
        ctx: &mut NodeContext<'_, TableOf<K, V>>,
        goes_on: impl Fn(&mut BufferState<K, V>) -> Result<bool, ProcessError>,
    ) -> Result<bool, ProcessError> {
        let mut any = false;
        loop {
            let (buffer, mut out) = ctx.task().state::<BufferState<K, V>>(self.store.index);
            if !goes_on(buffer)? {
                return Ok(any);
            }
            let Some((key, row)) = buffer.take_first(&mut out)? else { return Ok(any) };
            any = true;
            if row.new.is_some() || !self.drops_deleted {
                self.emit(&key, &row, ctx)?;
            }
        }
    }

    /// Hands a row on as of the record that changed it last. The old row that goes with it is the one before that change, as in
    /// Kafka Streams, even where those below were never told of it.
    fn emit(&self, key: &K, row: &Buffered<V>, ctx: &mut NodeContext<'_, TableOf<K, V>>) -> Flow {
        let Buffered { new, old, timestamp, headers, address, .. } = row;
        let now = std::mem::replace(ctx.task().address_mut(), address.clone());
        let change = Change { key, new, old: Some(old), timestamp: *timestamp, headers, is_latest: true };
        let flow = ctx.push(change);
        ctx.task().set_address(now);
        flow
    }
}

/// A row as those below a `suppress` know it.
pub(crate) struct SuppressedRow<K: 'static, V: 'static> {
    pub(crate) above: Box<dyn ReadRow<K, V>>,
    pub(crate) store: StoreSlot<BufferState<K, V>>,
}

impl<K, V> ReadRow<K, V> for SuppressedRow<K, V>
where
    K: Send + 'static,
    V: Clone + Send + 'static,
{
    fn read(
        &self,
        key: &K,
        as_of: Option<Timestamp>,
        task: &mut TaskState,
        visit: Visit<'_, V>,
    ) -> Result<(), ProcessError> {
        match self.waiting(key, task)? {
            // Its time is not known, as in Kafka Streams.
            Some(prior) => visit(prior.as_ref().map(|row| (row, UNKNOWN))),
            None => self.above.read(key, as_of, task, visit),
        }
    }

    fn fetch(&self, key: &K, as_of: Option<Timestamp>, task: &mut TaskState) -> Result<Fetched<V>, ProcessError> {
        match self.waiting(key, task)? {
            Some(prior) => Ok(prior.map(|row| (row, UNKNOWN))),
            None => self.above.fetch(key, as_of, task),
        }
    }
}

/// What Kafka Streams says where it knows no time.
const UNKNOWN: Timestamp = Timestamp::from_millis(-1);

impl<K: Send + 'static, V: Clone + Send + 'static> SuppressedRow<K, V> {
    /// The row as it was before the change of it that waits, if one does.
    fn waiting(&self, key: &K, task: &mut TaskState) -> Result<Option<Option<V>>, ProcessError> {
        let (buffer, _) = task.state::<BufferState<K, V>>(self.store.index);
        Ok(buffer.prior(key)?.map(|prior| prior.cloned()))
    }
}
