//! Stores in the hands of a processor: found by their descriptor, with the verbs of their kind.

use std::ops::{Bound, ControlFlow, Deref, DerefMut};

use super::{Cause, CellId, ChangelogOut, Direction, KeyRange, KeyValueState, StateStore, Store, StoreError};
use crate::processor::{Flow, ProcessError};
use crate::record::{Headers, Timestamp};

/// Names a store and its types, and says what a processor can do with it.
pub trait Descriptor {
    /// What a task keeps.
    type State: StateStore;
    /// What a processor gets.
    type Access<'a>;

    /// The store's name.
    fn name(&self) -> &str;

    /// Puts a task's store into the hands of a processor.
    fn access<'a>(state: &'a mut Self::State, out: ChangelogOut<'a>) -> Self::Access<'a>;
}

/// A store that can be looked at without being changed.
pub trait Readable: Descriptor {
    /// What a look gets.
    type Reader<'a>;

    /// Lends a task's store for a look.
    fn reader<'a>(state: &'a mut Self::State, out: ChangelogOut<'a>) -> Self::Reader<'a>;
}

impl<K: 'static, V: Send + 'static> Readable for Store<K, V> {
    type Reader<'a> = StoreReader<'a, K, V>;

    fn reader<'a>(state: &'a mut Self::State, out: ChangelogOut<'a>) -> Self::Reader<'a> {
        StoreReader { state, out }
    }
}

/// Something that names a store, as the lists of connected stores have it (`&[&COUNTS, &SEEN]`): its descriptor, whatever its kind and types, or a name known only at run time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a store",
    note = "list the stores' descriptors: `&[&COUNTS, &SEEN]`; a name known only at run time: `&[&name]`"
)]
pub trait StoreName {
    /// The store's name.
    fn store_name(&self) -> &str;
}

impl<D: Descriptor> StoreName for D {
    fn store_name(&self) -> &str {
        self.name()
    }
}

impl StoreName for &str {
    fn store_name(&self) -> &str {
        self
    }
}

impl StoreName for String {
    fn store_name(&self) -> &str {
        self
    }
}

impl<K: 'static, V: Send + 'static> Descriptor for Store<K, V> {
    type State = KeyValueState<K, V>;
    type Access<'a> = StoreAccess<'a, K, V>;

    fn name(&self) -> &str {
        Store::name(self)
    }

    fn access<'a>(state: &'a mut Self::State, out: ChangelogOut<'a>) -> Self::Access<'a> {
        StoreAccess(StoreReader { state, out })
    }
}

/// A key-value store in the hands of a processor: it reads as a [`StoreReader`] does, and writes.
pub struct StoreAccess<'a, K: 'static, V: 'static>(StoreReader<'a, K, V>);

impl<'a, K: 'static, V: 'static> Deref for StoreAccess<'a, K, V> {
    type Target = StoreReader<'a, K, V>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K: 'static, V: 'static> DerefMut for StoreAccess<'_, K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// A key-value store that is looked at.
pub struct StoreReader<'a, K: 'static, V: 'static> {
    state: &'a mut KeyValueState<K, V>,
    /// Where changes go that a cache lets out, because rows that are read take room in it.
    out: ChangelogOut<'a>,
}

