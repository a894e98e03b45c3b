//! `skip_nulls`: drops records without key or value; from here on the types say that both are there.

use crate::processor::{DropReason, Flow, NodeContext, Operator, SideOutput, StreamOf};
use crate::record::Record;
use crate::serde::Data;

pub(crate) struct SkipNulls<K: 'static, V: 'static> {
    pub(crate) side: SideOutput<K, V>,
}

impl<K: Data, V: Data> Operator<StreamOf<K, V>, StreamOf<K::Plain, V::Plain>> for SkipNulls<K, V> {
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K::Plain, V::Plain>>) -> Flow {
        match (record.key.plain(), record.value.plain()) {
            (Some(key), Some(value)) => ctx.forward(record.with_key(key).with_value(value)),
            (None, _) => self.side.drop_record(record, DropReason::NullKey, ctx.task()),
            (_, None) => self.side.drop_record(record, DropReason::NullValue, ctx.task()),
        }
    }
}
