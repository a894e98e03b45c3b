//! The left side joins an answer with its row, unless that has changed since it asked.

use super::row_hash;
use crate::mutants::{Mutant, is_planted};
use crate::operator::{Padding, ReadRow};
use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, StreamOf};
use crate::record::{Partitioner, Partitions, Record};
use crate::serde::{Response, SerdeRef};

/// Sends answers to the partition of the left row, wherever its key would go by itself.
pub(crate) struct ToLeftRow;

impl<K: 'static, V: 'static> Partitioner<K, Response<V>> for ToLeftRow {
    fn partitions(&self, _: Option<&[u8]>, _: &K, response: &Response<V>, _: u32) -> Partitions {
        response.partition.map_or(Partitions::Default, Partitions::one)
    }
}

pub(crate) struct Resolve<K, V: 'static, F> {
    pub(crate) table: Box<dyn ReadRow<K, V>>,
    pub(crate) row: SerdeRef<V>,
    pub(crate) padding: Padding,
    pub(crate) join: F,
}

impl<K, V, VO, R, F> Operator<StreamOf<K, Response<VO>>, StreamOf<K, Option<R>>> for Resolve<K, V, F>
where
    K: 'static,
    V: 'static,
    VO: 'static,
    R: 'static,
    F: Fn(&K, &V, Option<&VO>) -> Result<Option<R>, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, Response<VO>>, ctx: &mut NodeContext<'_, StreamOf<K, Option<R>>>) -> Flow {
        let Record { key, value: response, .. } = record;
        let mut joined = None;
        self.table.read(key, None, ctx.task(), &mut |left| {
            let left = left.map(|(row, _)| row);
            let asked_for = left.map(|row| row_hash(&self.row, row)).transpose()?;
            if asked_for != response.hash && !is_planted(Mutant::OldAnswerTaken) {
                return Ok(());
            }
            joined = Some(match (left, &response.row) {
                (Some(left), Some(right)) => (self.join)(key, left, Some(right))?,
                (Some(left), None) if self.padding == Padding::Pad => (self.join)(key, left, None)?,
                _ => None,
            });
            Ok(())
        })?;
        match &joined {
            Some(joined) => ctx.forward(record.with_value(joined)),
            None => {
                ctx.drop_record(DropReason::StaleAnswer);
                Ok(())
            }
        }
    }
}
