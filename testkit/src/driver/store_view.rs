//! A look into a store.
//!
//! Rule: a store is opened as a processor opens it, by its descriptor; so what a kind of store can be asked is written once.

use std::ops::ControlFlow;

use tidemill::processor::ProcessError;
use tidemill::record::{Headers, Timestamp};
use tidemill::serde::SerdeRef;
use tidemill::state::{Descriptor, Direction, SessionStore, Store, WindowStore};
use tidemill::window::{Window, Windowed};

use super::TestDriver;

/// A store of the topology, over all partitions. [`with`](Self::with) is there for every kind of store; each kind has
/// verbs of its own.
///
/// # Panics
///
/// When the topology has no store of this name, or one of another kind or with other types.
pub struct StoreView<'d, D: Descriptor> {
    driver: &'d mut TestDriver,
    store: D,
}

impl<'d, D: Descriptor> StoreView<'d, D> {
    pub(super) fn new(driver: &'d mut TestDriver, store: D) -> Self {
        StoreView { driver, store }
    }

    /// Hands the store of each task that has it to `look`, as a processor gets it, and gives what that gave, partition by
    /// partition. What `look` writes is in the store and goes to the changelog at the next commit.
    ///
    /// ```
    /// use tidemill::state::Store;
    /// use tidemill::{Topic, stream::StreamsBuilder};
    /// use tidemill_testkit::TestDriver;
    ///
    /// const IN: Topic<String, i64> = Topic::of("in");
    /// const COUNTS: Store<String, i64> = Store::of("counts");
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream(&IN).group_by_key().count_with(&COUNTS);
    /// let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 5).send("a", 6);
    /// let counts = driver.store(&COUNTS).with(|counts| Ok(counts.get(&"a".into())?.copied()));
    /// assert_eq!(counts, [Some(2)]);
    /// # Ok::<(), tidemill::topology::TopologyErrors>(())
    /// ```
    pub fn with<R>(&mut self, mut look: impl FnMut(&mut D::Access<'_>) -> Result<R, ProcessError>) -> Vec<R> {
        let mut found = Vec::new();
        for task in &mut self.driver.running().tasks {
            task.with_stores(|task| {
                let opened = task.state().open(&self.store).unwrap_or_else(|error| panic!("{error}"));
                if let Some(mut part) = opened {
                    found.push(look(&mut part).unwrap_or_else(|error| panic!("{error}")));
                }
            });
        }
        assert!(!found.is_empty(), "the topology has no store `{}`", self.store.name());
        found
    }
}

impl<K: 'static, V: Send + 'static> StoreView<'_, Store<K, V>> {
    /// The row of a key.
    pub fn get(&mut self, key: impl Into<K>) -> Option<V> {
        let (key, values) = (key.into(), self.store.value_serde().clone());
        let rows = self.with(|part| Ok(part.get(&key)?.map(|value| copy(&values, value))));
        rows.into_iter().flatten().next()
    }

    /// The row of a key and its time; panics when the store keeps none.
    pub fn get_with_time(&mut self, key: impl Into<K>) -> Option<(V, Timestamp)> {
        let (key, values) = (key.into(), self.store.value_serde().clone());
        let rows = self.with(|part| Ok(part.get_with_time(&key)?.map(|(value, time)| (copy(&values, value), time))));
        rows.into_iter().flatten().next()
    }

    /// The row of a key and its headers; panics when the store keeps none.
    pub fn get_with_headers(&mut self, key: impl Into<K>) -> Option<(V, Headers)> {
        let (key, values) = (key.into(), self.store.value_serde().clone());
        let rows = self.with(|part| {
            Ok(part.get_with_headers(&key)?.map(|(value, headers)| (copy(&values, value), headers.clone())))
        });
        rows.into_iter().flatten().next()
    }

    /// All rows in the order of their keys' bytes, partition by partition.
    pub fn all(&mut self) -> Vec<(K, V)> {
        let values = self.store.value_serde().clone();
        let rows = self.with(|part| {
            let mut rows = Vec::new();
            part.all(Direction::Forward, |key, value| {
                rows.push((key, copy(&values, value)));
                ControlFlow::Continue(())
            })?;
            Ok(rows)
        });
        rows.into_iter().flatten().collect()
    }

    /// All rows with their times, which the store has to keep, in the order of their keys' bytes, partition by partition.
    pub fn all_with_times(&mut self) -> Vec<(K, V, Timestamp)> {
        let values = self.store.value_serde().clone();
        let rows = self.with(|part| {
            let mut rows = Vec::new();
            part.all_with_times(Direction::Forward, |key, value, time| {
                rows.push((key, copy(&values, value), time));
                ControlFlow::Continue(())
            })?;
            Ok(rows)
        });
        rows.into_iter().flatten().collect()
    }
}

impl<K: Send + 'static, V: Send + 'static> StoreView<'_, WindowStore<K, V>> {
    /// The row of a key in the window that begins at `start`.
    pub fn get(&mut self, key: impl Into<K>, start: impl Into<Timestamp>) -> Option<V> {
        self.get_with_time(key, start).map(|(value, _)| value)
    }

    /// The row of a key in a window, and its time.
    pub fn get_with_time(&mut self, key: impl Into<K>, start: impl Into<Timestamp>) -> Option<(V, Timestamp)> {
        let (key, start, values) = (key.into(), start.into(), self.store.value_serde().clone());
        let rows =
            self.with(|part| Ok(part.get_with_time(&key, start)?.map(|(value, time)| (copy(&values, value), time))));
        rows.into_iter().flatten().next()
    }

    /// All rows with their times: partition by partition, segment by segment, in each in the order of the keys' bytes and of
    /// starts.
    pub fn all_with_times(&mut self) -> Vec<(Windowed<K>, V, Timestamp)> {
        let values = self.store.value_serde().clone();
        let rows = self.with(|part| {
            let mut rows = Vec::new();
            part.all_with_times(Direction::Forward, |key, value, time| {
                rows.push((key, copy(&values, value), time));
                ControlFlow::Continue(())
            })?;
            Ok(rows)
        });
        rows.into_iter().flatten().collect()
    }
}

impl<K: Send + 'static, V: Send + 'static> StoreView<'_, SessionStore<K, V>> {
    /// The row of a key's session.
    pub fn get(&mut self, key: impl Into<K>, session: Window) -> Option<V> {
        let (key, values) = (key.into(), self.store.value_serde().clone());
        let rows = self.with(|part| Ok(part.get(&key, session)?.map(|value| copy(&values, value))));
        rows.into_iter().flatten().next()
    }

    /// All rows: partition by partition, segment by segment, in each in the order of the keys' bytes, of ends and of starts.
    pub fn all(&mut self) -> Vec<(Windowed<K>, V)> {
        let values = self.store.value_serde().clone();
        let rows = self.with(|part| {
            let mut rows = Vec::new();
            part.all(Direction::Forward, |key, value| {
                rows.push((key, copy(&values, value)));
                ControlFlow::Continue(())
            })?;
            Ok(rows)
        });
        rows.into_iter().flatten().collect()
    }
}

/// A copy of a value, by way of its bytes: a store's values need not be `Clone`.
fn copy<V: 'static>(values: &SerdeRef<V>, value: &V) -> V {
    let mut bytes = Vec::new();
    let copied = values.write(value, &mut bytes).and_then(|()| values.read(&bytes));
    copied.unwrap_or_else(|error| panic!("a store's rows can be read by its own serdes: {error}"))
}
