//! Where a table's node keeps its rows: the latest of each key, or its versions.

use super::lend::{Row, change_row, store_change};
use super::read_row::place;
use crate::processor::{DropReason, Flow, NodeContext, ProcessError, TableOf, TaskState};
use crate::record::{Change, Timestamp};
use crate::state::{Cause, Put, VersionedState};
use crate::topology::{RowSlot, StoreSlot};

/// The store of a table's rows.
pub(crate) enum TableStore<K: 'static, V: 'static> {
    /// The latest row of each key.
    Latest(RowSlot<K, V>),
    /// The versions of each row.
    Versions(StoreSlot<VersionedState<K, V>>),
}

impl<K: 'static, V: Send + 'static> TableStore<K, V> {
    /// Whether the nodes below want to know a row as it was before a change.
    pub(crate) fn sends_old(&self) -> bool {
        match self {
            TableStore::Latest(slot) => slot.sends_old,
            TableStore::Versions(slot) => slot.sends_old,
        }
    }

    /// Gives `update` the latest row, stores what it returns, and hands the change to the children.
    #[inline]
    pub(super) fn change<'c>(
        &self,
        key: &K,
        cause: impl Into<Cause<'c>>,
        ctx: &mut NodeContext<'_, TableOf<K, V>>,
        update: impl FnOnce(Option<(V, Timestamp)>) -> Result<Row<V>, ProcessError>,
    ) -> Flow {
        match self {
            TableStore::Latest(slot) => change_row(slot, key, cause, ctx, update),
            TableStore::Versions(slot) => {
                let (store, _) = ctx.task().state::<VersionedState<K, V>>(slot.index);
                let row = store.fetch_latest(key)?.map(|version| (version.value, version.from));
                put_version(slot, key, update(row)?, OldRow::FromStore, cause.into(), ctx)
            }
        }
    }

    /// Stores a row, whatever was there, and hands the change to the children.
    #[inline]
    pub(super) fn put<'c>(
        &self,
        key: &K,
        row: Row<V>,
        cause: impl Into<Cause<'c>>,
        ctx: &mut NodeContext<'_, TableOf<K, V>>,
    ) -> Flow {
        match self {
            TableStore::Latest(slot) => change_row(slot, key, cause, ctx, |_| Ok(row)),
            TableStore::Versions(slot) => put_version(slot, key, row, OldRow::FromStore, cause.into(), ctx),
        }
    }

    /// Stores the row that a change brings, and hands it on with the old row that it has.
    pub(super) fn store(&self, change: Change<'_, K, V>, ctx: &mut NodeContext<'_, TableOf<K, V>>) -> Flow
    where
        V: Clone,
    {
        match self {
            TableStore::Latest(slot) => store_change(slot, change, ctx),
            TableStore::Versions(slot) => {
                let row = (change.new.clone(), change.timestamp);
                put_version(slot, change.key, row, OldRow::Given(change.old), change.into(), ctx)
            }
        }
    }

    /// Whether a key has a row now.
    pub(super) fn has_row(&self, key: &K, task: &mut TaskState) -> Result<bool, ProcessError> {
        match self {
            TableStore::Latest(slot) => {
                let row = place(slot, key, task)?;
                let (store, _) = task.state::<crate::state::KeyValueState<K, V>>(slot.index);
                Ok(row.is_some_and(|row| store.row(row).is_some()))
            }
            TableStore::Versions(slot) => {
                let (store, _) = task.state::<VersionedState<K, V>>(slot.index);
                Ok(store.get(key)?.is_some())
            }
        }
    }
}

/// The row before a change, where the nodes below want it.
enum OldRow<'a, V> {
    /// The latest one in the store.
    FromStore,
    /// What the change above has.
    Given(Option<&'a Option<V>>),
}

/// Stores a version, and hands it on unless it is older than what the store keeps. The latest row goes with it as the old
/// one, also where the version lies in the past, as in Kafka Streams.
fn put_version<K: 'static, V: Send + 'static>(
    slot: &StoreSlot<VersionedState<K, V>>,
    key: &K,
    (value, timestamp): Row<V>,
    old: OldRow<'_, V>,
    cause: Cause<'_>,
    ctx: &mut NodeContext<'_, TableOf<K, V>>,
) -> Flow {
    let headers = cause.headers;
    let (store, out) = ctx.task().state::<VersionedState<K, V>>(slot.index);
    let stored = match old {
        OldRow::FromStore if slot.sends_old => Some(store.fetch_latest(key)?.map(|version| version.value)),
        _ => None,
    };
    let old = match old {
        OldRow::FromStore => stored.as_ref(),
        OldRow::Given(old) => old,
    };
    let is_latest = match store.put(key, value, timestamp, &mut out.caused_by(cause))? {
        Put::Latest => true,
        Put::Until(_) => false,
        Put::Dropped => {
            ctx.drop_record(DropReason::Expired);
            return Ok(());
        }
    };
    let (store, _) = ctx.task().state::<VersionedState<K, V>>(slot.index);
    if slot.used_below {
        let new = store.fetch_version(key, timestamp)?;
        return ctx.push(Change { key, new: &new, old, timestamp, headers, is_latest });
    }
    let mut store = ctx.task().take_state::<VersionedState<K, V>>(slot.index);
    let flow = match store.version(key, timestamp) {
        Ok(new) => ctx.push(Change { key, new: new.unwrap_or(&None), old, timestamp, headers, is_latest }),
        Err(error) => Err(error.into()),
    };
    ctx.task().return_store(slot.index, store);
    flow
}
