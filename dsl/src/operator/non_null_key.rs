//! The filter before a repartition topic: a record without a key belongs to no partition.

use crate::processor::{DropReason, Flow, NodeContext, Operator, StreamOf};
use crate::record::Record;
use crate::serde::Data;

/// Drops records without a key, unless what follows has a use for them: a left join (KIP-962).
pub(crate) struct NonNullKey {
    pub(crate) keep_null: bool,
}

impl<K: Data, V: 'static> Operator<StreamOf<K, V>, StreamOf<K, V>> for NonNullKey {
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, V>>) -> Flow {
        if self.keep_null || record.key.plain().is_some() {
            return ctx.forward(record);
        }
        ctx.drop_record(DropReason::NullKey);
        Ok(())
    }
}
