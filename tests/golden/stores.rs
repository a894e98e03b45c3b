//! The rows of a store in the words of a file, so that they can be compared with what was recorded.

use serde::Serialize;
use serde_json::{Value, json};
use tidemill::state::Store;
use tidemill_testkit::TestDriver;

type ReadRows = dyn Fn(&mut TestDriver) -> Vec<Value>;

/// A store whose contents at the end are recorded.
pub(crate) struct StoreRows {
    pub(crate) name: String,
    read: Box<ReadRows>,
}

impl StoreRows {
    /// Rows with their times: kind `tkv`.
    pub(crate) fn timestamped<K: Serialize, V: Serialize + Send>(store: &Store<K, V>) -> Self {
        StoreRows::new(store, |driver, store| {
            let rows = driver.store(store).all_with_times();
            rows.into_iter().map(|(k, v, time)| json!({"key": k, "value": v, "ts": time.as_millis()})).collect()
        })
    }

    /// Rows without times: kind `kv`.
    pub(crate) fn plain<K: Serialize, V: Serialize + Send>(store: &Store<K, V>) -> Self {
        StoreRows::new(store, |driver, store| {
            driver.store(store).all().into_iter().map(|(k, v)| json!({"key": k, "value": v})).collect()
        })
    }

    fn new<K, V>(store: &Store<K, V>, read: fn(&mut TestDriver, &Store<K, V>) -> Vec<Value>) -> Self {
        let (name, store) = (store.name().to_owned(), store.clone());
        StoreRows { name, read: Box::new(move |driver| read(driver, &store)) }
    }

    /// The rows in the order of the keys' bytes.
    pub(crate) fn read(&self, driver: &mut TestDriver) -> Vec<Value> {
        (self.read)(driver)
    }
}
