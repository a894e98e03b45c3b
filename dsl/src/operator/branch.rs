//! `split`: the first predicate that holds takes the record; the rest goes to the default branch, or nowhere.

use crate::processor::{Flow, NodeContext, Operator, ProcessError, StreamOf};
use crate::record::Record;

pub(crate) type Predicate<K, V> = Box<dyn Fn(&K, &V) -> Result<bool, ProcessError> + Send + Sync>;

/// The predicates, each with the position of its branch among the node's children.
pub(crate) struct Branch<K, V> {
    pub(crate) predicates: Vec<(usize, Predicate<K, V>)>,
    pub(crate) default: Option<usize>,
}

impl<K: 'static, V: 'static> Operator<StreamOf<K, V>, StreamOf<K, V>> for Branch<K, V> {
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, V>>) -> Flow {
        for (child, predicate) in &self.predicates {
            if predicate(record.key, record.value)? {
                return ctx.push_to(*child, record);
            }
        }
        self.default.map_or(Ok(()), |child| ctx.push_to(child, record))
    }
}
