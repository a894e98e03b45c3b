//! What a stream does not do before it is grouped.
//!
//! Rule: none of this can be called. It is here so that the compiler names the step that is missing; for `count` and `reduce` it
//! would speak of iterators otherwise, which have verbs of these names too.

use super::{IntoMaterialized, Stream, Table, WindowKind, WindowedStream};
use crate::serde::Data;

/// Streams that are aggregated as they are: there are none.
#[diagnostic::on_unimplemented(
    message = "a stream is grouped before it is aggregated",
    label = "not grouped",
    note = "`.group_by_key()` first, or `.group_by(|key, value| ..)`: a `GroupedStream` has this verb"
)]
pub trait AggregatedUngrouped {}

#[doc(hidden)]
impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    pub fn count(&self) -> Table<'b, K::Plain, i64>
    where
        Self: AggregatedUngrouped,
    {
        self.group_by_key().count()
    }

    pub fn reduce<R: Into<Option<V::Plain>>>(
        &self,
        combine: impl Fn(V::Plain, &V::Plain) -> R + Send + Sync + 'static,
    ) -> Table<'b, K::Plain, V::Plain>
    where
        V::Plain: Clone,
        Self: AggregatedUngrouped,
    {
        self.group_by_key().reduce(combine)
    }

    pub fn aggregate<A, T, R>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, A>,
        initial: impl Fn() -> T + Send + Sync + 'static,
        fold: impl Fn(T, &K::Plain, &V::Plain) -> R + Send + Sync + 'static,
    ) -> Table<'b, K::Plain, A>
    where
        A: Data<Plain = A>,
        T: From<A> + 'static,
        R: Into<Option<A>>,
        Self: AggregatedUngrouped,
    {
        self.group_by_key().aggregate(materialized, initial, fold)
    }

    pub fn windowed_by<W: WindowKind>(&self, windows: W) -> WindowedStream<'b, K, V, W>
    where
        Self: AggregatedUngrouped,
    {
        self.group_by_key().windowed_by(windows)
    }
}
