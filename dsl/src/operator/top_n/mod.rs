//! `top_n`: keeps the entries of each group in the order of their ranks, and the first of them as the group's row.
//!
//! Rule: entries are compared by rank, then by the bytes of their values, so neither arrival nor partition decides. The
//! group's row changes, and is handed on, only if the first entries did.

mod candidate;
mod first;
mod list_changes;
mod of_stream;
mod of_table;

use std::ops::ControlFlow;

pub(crate) use candidate::{Candidate, CandidateSerde};
use first::First;
pub(crate) use list_changes::ListChanges;
pub(crate) use of_stream::TopOfStream;
pub(crate) use of_table::TopOfTable;

use super::TableStore;
use crate::processor::{Flow, NodeContext, ProcessError, TableOf};
use crate::record::{Record, Timestamp};
use crate::serde::SerdeRef;
use crate::state::{Direction, KeyRange, KeyValueState};
use crate::topology::RowSlot;

/// The entries of groups.
type Candidates = KeyValueState<Vec<u8>, Candidate>;

/// Appends the rank of a value.
pub(crate) type WriteRank<V> = Box<dyn Fn(&V, &mut Vec<u8>) -> Result<(), ProcessError> + Send + Sync>;

/// What rankings of streams and of tables have in common.
pub(crate) struct Ranking<K: 'static, V: 'static> {
    pub(crate) n: usize,
    pub(crate) keys: SerdeRef<K>,
    pub(crate) values: SerdeRef<V>,
    pub(crate) rank: WriteRank<V>,
    /// The first entries of each group.
    pub(crate) top: TableStore<K, Vec<V>>,
    pub(crate) candidates: RowSlot<Vec<u8>, Candidate>,
}

/// The context of a ranking.
type Ctx<'a, K, V> = NodeContext<'a, TableOf<K, Vec<V>>>;

/// Room for a key, in bytes, and for a list, in entries, of the usual size.
const USUAL: usize = 64;

impl<K: 'static, V: Send + 'static> Ranking<K, V> {
    /// What the keys of a group's entries begin with.
    fn group(&self, key: &K) -> Result<Vec<u8>, ProcessError> {
        // Room for an entry of the usual size, so that the key need not grow.
        let mut group = Vec::with_capacity(USUAL);
        group.extend_from_slice(&[0; 4]);
        self.keys.write(key, &mut group)?;
        let size = u32::try_from(group.len() - 4)?;
        group[..4].copy_from_slice(&size.to_be_bytes());
        Ok(group)
    }

    /// The key of an entry, and the size of its rank.
    fn entry(&self, group: &[u8], value: &V) -> Result<(Vec<u8>, u32), ProcessError> {
        let mut key = Vec::with_capacity(group.len() + USUAL);
        key.extend_from_slice(group);
        (self.rank)(value, &mut key)?;
        let rank = u32::try_from(key.len() - group.len())?;
        crate::serde::turn_over(&mut key[group.len()..]);
        self.values.write(value, &mut key)?;
        Ok((key, rank))
    }

    /// The first entries of a group, so many that they are `n` or more together if there are.
    fn first(&self, group: &[u8], ctx: &mut Ctx<'_, K, V>) -> Result<First, ProcessError> {
        let (candidates, _) = ctx.task().state::<Candidates>(self.candidates.index);
        let (mut first, mut count) = (First::default(), 0);
        candidates.walk(&KeyRange::prefix(group), Direction::Forward, &mut |key, candidate, _| {
            first.push(&key[group.len()..], *candidate);
            count += candidate.count as usize;
            if count < self.n { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(first)
    }

    /// Adds an entry to those of a key, or takes one away if there is one.
    fn count(&self, (key, rank): (&[u8], u32), adds: bool, at: Timestamp, ctx: &mut Ctx<'_, K, V>) -> Flow {
        let (candidates, mut out) = ctx.task().state::<Candidates>(self.candidates.index);
        let row = candidates.rows().claim(key)?;
        let before = candidates.take(row)?.map_or(0, |(candidate, _)| candidate.count);
        // What was never added is not taken away, as in aggregations of groups.
        let count = if adds { before.saturating_add(1) } else { before.saturating_sub(1) };
        let after = (count > 0).then_some(Candidate { rank, count });
        Ok(candidates.set(row, after, at, &mut out)?)
    }

    /// Makes the group's row of its first entries, and hands the change on.
    fn tell<V2>(&self, record: Record<'_, K, V2>, group: &[u8], ctx: &mut Ctx<'_, K, V>) -> Flow {
        let mut list = Vec::with_capacity(self.n.min(USUAL));
        for (entry, Candidate { rank, count }) in self.first(group, ctx)?.iter() {
            let value = &entry[rank as usize..];
            for _ in 0..(count as usize).min(self.n - list.len()) {
                list.push(self.values.read(value)?);
            }
        }
        self.top.change(record.key, record, ctx, |row| {
            let time = row.map_or(record.timestamp, |(_, time)| time.max(record.timestamp));
            Ok(((!list.is_empty()).then_some(list), time))
        })
    }
}
