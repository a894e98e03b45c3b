//! Emission on window close: one result for each window, once nothing can change it any more.
//!
//! Order: a window's start (a session's end, then its start), then the key's bytes. It comes after the update by the record
//! that closed the windows, and carries that record's headers and the row's time.

use std::ops::RangeInclusive;

use super::lend::{Changed, push_row};
use super::window_aggregate::Windowing;
use crate::processor::{NodeContext, ProcessError, TableOf};
use crate::record::{Headers, Timestamp};
use crate::state::{CellId, KeyedRows, SessionState, StoreError, WindowState};
use crate::window::{EmitStrategy, TimeWindows, Windowed};

/// Rows that are asked for once their windows are closed.
pub(crate) trait ClosingRows: KeyedRows {
    /// Takes the rows with times in `times` for closed ones, and gives their keys in the order of emission.
    fn take_closing(&mut self, times: RangeInclusive<i64>) -> Result<Vec<Vec<u8>>, StoreError>;

    /// The row of one of these keys, if it is still there: its typed key, its place and its time.
    fn closing(&mut self, key: &[u8]) -> Result<Option<(Self::Key, CellId, Timestamp)>, StoreError>;
}

impl<K: Send + 'static, V: Send + 'static> ClosingRows for WindowState<K, V> {
    fn take_closing(&mut self, times: RangeInclusive<i64>) -> Result<Vec<Vec<u8>>, StoreError> {
        WindowState::take_closing(self, times)
    }

    fn closing(&mut self, key: &[u8]) -> Result<Option<(Windowed<K>, CellId, Timestamp)>, StoreError> {
        WindowState::closing(self, key)
    }
}

impl<K: Send + 'static, V: Send + 'static> ClosingRows for SessionState<K, V> {
    fn take_closing(&mut self, times: RangeInclusive<i64>) -> Result<Vec<Vec<u8>>, StoreError> {
        SessionState::take_closing(self, times)
    }

    fn closing(&mut self, key: &[u8]) -> Result<Option<(Windowed<K>, CellId, Timestamp)>, StoreError> {
        SessionState::closing(self, key)
    }
}

/// Emits the windows that have been closed since the last time, if it is time to look for them; gives whether there were any.
///
/// `last` gives, for a time up to which windows are closed, the greatest time of a row (start of a window, end of a session)
/// that is closed then.
pub(super) fn emit_closed<S: ClosingRows>(
    windowing: &Windowing<S>,
    closed_to: i64,
    last: impl Fn(i64) -> i64,
    headers: &Headers,
    ctx: &mut NodeContext<'_, TableOf<S::Key, S::Value>>,
) -> Result<bool, ProcessError> {
    let Windowing { store, time, emit } = windowing;
    if *emit == EmitStrategy::OnUpdate {
        return Ok(false);
    }
    let task = ctx.task();
    let pace = (task.now(), task.emit_interval());
    let closed_to_time = Timestamp::from_millis(closed_to);
    let Some(emitted_to) = task.time(*time).begin_emission(pace, closed_to_time) else { return Ok(false) };
    if last(closed_to) < 0 {
        return Ok(false);
    }
    let first = emitted_to.map_or(0, |emitted_to| last(emitted_to.as_millis()).saturating_add(1).max(0));
    let closing = task.state::<S>(store.index).0.take_closing(first..=last(closed_to))?;
    let any = !closing.is_empty();
    for key in closing {
        let (outlet, task) = ctx.children();
        let mut state = task.take_state::<S>(store.index);
        match state.closing(&key) {
            Ok(Some((key, row, timestamp))) => {
                push_row(store, &key, (state, Changed { row, old: None, timestamp }), headers, outlet, task)?;
            }
            Ok(None) => task.return_store(store.index, state),
            Err(error) => {
                task.return_store(store.index, state);
                return Err(error.into());
            }
        }
    }
    ctx.task().time(*time).emitted(closed_to_time);
    Ok(any)
}

/// The greatest start of a window that is closed at `closed_to`, by which its end lies behind it or on it.
pub(super) fn last_start(windows: &impl TimeWindows) -> impl Fn(i64) -> i64 {
    move |closed_to| windows.last_start(Timestamp::from_millis(closed_to)).as_millis()
}
