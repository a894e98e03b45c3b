//! A look into a store.

use std::any::Any;
use std::ops::ControlFlow;

use tidemill::record::Timestamp;
use tidemill::state::{Direction, KeyRange, KeyValueState, Store};

use super::TestDriver;

/// The rows of a store, over all partitions.
///
/// # Panics
///
/// When the topology has no store of this name, or one of other types.
pub struct StoreView<'d, K: 'static, V: 'static> {
    driver: &'d mut TestDriver,
    store: Store<K, V>,
}

impl<'d, K: 'static, V: Send + 'static> StoreView<'d, K, V> {
    pub(super) fn new(driver: &'d mut TestDriver, store: Store<K, V>) -> Self {
        StoreView { driver, store }
    }

    /// The row of a key.
    pub fn get(&mut self, key: impl Into<K>) -> Option<V> {
        self.get_with_time(key).map(|(value, _)| value)
    }

    /// The row of a key and its time.
    pub fn get_with_time(&mut self, key: impl Into<K>) -> Option<(V, Timestamp)> {
        let key = key.into();
        self.parts(|part| {
            let copy = |part: &KeyValueState<K, V>, value: &V| part.copy(value);
            let row = part.claim(&key)?;
            part.row(row).map(|(value, time)| copy(part, value).map(|value| (value, time))).transpose()
        })
        .into_iter()
        .flatten()
        .next()
    }

    /// All rows in the order of their keys' bytes, partition by partition.
    pub fn all(&mut self) -> Vec<(K, V)> {
        self.all_with_times().into_iter().map(|(key, value, _)| (key, value)).collect()
    }

    /// All rows with their times, in the order of their keys' bytes, partition by partition.
    pub fn all_with_times(&mut self) -> Vec<(K, V, Timestamp)> {
        let (keys, values) = (self.store.key_serde().clone(), self.store.value_serde().clone());
        let rows = self.parts(|part| {
            let mut rows = Vec::new();
            part.walk(&KeyRange::ALL, Direction::Forward, &mut |key, value, time| {
                let mut bytes = Vec::new();
                let copied = values.write(value, &mut bytes).and_then(|()| values.read(&bytes));
                rows.push((keys.read(key), copied, time));
                ControlFlow::Continue(())
            })?;
            Ok(rows)
        });
        let readable = "a store's rows can be read by its own serdes";
        rows.into_iter()
            .flatten()
            .map(|(key, value, time)| (key.expect(readable), value.expect(readable), time))
            .collect()
    }

    /// Looks into the store of every task that has it.
    fn parts<R>(
        &mut self,
        look: impl Fn(&mut KeyValueState<K, V>) -> Result<R, tidemill::state::StoreError>,
    ) -> Vec<R> {
        let name = self.store.name();
        let mut found = Vec::new();
        for task in &mut self.driver.running().tasks {
            let Some(part) = task.state().store_named(name) else { continue };
            let any: &mut dyn Any = &mut **part;
            let typed =
                any.downcast_mut().unwrap_or_else(|| panic!("store `{name}` has other types than its descriptor"));
            found.push(look(typed).unwrap_or_else(|error| panic!("{error}")));
        }
        assert!(!found.is_empty(), "the topology has no store `{name}`");
        found
    }
}
