//! The rows of a store in the words of a file, so that they can be compared with what was recorded.

use serde::Serialize;
use serde_json::{Value, json};
use tidemill::state::{SessionStore, Store, WindowStore};
use tidemill::window::Windowed;
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

    /// Rows of windows with their times: kind `twindow`.
    pub(crate) fn windows<V: Serialize + Send>(store: &WindowStore<String, V>) -> Self {
        StoreRows::windowed(store, |key, value, time| json!({"key": key, "value": value, "ts": time}))
    }

    /// Rows of windows without times: kind `window`.
    pub(crate) fn plain_windows<V: Serialize + Send>(store: &WindowStore<String, V>) -> Self {
        StoreRows::windowed(store, |key, value, _| json!({"key": key, "value": value}))
    }

    /// Rows of sessions: kind `session`.
    pub(crate) fn sessions<V: Serialize + Send>(store: &SessionStore<String, V>) -> Self {
        let (name, store) = (store.name().to_owned(), store.clone());
        let read = move |driver: &mut TestDriver| {
            let rows = driver.store(&store).all().into_iter();
            in_order(rows.map(|(key, value)| (key.clone(), json!({"key": in_words(key), "value": value}))))
        };
        StoreRows { name, read: Box::new(read) }
    }

    fn windowed<V: Serialize + Send>(store: &WindowStore<String, V>, row: fn(Value, V, i64) -> Value) -> Self {
        let (name, store) = (store.name().to_owned(), store.clone());
        let read = move |driver: &mut TestDriver| {
            let rows = driver.store(&store).all_with_times().into_iter();
            in_order(rows.map(|(key, value, time)| (key.clone(), row(in_words(key), value, time.as_millis()))))
        };
        StoreRows { name, read: Box::new(read) }
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

/// A key in a window as a file has it.
fn in_words(key: Windowed<String>) -> Value {
    json!({"key": key.key, "start": key.window.start.as_millis(), "end": key.window.end.as_millis()})
}

/// Rows by key, start and end, as files list them.
fn in_order(rows: impl Iterator<Item = (Windowed<String>, Value)>) -> Vec<Value> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    rows.into_iter().map(|(_, row)| row).collect()
}
