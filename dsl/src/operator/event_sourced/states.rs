//! Keeps the states that decided commands leave, as a table.

use super::Decided;
use super::decided::NewState;
use crate::event_sourcing::Aggregate;
use crate::operator::TableStore;
use crate::processor::{Flow, NodeContext, Operator, StreamOf, TableOf};
use crate::record::Record;

pub(crate) struct KeepState<A: Aggregate> {
    pub(crate) states: TableStore<A::Key, A>,
}

impl<A: Aggregate> Operator<StreamOf<A::Key, Decided<A>>, TableOf<A::Key, A>> for KeepState<A> {
    fn process(&self, record: Record<'_, A::Key, Decided<A>>, ctx: &mut NodeContext<'_, TableOf<A::Key, A>>) -> Flow {
        let Some(NewState(state)) = record.value.state.take() else { return Ok(()) };
        self.states.change(record.key, record, ctx, |row| {
            // As in aggregations, a row's time is the greatest of what made it.
            let time = row.map_or(record.timestamp, |(_, time)| time.max(record.timestamp));
            Ok((state, time))
        })
    }
}
