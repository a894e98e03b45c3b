//! `to_stream`: every change of a table as a record, a deleted row as a record without value.

use crate::processor::{Flow, NodeContext, Operator, StreamOf, TableOf};
use crate::record::{Change, Record};

pub(crate) struct ToStream;

impl<K: 'static, V: 'static> Operator<TableOf<K, V>, StreamOf<K, Option<V>>> for ToStream {
    fn process(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, StreamOf<K, Option<V>>>) -> Flow {
        ctx.forward(Record { key: change.key, value: change.new, timestamp: change.timestamp, headers: change.headers })
    }
}
