//! The rows of a store in the words of a file, so that they can be compared with what was recorded.

use serde::Serialize;
use serde_json::{Value, json};
use tidemill::record::Timestamp;
use tidemill::state::{SessionStore, Store, VersionedStore, WindowStore};
use tidemill::window::Windowed;
use tidemill_testkit::TestDriver;

type ReadRows = dyn Fn(&mut TestDriver, &[Value]) -> Vec<Value>;

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

    /// Rows with their times and headers: kind `tkvh`.
    pub(crate) fn with_headers<K: Serialize + Clone, V: Serialize + Send>(store: &Store<K, V>) -> Self {
        StoreRows::new(store, |driver, store| {
            let mut view = driver.store(store);
            let rows = view.all_with_times().into_iter().map(|(key, value, time)| {
                let (_, headers) = view.get_with_headers(key.clone()).expect("the row was there");
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let headers: Vec<_> = headers.iter().map(|(name, value)| json!([name, value.map(text)])).collect();
                json!({"key": key, "value": value, "ts": time.as_millis(), "headers": headers})
            });
            rows.collect()
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
        StoreRows { name, read: Box::new(move |driver, _| read(driver)) }
    }

    fn windowed<V: Serialize + Send>(store: &WindowStore<String, V>, row: fn(Value, V, i64) -> Value) -> Self {
        let (name, store) = (store.name().to_owned(), store.clone());
        let read = move |driver: &mut TestDriver| {
            let rows = driver.store(&store).all_with_times().into_iter();
            in_order(rows.map(|(key, value, time)| (key.clone(), row(in_words(key), value, time.as_millis()))))
        };
        StoreRows { name, read: Box::new(move |driver, _| read(driver)) }
    }

    fn new<K, V>(store: &Store<K, V>, read: fn(&mut TestDriver, &Store<K, V>) -> Vec<Value>) -> Self {
        let (name, store) = (store.name().to_owned(), store.clone());
        StoreRows { name, read: Box::new(move |driver, _| read(driver, &store)) }
    }

    /// Versions of rows: kind `versioned`. A file has the answers to questions, each with its key and its time, and those are
    /// asked again. Until when a version was valid is not in the answers: Kafka Streams knows it and does not say it.
    pub(crate) fn versioned<V: Clone + Serialize + Send>(store: &VersionedStore<String, V>) -> Self {
        let (name, store) = (store.name().to_owned(), store.clone());
        let read = move |driver: &mut TestDriver, recorded: &[Value]| {
            let mut answer = |question: &Value| {
                let key = question["key"].as_str().unwrap_or_default().to_owned();
                let as_of = question.get("asOf").cloned();
                let versions = driver.store(&store).with(|store| {
                    let version = match as_of.as_ref().and_then(Value::as_i64) {
                        Some(time) => store.get_as_of(&key, Timestamp::from_millis(time))?,
                        None => store.get(&key)?,
                    };
                    Ok(version.map(|version| (version.value.clone(), version.from)))
                });
                answer_in_words(&key, as_of, versions.into_iter().flatten().next())
            };
            recorded.iter().map(&mut answer).collect()
        };
        StoreRows { name, read: Box::new(read) }
    }

    /// The rows in the order of the keys' bytes; of a versioned store the answers to what was recorded.
    pub(crate) fn read(&self, driver: &mut TestDriver, recorded: &[Value]) -> Vec<Value> {
        (self.read)(driver, recorded)
    }
}

fn answer_in_words<V: Serialize>(key: &str, as_of: Option<Value>, version: Option<(V, Timestamp)>) -> Value {
    let mut answer = json!({"key": key, "value": version.as_ref().map(|(value, _)| value)});
    let mut add = |name: &str, part: Option<Value>| part.map(|part| answer[name] = part);
    add("asOf", as_of);
    add("ts", version.map(|(_, from)| json!(from.as_millis())));
    answer
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
