//! `table`, `to_table`: makes records into changes of a table. A record without a value deletes.
//!
//! The last record in the topic wins, also when its time is older: the rule of tables that are not versioned.

use super::TableStore;
use crate::processor::{DropReason, Flow, NodeContext, Operator, StreamOf, TableOf};
use crate::record::{Change, Record};
use crate::serde::Data;

pub(crate) struct TableSource<K: 'static, V: 'static> {
    /// Where the rows are kept, if anything needs them.
    pub(crate) store: Option<TableStore<K, V>>,
}

impl<K, V> Operator<StreamOf<K, V>, TableOf<K::Plain, V::Plain>> for TableSource<K::Plain, V::Plain>
where
    K: Data,
    V: Data<Plain: Clone>,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K::Plain, V::Plain>>) -> Flow {
        let Some(key) = record.key.plain() else {
            ctx.drop_record(DropReason::NullKey);
            return Ok(());
        };
        let (new, timestamp, headers) = (record.value.plain(), record.timestamp, record.headers);
        match &self.store {
            Some(store) => store.put(key, (new.cloned(), timestamp), record, ctx),
            None => ctx.push(Change { key, new: &new.cloned(), old: None, timestamp, headers, is_latest: true }),
        }
    }
}
