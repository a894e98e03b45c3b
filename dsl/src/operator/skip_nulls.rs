//! `skip_nulls`: drops records without key or value; from here on the types say that both are there.

use crate::processor::{DropReason, Flow, NodeContext, Operator, StreamOf};
use crate::record::Record;
use crate::serde::Data;

pub(crate) struct SkipNulls;

impl<K: Data, V: Data> Operator<StreamOf<K, V>, StreamOf<K::Plain, V::Plain>> for SkipNulls {
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K::Plain, V::Plain>>) -> Flow {
        match (record.key.plain(), record.value.plain()) {
            (Some(key), Some(value)) => return ctx.forward(record.with_key(key).with_value(value)),
            (None, _) => ctx.drop_record(DropReason::NullKey),
            (_, None) => ctx.drop_record(DropReason::NullValue),
        }
        Ok(())
    }
}
