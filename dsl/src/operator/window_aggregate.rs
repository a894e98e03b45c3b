//! Aggregations of windows that lie fixed on the axis of time.
//!
//! Records without a key are dropped; a record without a value is folded like any other. The operator's own time moves first;
//! a window whose grace is over by it takes no record. A row's time is the greatest of its records.

use super::closing::{emit_closed, last_start};
use super::lend::{change_row, keep_row};
use crate::processor::{DropReason, Edge, Flow, NodeContext, Operator, ProcessError, StreamOf, TableOf};
use crate::record::{Headers, Record, Timestamp};
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

/// Which windows took a record. Each that did not counts; the record itself is late if none did.
#[derive(Default)]
pub(super) struct Taken {
    by_any: bool,
    not_by_all: bool,
}

impl Taken {
    pub(super) fn by_window(&mut self) {
        self.by_any = true;
    }

    /// Counts that a window was closed.
    pub(super) fn not_by_closed<Out: Edge>(&mut self, ctx: &mut NodeContext<'_, Out>) {
        ctx.task().drop_record(DropReason::Late);
        self.not_by_all = true;
    }

    /// Says that the record is late, if it is.
    pub(super) fn or_leave_out<Out: Edge>(&self, ctx: &mut NodeContext<'_, Out>) {
        if self.not_by_all && !self.by_any {
            ctx.leave_out(DropReason::Late);
        }
    }
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
        let mut taken = Taken::default();
        for window in self.windows.windows_of(record.timestamp) {
            if window.end.as_millis() <= closed_to {
                taken.not_by_closed(ctx);
                continue;
            }
            taken.by_window();
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
        taken.or_leave_out(ctx);
        emit_closed(&self.windowing, closed_to, last_start(&self.windows), record.headers, ctx).map(|_| ())
    }

    fn follows_time(&self) -> bool {
        true
    }

    fn advance(
        &self,
        time: Timestamp,
        ctx: &mut NodeContext<'_, TableOf<Windowed<K::Plain>, A>>,
    ) -> Result<bool, ProcessError> {
        let observed = ctx.task().time(self.windowing.time).observe(time);
        let closed_to = observed.as_millis().saturating_sub(millis(self.windows.grace()));
        emit_closed(&self.windowing, closed_to, last_start(&self.windows), &Headers::NONE, ctx)
    }
}