impl<K: 'static, V: Send + 'static> StoreAccess<'_, K, V> {
    /// Sets the value of a key, as of the time `at`. In a store that keeps headers the row has none then.
    pub fn put(&mut self, key: &K, value: V, at: Timestamp) -> Flow {
        self.put_with_headers(key, value, at, &Headers::NONE)
    }

    /// Sets the value of a key, as of the time `at`, with headers, which a store that keeps none forgets.
    ///
    /// ```
    /// use tidemill_dsl::Topic;
    /// use tidemill_dsl::processor::{Context, Flow, Processor};
    /// use tidemill_dsl::record::{Headers, Record};
    /// use tidemill_dsl::state::{Store, StoreSpec};
    /// use tidemill_dsl::stream::StreamsBuilder;
    /// use tidemill_testkit::TestDriver;
    ///
    /// const IN: Topic<String, i64> = Topic::of("in");
    /// const OUT: Topic<String, i64> = Topic::of("out");
    /// const LAST: Store<String, i64> = Store::of("last");
    ///
    /// /// Forwards the record before, with its headers.
    /// struct Before;
    ///
    /// impl Processor<String, i64, String, i64> for Before {
    ///     fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
    ///         let mut last = ctx.store(&LAST)?;
    ///         let before = last.get_with_headers(record.key)?.map(|(value, headers)| (*value, headers.clone()));
    ///         last.put_with_headers(record.key, *record.value, record.timestamp, record.headers)?;
    ///         match before {
    ///             Some((value, headers)) => ctx.forward(record.with_value(&value).with_headers(&headers)),
    ///             None => Ok(()),
    ///         }
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.add_store(StoreSpec::timestamped(&LAST).with_headers());
    /// builder.stream(&IN).process(|| Before, &[&LAST]).to(&OUT);
    /// let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).headers(Headers::default().with("trace", "7")).send("a", 1);
    /// driver.input(&IN).send("a", 2);
    /// assert_eq!(driver.output(&OUT).records()[0].headers.last("trace"), Some(&b"7"[..]));
    /// # Ok::<(), tidemill_dsl::topology::TopologyErrors>(())
    /// ```
    pub fn put_with_headers(&mut self, key: &K, value: V, at: Timestamp, headers: &Headers) -> Flow {
        let StoreReader { state, out } = &mut self.0;
        let row = state.claim(key)?;
        state.rows().note_before(row)?;
        let cause = Cause { timestamp: at, headers };
        Ok(state.set(row, Some(value), at, &mut out.because(cause))?)
    }

    /// Sets the value of a key that has none, as of the time `at`; gives the one that it had.
    pub fn put_if_absent(&mut self, key: &K, value: V, at: Timestamp) -> Result<Option<&V>, ProcessError> {
        if self.get(key)?.is_none() {
            self.put(key, value, at)?;
            return Ok(None);
        }
        self.get(key)
    }

    /// Deletes a key and gives the value that it had.
    pub fn delete(&mut self, key: &K, at: Timestamp) -> Result<Option<V>, ProcessError> {
        let StoreReader { state, out } = &mut self.0;
        let row = state.claim(key)?;
        state.rows().touch(row, out)?;
        state.rows().note_before(row)?;
        let old = state.take(row)?.map(|(value, _)| value);
        let cause = Cause { timestamp: at, headers: &Headers::NONE };
        state.set(row, None, at, &mut out.because(cause))?;
        Ok(old)
    }
}

