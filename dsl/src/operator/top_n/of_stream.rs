//! The ranking of a stream's records: an entry that falls behind the first ones never comes back, so it is forgotten.

use std::ops::ControlFlow;

use super::{Candidates, Ctx, Ranking};
use crate::operator::aggregate::key_and_value;
use crate::processor::{Flow, NodeContext, Operator, StreamOf, TableOf};
use crate::record::{Record, Timestamp};
use crate::serde::Data;
use crate::state::{Direction, KeyRange};

pub(crate) struct TopOfStream<K: 'static, V: 'static>(pub(crate) Ranking<K, V>);

impl<K: Data, V: Data> Operator<StreamOf<K, V>, TableOf<K::Plain, Vec<V::Plain>>> for TopOfStream<K::Plain, V::Plain> {
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K::Plain, Vec<V::Plain>>>) -> Flow {
        let Some((key, value)) = key_and_value(&record, ctx) else { return Ok(()) };
        let Self(ranking) = self;
        let group = ranking.group(key)?;
        let (entry, rank) = ranking.entry(&group, value)?;
        let first = ranking.first(&group, ctx)?;
        let is_full = first.count() >= ranking.n;
        if is_full && first.last().is_some_and(|last| *last <= entry[group.len()..]) {
            return Ok(());
        }
        ranking.count((&entry, rank), true, record.timestamp, ctx)?;
        if is_full {
            ranking.forget_last(&group, record.timestamp, ctx)?;
        }
        ranking.tell(record.with_key(key), &group, ctx)
    }
}

impl<K: 'static, V: Send + 'static> Ranking<K, V> {
    fn forget_last(&self, group: &[u8], at: Timestamp, ctx: &mut Ctx<'_, K, V>) -> Flow {
        let (candidates, _) = ctx.task().state::<Candidates>(self.candidates.index);
        let mut last = None;
        candidates.walk(&KeyRange::prefix(group), Direction::Backward, &mut |key, candidate, _| {
            last = Some((key.to_vec(), candidate.rank));
            ControlFlow::Break(())
        })?;
        last.map_or(Ok(()), |(key, rank)| self.count((&key, rank), false, at, ctx))
    }
}
