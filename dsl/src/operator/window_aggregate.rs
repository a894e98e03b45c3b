//! Aggregations of windows that lie fixed on the axis of time.
//!
//! Records without a key are dropped; a record without a value is folded like any other. The operator's own time moves first;
//! a window whose grace is over by it takes no record. A row's time is the greatest of its records.

use super::closing::{emit_closed, last_start};
use super::lend::{change_row, keep_row};
use crate::processor::{DropReason, Flow, NodeContext, Operator, ProcessError, StreamOf, TableOf};
use crate::record::Record;
use crate::serde::Data;
use crate::state::WindowState;
use crate::topology::StoreSlot;
use crate::window::{EmitStrategy, TimeWindows, Window, Windowed, millis};

/// What aggregations of all kinds of windows have.
pub(crate) struct Windowing<S> {
    pub(crate) store: StoreSlot<S>,
    /// The place of the operator's own time.
    pub(crate) time: usize,
    pub(crate) emit: EmitStrategy,
}

pub(crate) struct WindowAggregate<K: 'static, A: 'static, W, F> {
    pub(crate) windowing: Windowing<WindowState<K, A>>,
    pub(crate) windows: W,
    pub(crate) fold: F,
}

impl<K, V, A, W, F> Operator<StreamOf<K, V>, TableOf<Windowed<K::Plain>, A>> for WindowAggregate<K::Plain, A, W, F>
where
    K: Data<Plain: Clone>,
    V: Data,
    A: Send + 'static,
    W: TimeWindows,
    F: Fn(Option<A>, &K::Plain, &V) -> Result<Option<A>, ProcessError> + Send + Sync + 'static,
{
    fn process(&self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<Windowed<K::Plain>, A>>) -> Flow {
        let Some(key) = record.key.plain() else {
            ctx.drop_record(DropReason::NullKey);
            return Ok(());
        };
        let Windowing { store, time, emit } = &self.windowing;
        let observed = ctx.task().time(*time).observe(record.timestamp);
        let closed_to = observed.as_millis().saturating_sub(millis(self.windows.grace()));
        let (state, _) = ctx.task().state::<WindowState<K::Plain, A>>(store.index);
        let mut windowed = state.lend_key(key, Window::default());
        for window in self.windows.windows_of(record.timestamp) {
            if window.end.as_millis() <= closed_to {
                ctx.drop_record(DropReason::Late);
                continue;
            }
            windowed.window = window;
            let update = |row: Option<(A, _)>| {
                let (row, time) = match row {
                    Some((row, time)) => (Some(row), record.timestamp.max(time)),
                    None => (None, record.timestamp),
                };
                Ok(((self.fold)(row, key, record.value)?, time))
            };
            match emit {
                EmitStrategy::OnUpdate => change_row(store, &windowed, record, ctx, update)?,
                EmitStrategy::OnWindowClose => keep_row(store, &windowed, record, ctx, update)?,
            }
        }
        ctx.task().state::<WindowState<K::Plain, A>>(store.index).0.return_key(windowed);
        emit_closed(&self.windowing, closed_to, last_start(&self.windows), record.headers, ctx)
    }
}