impl<K: 'static, V: Send + 'static> StoreReader<'_, K, V> {
    /// The value of a key.
    pub fn get(&mut self, key: &K) -> Result<Option<&V>, ProcessError> {
        let row = self.read(key)?;
        Ok(row.and_then(|row| self.state.row(row)).map(|(value, _)| value))
    }

    /// The value of a key and the time of its last update.
    ///
    /// # Errors
    ///
    /// When the store keeps no times, as one of [`StoreSpec::plain`](super::StoreSpec::plain).
    pub fn get_with_time(&mut self, key: &K) -> Result<Option<(&V, Timestamp)>, ProcessError> {
        self.check_times()?;
        let row = self.read(key)?;
        Ok(row.and_then(|row| self.state.row(row)))
    }

    /// The value of a key and the headers of the record that wrote it.
    ///
    /// # Errors
    ///
    /// When the store keeps no headers: they are kept by stores of
    /// [`StoreSpec::with_headers`](super::StoreSpec::with_headers), and by tables where
    /// [`StreamsBuilder::store_format`](crate::stream::StreamsBuilder::store_format) says so.
    pub fn get_with_headers(&mut self, key: &K) -> Result<Option<(&V, &Headers)>, ProcessError> {
        if !self.state.rows().format().has_headers() {
            return Err(keeps_no("headers", "StoreSpec::with_headers", self.state.name()));
        }
        let row = self.read(key)?;
        let state = &*self.state;
        Ok(row.and_then(|row| state.row(row).map(|(value, _)| (value, state.headers(row)))))
    }

    /// The place of a row that is read.
    fn read(&mut self, key: &K) -> Result<Option<CellId>, ProcessError> {
        let Some(row) = self.state.place(key)? else { return Ok(None) };
        self.state.rows().touch(row, &mut self.out)?;
        Ok(Some(row))
    }

    /// Visits the rows from `from` to `to`, both included, in the order of the keys' bytes, until `visit` breaks.
    /// An absent bound is open.
    pub fn range(
        &mut self,
        from: Option<&K>,
        to: Option<&K>,
        direction: Direction,
        visit: impl FnMut(K, &V) -> ControlFlow<()>,
    ) -> Flow {
        let range = key_range(from, to, |key| self.state.encode_key(key))?;
        self.walk(&range, direction, without_time(visit))
    }

    /// Visits the rows whose key's bytes begin with `prefix`.
    pub fn prefix(&mut self, prefix: &[u8], direction: Direction, visit: impl FnMut(K, &V) -> ControlFlow<()>) -> Flow {
        self.walk(&KeyRange::prefix(prefix), direction, without_time(visit))
    }

    /// Visits all rows.
    pub fn all(&mut self, direction: Direction, visit: impl FnMut(K, &V) -> ControlFlow<()>) -> Flow {
        self.walk(&KeyRange::ALL, direction, without_time(visit))
    }

    /// Visits all rows with the times of their last updates.
    ///
    /// # Errors
    ///
    /// When the store keeps no times.
    pub fn all_with_times(
        &mut self,
        direction: Direction,
        visit: impl FnMut(K, &V, Timestamp) -> ControlFlow<()>,
    ) -> Flow {
        self.check_times()?;
        self.walk(&KeyRange::ALL, direction, visit)
    }

    fn check_times(&mut self) -> Flow {
        let has_time = self.state.rows().format().has_time();
        if has_time { Ok(()) } else { Err(keeps_no("times", "StoreSpec::timestamped", self.state.name())) }
    }

    fn walk(
        &mut self,
        range: &KeyRange,
        direction: Direction,
        mut visit: impl FnMut(K, &V, Timestamp) -> ControlFlow<()>,
    ) -> Flow {
        let mut undecodable = None;
        let keys = self.state.key_serde();
        self.state.walk_by(self.out.reader, range, direction, &mut |key, value, time| match keys.read(key) {
            Ok(key) => visit(key, value, time),
            Err(error) => {
                undecodable = Some(error);
                ControlFlow::Break(())
            }
        })?;
        undecodable.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// The keys from `from` to `to`, both included; an absent bound is open.
pub(super) fn key_range<K>(
    from: Option<&K>,
    to: Option<&K>,
    encode: impl Fn(&K) -> Result<Vec<u8>, StoreError>,
) -> Result<KeyRange, StoreError> {
    let bound = |key: Option<&K>| Ok(key.map(&encode).transpose()?.map_or(Bound::Unbounded, Bound::Included));
    Ok(KeyRange { from: bound(from)?, to: bound(to)? })
}

fn without_time<K, V>(
    mut visit: impl FnMut(K, &V) -> ControlFlow<()>,
) -> impl FnMut(K, &V, Timestamp) -> ControlFlow<()> {
    move |key, value, _| visit(key, value)
}

#[cold]
fn keeps_no(what: &str, remedy: &str, store: &str) -> ProcessError {
    format!("store `{store}` keeps no {what}: add it with `{remedy}`, or read the value alone").into()
}
