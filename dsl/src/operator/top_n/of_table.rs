//! The ranking of a table's rows: all of them are kept, because a row that is deleted or falls back lets another one in.

use super::Ranking;
use crate::processor::{Flow, NodeContext, Operator, StreamOf, TableOf};
use crate::record::Record;
use crate::serde::Changed;

pub(crate) struct TopOfTable<K: 'static, V: 'static>(pub(crate) Ranking<K, V>);

impl<K: 'static, V: Send + 'static> Operator<StreamOf<K, Changed<V>>, TableOf<K, Vec<V>>> for TopOfTable<K, V> {
    fn process(&self, record: Record<'_, K, Changed<V>>, ctx: &mut NodeContext<'_, TableOf<K, Vec<V>>>) -> Flow {
        let Self(ranking) = self;
        let group = ranking.group(record.key)?;
        let before = ranking.first(&group, ctx)?;
        for (value, adds) in [(record.value.gone(), false), (record.value.came(), true)] {
            let Some(value) = value else { continue };
            let (entry, rank) = ranking.entry(&group, value)?;
            ranking.count((&entry, rank), adds, record.timestamp, ctx)?;
        }
        let after = ranking.first(&group, ctx)?;
        if before.is_like(&after, ranking.n) { Ok(()) } else { ranking.tell(record, &group, ctx) }
    }
}
