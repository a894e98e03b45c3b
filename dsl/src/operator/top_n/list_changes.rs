//! What came into the lists of a table, and what left them.
//!
//! Order: what left, as it stood in the old list, then what came, as it stands in the new one.

use crate::processor::{Flow, NodeContext, Operator, StreamOf, TableOf};
use crate::record::{Change, Record};
use crate::stream::ListChange;

pub(crate) struct ListChanges;

impl<K, V> Operator<TableOf<K, Vec<V>>, StreamOf<K, ListChange<V>>> for ListChanges
where
    K: 'static,
    V: Clone + PartialEq + Send + 'static,
{
    fn process(&self, change: Change<'_, K, Vec<V>>, ctx: &mut NodeContext<'_, StreamOf<K, ListChange<V>>>) -> Flow {
        let Change { key, new, old, timestamp, headers, .. } = change;
        let old = old.and_then(Option::as_deref).unwrap_or_default();
        let new = new.as_deref().unwrap_or_default();
        let left = missing(old, new).map(ListChange::Left);
        let entered = missing(new, old).map(ListChange::Entered);
        left.chain(entered).try_for_each(|value| ctx.push(Record { key, value: &value, timestamp, headers }))
    }
}

/// The entries of `these` that `those` have not, each as often as it is missing.
fn missing<'a, V: Clone + PartialEq>(these: &'a [V], those: &'a [V]) -> impl Iterator<Item = V> + 'a {
    let of = |list: &[V], value: &V| list.iter().filter(|other| *other == value).count();
    these
        .iter()
        .enumerate()
        .filter(move |(place, value)| of(&these[..*place], value) >= of(those, value))
        .map(|(_, value)| value.clone())
}
