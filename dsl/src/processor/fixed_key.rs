//! Processors that cannot change the key, so that their records stay in the partition that they are in.
//!
//! Rule: a [`FixedKeyRecord`] is made from the record that came in and in no other way, so its key is that record's.

use std::marker::PhantomData;
use std::sync::Arc;

use super::{
    CannotSnapshot, Edge, Flow, NodeContext, NodeProcessor, Outlet, ProcessError, Push, SilentContext, SnapshotBytes,
    StreamOf, TaskState,
};
use crate::record::{Headers, Record, Timestamp};
use crate::state::StoreSpec;

/// A record whose key stays: that of the record which came in, with another value, time or headers.
#[derive(Debug)]
pub struct FixedKeyRecord<'a, K, V>(Record<'a, K, V>);

impl<K, V> Clone for FixedKeyRecord<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K, V> Copy for FixedKeyRecord<'_, K, V> {}

impl<'a, K, V> FixedKeyRecord<'a, K, V> {
    /// The key.
    pub fn key(&self) -> &'a K {
        self.0.key
    }

    /// The value.
    pub fn value(&self) -> &'a V {
        self.0.value
    }

    /// The record's time.
    pub fn timestamp(&self) -> Timestamp {
        self.0.timestamp
    }

    /// The record's headers.
    pub fn headers(&self) -> &'a Headers {
        self.0.headers
    }

    /// The same record with another value.
    pub fn with_value<V2>(self, value: &'a V2) -> FixedKeyRecord<'a, K, V2> {
        FixedKeyRecord(self.0.with_value(value))
    }

    /// The same record at another time.
    pub fn with_timestamp(self, timestamp: Timestamp) -> Self {
        FixedKeyRecord(self.0.with_timestamp(timestamp))
    }

    /// The same record with other headers.
    pub fn with_headers(self, headers: &'a Headers) -> Self {
        FixedKeyRecord(self.0.with_headers(headers))
    }
}

/// As [`Processor`](super::Processor), for records whose key stays. What comes after it needs no repartition topic.
///
/// ```
/// use tidemill_dsl::processor::{FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Flow};
///
/// /// Forwards each value with the time of its record.
/// struct Stamped;
///
/// impl FixedKeyProcessor<String, String, String> for Stamped {
///     fn process(
///         &mut self,
///         record: FixedKeyRecord<'_, String, String>,
///         ctx: &mut FixedKeyContext<'_, String, String>,
///     ) -> Flow {
///         ctx.forward(record.with_value(&format!("{} at {}", record.value(), record.timestamp())))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no processor of records with key `{K}` and value `{VIn}` that forwards `{VOut}` under the same key",
    note = "`impl FixedKeyProcessor<Key, ValueIn, ValueOut>`: the first two are the stream's types, `Option`s included"
)]
pub trait FixedKeyProcessor<K: 'static, VIn: 'static, VOut: 'static>: Send + 'static {
    /// The stores that the processor brings along; as [`Processor::stores`](super::Processor::stores).
    fn stores(&self) -> Vec<StoreSpec> {
        Vec::new()
    }

    /// Called once when the task begins; as [`Processor::init`](super::Processor::init).
    fn init(&mut self, _ctx: &mut SilentContext<'_>) -> Flow {
        Ok(())
    }

    /// Takes one record.
    fn process(&mut self, record: FixedKeyRecord<'_, K, VIn>, ctx: &mut FixedKeyContext<'_, K, VOut>) -> Flow;

    /// Called when a timer fires; as [`Processor::punctuate`](super::Processor::punctuate), but there is no key to forward a record with.
    fn punctuate(&mut self, timer: &str, _time: Timestamp, _ctx: &mut FixedKeyContext<'_, K, VOut>) -> Flow {
        Err(format!("timer `{timer}` fired, and the processor has no `punctuate`: implement it").into())
    }

    /// Appends the fields to `out`; as [`Processor::snapshot`](super::Processor::snapshot).
    fn snapshot(&self, _out: &mut SnapshotBytes) -> Result<(), CannotSnapshot>
    where
        Self: Sized,
    {
        if size_of::<Self>() == 0 { Ok(()) } else { Err(CannotSnapshot) }
    }

    /// Sets the fields from what `snapshot` wrote.
    fn restore(&mut self, _bytes: &[u8]) -> Result<(), ProcessError> {
        Ok(())
    }
}

/// An edge out of a [`FixedKeyProcessor`]: it carries [`FixedKeyRecord`]s.
pub struct FixedKeyOf<K, V>(PhantomData<fn(K, V)>);

impl<K: 'static, V: 'static> Edge for FixedKeyOf<K, V> {
    type Item<'a> = FixedKeyRecord<'a, K, V>;
}

/// What a [`FixedKeyProcessor`] may do while it runs.
pub type FixedKeyContext<'a, K, V> = NodeContext<'a, FixedKeyOf<K, V>>;

/// A child behind an edge that carries records with a fixed key: to the child they are records.
struct Below<K, V>(Arc<dyn Push<StreamOf<K, V>>>);

impl<K: 'static, V: 'static> Push<FixedKeyOf<K, V>> for Below<K, V> {
    #[inline]
    fn push(&self, item: FixedKeyRecord<'_, K, V>, task: &mut TaskState) -> Flow {
        self.0.push(item.0, task)
    }
}

impl<K: 'static, V: 'static> Outlet<FixedKeyOf<K, V>> {
    /// An outlet to children that take records.
    pub(crate) fn fixing_keys(children: impl IntoIterator<Item = Arc<dyn Push<StreamOf<K, V>>>>) -> Self {
        Outlet::new(children.into_iter().map(|child| Arc::new(Below(child)) as Arc<dyn Push<_>>).collect())
    }
}

impl<P, K, VIn, VOut> NodeProcessor<StreamOf<K, VIn>, FixedKeyOf<K, VOut>> for P
where
    P: FixedKeyProcessor<K, VIn, VOut>,
    K: 'static,
    VIn: 'static,
    VOut: 'static,
{
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        FixedKeyProcessor::init(self, ctx)
    }

    #[inline]
    fn process(&mut self, record: Record<'_, K, VIn>, ctx: &mut FixedKeyContext<'_, K, VOut>) -> Flow {
        FixedKeyProcessor::process(self, FixedKeyRecord(record), ctx)
    }

    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut FixedKeyContext<'_, K, VOut>) -> Flow {
        FixedKeyProcessor::punctuate(self, timer, time, ctx)
    }

    fn snapshot(&self, out: &mut SnapshotBytes) -> Result<(), CannotSnapshot> {
        FixedKeyProcessor::snapshot(self, out)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), ProcessError> {
        FixedKeyProcessor::restore(self, bytes)
    }
}
