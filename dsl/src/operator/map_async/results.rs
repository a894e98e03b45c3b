//! The edge that results of calls leave by: to the nodes below it is one of a stream.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::processor::{Edge, Flow, Outlet, Push, StreamOf, TaskState};
use crate::record::Record;

/// What a node that makes calls hands on.
pub(crate) struct ResultsOf<K, R>(PhantomData<fn(K, R)>);

impl<K: 'static, R: 'static> Edge for ResultsOf<K, R> {
    type Item<'a> = Record<'a, K, R>;
}

/// A node below.
struct Below<K: 'static, R: 'static>(Arc<dyn Push<StreamOf<K, R>>>);

impl<K: 'static, R: 'static> Push<ResultsOf<K, R>> for Below<K, R> {
    fn push(&self, result: Record<'_, K, R>, task: &mut TaskState) -> Flow {
        self.0.push(result, task)
    }
}

impl<K: 'static, R: 'static> Outlet<ResultsOf<K, R>> {
    /// The way to the nodes below.
    pub(crate) fn of_results(below: impl Iterator<Item = Arc<dyn Push<StreamOf<K, R>>>>) -> Self {
        Outlet::new(below.map(|node| Arc::new(Below(node)) as Arc<dyn Push<ResultsOf<K, R>>>).collect())
    }
}
