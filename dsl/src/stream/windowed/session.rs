//! Verbs for sessions.

use super::WindowedStream;
use crate::operator::{SessionAggregate, Windowing};
use crate::processor::ProcessError;
use crate::serde::Data;
use crate::state::{SessionKeeping, SessionState};
use crate::stream::{IntoMaterialized, Materialized, Sessions, Table};
use crate::window::{EmitStrategy, Session, SessionWindowed, Windowed};

/// A table of sessions.
type Rows<'b, K, A> = Table<'b, Windowed<<K as Data>::Plain>, A>;

impl<'b, K, V> WindowedStream<'b, K, V, Session>
where
    K: Data<Plain: Clone>,
    V: Data,
{
    /// Counts the records of each session, those without value too.
    ///
    /// A row per key and session, on disk, with a changelog, until the retention is over; its time is the session's end. A
    /// record that joins or prolongs sessions deletes their rows and makes a new one. Name the store with
    /// [`count_with`](Self::count_with).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::window::Session;
    ///
    /// # let builder = StreamsBuilder::new();
    /// let visits = builder.stream(&IN).group_by_key().windowed_by(Session::gap(Duration::from_secs(30)));
    /// visits.count().to_stream().map(|row, count| (row.to_string(), *count)).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(1_000).send("a", 7);
    /// driver.input(&IN).at(21_000).send("a", 7);
    /// let changes = driver.output(&OUT).records().into_iter().map(|record| (record.key.unwrap(), record.value));
    /// let expected = [("a@1000-1000", Some(1)), ("a@1000-1000", None), ("a@1000-21000", Some(2))];
    /// assert!(changes.eq(expected.map(|(row, count)| (row.to_owned(), count))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(&self) -> Rows<'b, K, i64> {
        self.count_with(Materialized::default())
    }

    /// As [`count`](Self::count), kept as the options say; a `&SessionStore` names the store.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::SessionStore;
    /// use tidemill_dsl::window::{Session, Window};
    ///
    /// const VISITS: SessionStore<String, i64> = SessionStore::of("visits");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).group_by_key().windowed_by(Session::gap(Duration::from_secs(30))).count_with(&VISITS);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(1_000).send("a", 7);
    /// driver.input(&IN).at(21_000).send("a", 7);
    /// assert_eq!(driver.store(&VISITS).get("a", Window::of_millis(1_000, 21_000)), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count_with(&self, materialized: impl IntoMaterialized<K::Plain, i64, Sessions>) -> Rows<'b, K, i64> {
        let fold = |count: i64, _: &K::Plain, _: &V| Ok(Some(count + 1));
        let merge = |_: &K::Plain, one: i64, other: i64| Ok(one + other);
        self.folded("KSTREAM-AGGREGATE-", materialized.into_materialized(), || 0i64, fold, merge)
    }

    /// Combines the values of each session; the first one is the first row as it is. `combine` gets the values that are absent
    /// too, and the rows of sessions that are merged.
    ///
    /// `combine` gives the new row, or `None` to delete it. Rows and times are as for [`count`](Self::count).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use std::time::Duration;
    /// use tidemill_dsl::window::Session;
    ///
    /// # let builder = StreamsBuilder::new();
    /// let sessions = builder.stream(&IN).group_by_key().windowed_by(Session::gap(Duration::from_secs(30)));
    /// let greatest = sessions.reduce(|greatest, value| greatest.max(*value));
    /// # greatest.to_stream().map(|row, value| (row.to_string(), *value)).to(&Topic::<String, i64>::of("out"));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// # driver.input(&IN).at(1_000).send("a", 8);
    /// # driver.input(&IN).at(21_000).send("a", 7);
    /// # let out = driver.output(&Topic::<String, i64>::of("out")).records();
    /// # assert_eq!(out[2].key.as_deref().zip(out[2].value), Some(("a@1000-21000", 8)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce<R: Into<Option<V::Plain>>>(
        &self,
        combine: impl Fn(V::Plain, &V) -> R + Send + Sync + 'static,
    ) -> Rows<'b, K, V::Plain>
    where
        V::Plain: Clone,
    {
        self.reduce_with(Materialized::default(), combine)
    }

    /// As [`reduce`](Self::reduce), kept as the options say; a `&SessionStore` names the store.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::SessionStore;
    /// use tidemill_dsl::window::{Session, Window};
    ///
    /// const SUMS: SessionStore<String, i64> = SessionStore::of("sums");
    /// # let builder = StreamsBuilder::new();
    /// let sessions = builder.stream(&IN).group_by_key().windowed_by(Session::gap(Duration::from_secs(30)));
    /// sessions.reduce_with(&SUMS, |sum, value| sum + value);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(1_000).send("a", 8);
    /// driver.input(&IN).at(21_000).send("a", 7);
    /// assert_eq!(driver.store(&SUMS).get("a", Window::of_millis(1_000, 21_000)), Some(15));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce_with<R: Into<Option<V::Plain>>>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, V::Plain, Sessions>,
        combine: impl Fn(V::Plain, &V) -> R + Send + Sync + 'static,
    ) -> Rows<'b, K, V::Plain>
    where
        V::Plain: Clone,
    {
        self.try_reduce_with(materialized, move |row, value| Ok::<_, ProcessError>(combine(row, value)))
    }

    /// As [`reduce_with`](Self::reduce_with), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::SessionStore;
    /// use tidemill_dsl::window::Session;
    ///
    /// const SUMS: SessionStore<String, i64> = SessionStore::of("sums");
    /// # let builder = StreamsBuilder::new();
    /// let sessions = builder.stream(&IN).group_by_key().windowed_by(Session::gap(Duration::from_secs(30)));
    /// sessions.try_reduce_with(&SUMS, |sum, value| sum.checked_add(*value).ok_or("overflow"));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", i64::MAX);
    /// assert!(driver.input(&IN).try_send("a", 1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_reduce_with<R: Into<Option<V::Plain>>, E: Into<ProcessError>>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, V::Plain, Sessions>,
        combine: impl Fn(V::Plain, &V) -> Result<R, E> + Send + Sync + 'static,
    ) -> Rows<'b, K, V::Plain>
    where
        V::Plain: Clone,
    {
        let combine = std::sync::Arc::new(move |row: Option<V::Plain>, value: &V| match row {
            Some(row) => combine(row, value).map(Into::into).map_err(Into::into),
            None => Ok(value.plain().cloned()),
        });
        let again = combine.clone();
        let fold = move |row: Option<V::Plain>, _: &K::Plain, value: &V| combine(row, value);
        let merge = move |_: &K::Plain, row: Option<V::Plain>, found: V::Plain| again(row, &V::from_plain(found));
        self.folded("KSTREAM-REDUCE-", materialized.into_materialized(), || None, fold, merge)
    }

    /// Folds the records of each session into a row: `initial` makes the first state, `fold` takes the state and gives the new
    /// one, or `None` to delete the row. `merge` adds the row of a session to the state: a record that lies within the gap of
    /// sessions begins with `initial`, merges them in the order of their ends, and is folded in then. `fold` gets the values
    /// that are absent too.
    ///
    /// `initial` may give an `Option` of the row: then `fold` and `merge` take that. Rows and times are as for
    /// [`count`](Self::count).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::SessionStore;
    /// use tidemill_dsl::window::{Session, Window};
    ///
    /// const HISTORY: SessionStore<String, String> = SessionStore::of("history");
    /// # let builder = StreamsBuilder::new();
    /// let windows = Session::gap(Duration::from_secs(30)).with_grace(Duration::from_secs(60));
    /// let sessions = builder.stream(&IN).group_by_key().windowed_by(windows);
    /// sessions.aggregate(
    ///     &HISTORY,
    ///     String::new,
    ///     |history, _key, value| format!("{history} {value}"),
    ///     |_key, history, session| history + &session,
    /// );
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(1_000).send("a", 8);
    /// driver.input(&IN).at(51_000).send("a", 7);
    /// driver.input(&IN).at(26_000).send("a", 9); // joins the two
    /// assert_eq!(driver.store(&HISTORY).get("a", Window::of_millis(1_000, 51_000)), Some(" 8 7 9".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<A, T, R>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, A, Sessions>,
        initial: impl Fn() -> T + Send + Sync + 'static,
        fold: impl Fn(T, &K::Plain, &V) -> R + Send + Sync + 'static,
        merge: impl Fn(&K::Plain, T, A) -> T + Send + Sync + 'static,
    ) -> Rows<'b, K, A>
    where
        A: Data<Plain = A>,
        T: 'static,
        R: Into<Option<A>>,
    {
        self.try_aggregate(
            materialized,
            initial,
            move |state, key, value| Ok::<_, ProcessError>(fold(state, key, value)),
            move |key, state, session| Ok::<_, ProcessError>(merge(key, state, session)),
        )
    }

    /// As [`aggregate`](Self::aggregate), with functions that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::SessionStore;
    /// use tidemill_dsl::window::Session;
    ///
    /// const SUMS: SessionStore<String, i64> = SessionStore::of("sums");
    /// # let builder = StreamsBuilder::new();
    /// let sessions = builder.stream(&IN).group_by_key().windowed_by(Session::gap(Duration::from_secs(30)));
    /// sessions.try_aggregate(
    ///     &SUMS,
    ///     || 0_i64,
    ///     |sum, _key, value| sum.checked_add(*value).ok_or("overflow"),
    ///     |_key, sum, session| sum.checked_add(session).ok_or("overflow"),
    /// );
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", i64::MAX);
    /// assert!(driver.input(&IN).try_send("a", 1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_aggregate<A, T, R, E>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, A, Sessions>,
        initial: impl Fn() -> T + Send + Sync + 'static,
        fold: impl Fn(T, &K::Plain, &V) -> Result<R, E> + Send + Sync + 'static,
        merge: impl Fn(&K::Plain, T, A) -> Result<T, E> + Send + Sync + 'static,
    ) -> Rows<'b, K, A>
    where
        A: Data<Plain = A>,
        T: 'static,
        R: Into<Option<A>>,
        E: Into<ProcessError>,
    {
        let fold = move |state, key: &K::Plain, value: &V| fold(state, key, value).map(Into::into).map_err(Into::into);
        let merge = move |key: &K::Plain, state, session| merge(key, state, session).map_err(Into::into);
        self.folded("KSTREAM-AGGREGATE-", materialized.into_materialized(), initial, fold, merge)
    }

    /// Plans the aggregation with its store.
    fn folded<A: Data<Plain = A>, T: 'static>(
        &self,
        prefix: &'static str,
        materialized: Materialized<K::Plain, A, Sessions>,
        initial: impl Fn() -> T + Send + Sync + 'static,
        fold: impl Fn(T, &K::Plain, &V) -> Result<Option<A>, ProcessError> + Send + Sync + 'static,
        merge: impl Fn(&K::Plain, T, A) -> Result<T, ProcessError> + Send + Sync + 'static,
    ) -> Rows<'b, K, A> {
        let (windows, emit) = (self.windows, self.emit);
        let retention = windows.retention();
        let faults = [self.fault.clone(), materialized.fault(retention)];
        let keeping = SessionKeeping { retention, closing: emit == EmitStrategy::OnWindowClose };
        let row_keys = SessionWindowed::serde;
        let known = (materialized.name.clone(), (materialized.key.clone(), materialized.value.clone()));
        let spec = move |name: &str, key, value| materialized.spec(name, key, value, keeping);
        let table = self.grouped.aggregated::<SessionState<K::Plain, A>, A, _>(
            prefix,
            known,
            row_keys,
            spec,
            move |wiring, store| {
                let windowing = Windowing { store, time: wiring.add_time(), emit };
                SessionAggregate { windowing, windows, initial, fold, merge }
            },
        );
        let mut plan = self.grouped.stream.builder.plan();
        plan.set_grace(table.step, retention);
        plan.windows_cannot_be(table.step, faults.into_iter().flatten());
        drop(plan);
        table
    }
}
