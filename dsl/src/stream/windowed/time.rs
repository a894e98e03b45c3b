//! Verbs for windows that lie fixed on the axis of time.

use super::WindowedStream;
use crate::operator::{WindowAggregate, Windowing};
use crate::processor::ProcessError;
use crate::serde::Data;
use crate::state::{WindowKeeping, WindowState};
use crate::stream::{IntoMaterialized, Materialized, Table, Windows};
use crate::window::{EmitStrategy, TimeWindowed, TimeWindows, WindowEnds, Windowed, millis};

/// A table of windows.
type Rows<'b, K, A> = Table<'b, Windowed<<K as Data>::Plain>, A>;

impl<'b, K, V, W> WindowedStream<'b, K, V, W>
where
    K: Data<Plain: Clone>,
    V: Data,
    W: TimeWindows + Clone,
{
    /// Counts the records of each key in each window, those without value too.
    ///
    /// A row per key and window, on disk, with a changelog, until the retention is over; its time is the greatest of its
    /// records. Name the store with [`count_with`](Self::count_with).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use std::time::Duration;
    /// use tidemill_dsl::serde::SerdeRef;
    /// use tidemill_dsl::window::{Hopping, TimeWindowed, Window};
    ///
    /// let size = Duration::from_secs(10);
    /// let per_window = Topic::new("per-window", TimeWindowed::serde(SerdeRef::of(), size), SerdeRef::<i64>::of());
    /// # let builder = StreamsBuilder::new();
    /// let windows = Hopping::of(size, Duration::from_secs(5));
    /// builder.stream(&IN).group_by_key().windowed_by(windows).count().to_stream().to(&per_window);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(7_000).send("a", 1);
    /// let windows = driver.output(&per_window).key_values().into_iter().map(|(row, _)| row.window);
    /// assert!(windows.eq([Window::of_millis(0, 10_000), Window::of_millis(5_000, 15_000)]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(&self) -> Rows<'b, K, i64> {
        self.count_with(Materialized::default())
    }

    /// As [`count`](Self::count), kept as the options say; a `&WindowStore` names the store.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::WindowStore;
    /// use tidemill_dsl::stream::Materialized;
    /// use tidemill_dsl::window::Tumbling;
    ///
    /// const COUNTS: WindowStore<String, i64> = WindowStore::of("counts");
    /// # let builder = StreamsBuilder::new();
    /// // Readable for an hour, though a window takes records for its own second only.
    /// let kept = Materialized::windows(&COUNTS).retention(Duration::from_secs(3600));
    /// builder.stream(&IN).group_by_key().windowed_by(Tumbling::of(Duration::from_secs(1))).count_with(kept);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(1_100).send("a", 7);
    /// assert_eq!(driver.store(&COUNTS).get("a", 1_000), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count_with(&self, materialized: impl IntoMaterialized<K::Plain, i64, Windows>) -> Rows<'b, K, i64> {
        let fold = |count: Option<i64>, _: &K::Plain, _: &V| Ok(Some(count.unwrap_or(0) + 1));
        self.folded("KSTREAM-AGGREGATE-", materialized.into_materialized(), fold)
    }

    /// Combines the values of each key in each window; the first one is the first row as it is. `combine` gets the values
    /// that are absent too.
    ///
    /// `combine` gives the new row, or `None` to delete it. Rows and times are as for [`count`](Self::count).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::window::Tumbling;
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream(&IN)
    ///     .group_by_key()
    ///     .windowed_by(Tumbling::of(Duration::from_secs(1)))
    ///     .reduce(|greatest, value| greatest.max(*value))
    ///     .to_stream()
    ///     .map(|row, greatest| (row.to_string(), *greatest))
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(100).send("a", 8);
    /// driver.input(&IN).at(200).send("a", 7);
    /// assert_eq!(driver.output(&OUT).values(), [8, 8]);
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

    /// As [`reduce`](Self::reduce), kept as the options say; a `&WindowStore` names the store.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::WindowStore;
    /// use tidemill_dsl::window::Tumbling;
    ///
    /// const SUMS: WindowStore<String, i64> = WindowStore::of("sums");
    /// # let builder = StreamsBuilder::new();
    /// let windowed = builder.stream(&IN).group_by_key().windowed_by(Tumbling::of(Duration::from_secs(1)));
    /// windowed.reduce_with(&SUMS, |sum, value| sum + value);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(100).send("a", 8);
    /// driver.input(&IN).at(200).send("a", 7);
    /// assert_eq!(driver.store(&SUMS).get("a", 0), Some(15));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce_with<R: Into<Option<V::Plain>>>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, V::Plain, Windows>,
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
    /// use tidemill_dsl::state::WindowStore;
    /// use tidemill_dsl::window::Tumbling;
    ///
    /// const SUMS: WindowStore<String, i64> = WindowStore::of("sums");
    /// # let builder = StreamsBuilder::new();
    /// let windowed = builder.stream(&IN).group_by_key().windowed_by(Tumbling::of(Duration::from_secs(1)));
    /// windowed.try_reduce_with(&SUMS, |sum, value| sum.checked_add(*value).ok_or("overflow"));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", i64::MAX);
    /// assert!(driver.input(&IN).try_send("a", 1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_reduce_with<R: Into<Option<V::Plain>>, E: Into<ProcessError>>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, V::Plain, Windows>,
        combine: impl Fn(V::Plain, &V) -> Result<R, E> + Send + Sync + 'static,
    ) -> Rows<'b, K, V::Plain>
    where
        V::Plain: Clone,
    {
        let fold = move |row, _: &K::Plain, value: &V| match row {
            Some(row) => combine(row, value).map(Into::into).map_err(Into::into),
            None => Ok(value.plain().cloned()),
        };
        self.folded("KSTREAM-REDUCE-", materialized.into_materialized(), fold)
    }

    /// Folds the records of each key in each window into a row: `initial` makes the first state, `fold` takes the state and
    /// gives the new one, or `None` to delete the row. `fold` gets the values that are absent too.
    ///
    /// `initial` may give an `Option` of the row: then `fold` takes that. Rows and times are as for [`count`](Self::count).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::WindowStore;
    /// use tidemill_dsl::window::Tumbling;
    ///
    /// const HISTORY: WindowStore<String, String> = WindowStore::of("history");
    /// # let builder = StreamsBuilder::new();
    /// let windowed = builder.stream(&IN).group_by_key().windowed_by(Tumbling::of(Duration::from_secs(1)));
    /// windowed.aggregate(&HISTORY, String::new, |history, _key, value| format!("{history} {value}"));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(100).send("a", 8);
    /// driver.input(&IN).at(200).send("a", 7);
    /// assert_eq!(driver.store(&HISTORY).get("a", 0), Some(" 8 7".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<A, T, R>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, A, Windows>,
        initial: impl Fn() -> T + Send + Sync + 'static,
        fold: impl Fn(T, &K::Plain, &V) -> R + Send + Sync + 'static,
    ) -> Rows<'b, K, A>
    where
        A: Data<Plain = A>,
        T: From<A> + 'static,
        R: Into<Option<A>>,
    {
        self.try_aggregate(materialized, initial, move |state, key, value| {
            Ok::<_, ProcessError>(fold(state, key, value))
        })
    }

    /// As [`aggregate`](Self::aggregate), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::WindowStore;
    /// use tidemill_dsl::window::Tumbling;
    ///
    /// const SUMS: WindowStore<String, i64> = WindowStore::of("sums");
    /// # let builder = StreamsBuilder::new();
    /// let windowed = builder.stream(&IN).group_by_key().windowed_by(Tumbling::of(Duration::from_secs(1)));
    /// windowed.try_aggregate(&SUMS, || 0, |sum: i64, _key, value| sum.checked_add(*value).ok_or("overflow"));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", i64::MAX);
    /// assert!(driver.input(&IN).try_send("a", 1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_aggregate<A, T, R, E>(
        &self,
        materialized: impl IntoMaterialized<K::Plain, A, Windows>,
        initial: impl Fn() -> T + Send + Sync + 'static,
        fold: impl Fn(T, &K::Plain, &V) -> Result<R, E> + Send + Sync + 'static,
    ) -> Rows<'b, K, A>
    where
        A: Data<Plain = A>,
        T: From<A> + 'static,
        R: Into<Option<A>>,
        E: Into<ProcessError>,
    {
        let fold = move |row: Option<A>, key: &K::Plain, value: &V| {
            fold(row.map_or_else(&initial, T::from), key, value).map(Into::into).map_err(Into::into)
        };
        self.folded("KSTREAM-AGGREGATE-", materialized.into_materialized(), fold)
    }

    /// Plans the aggregation with its store.
    fn folded<A: Data<Plain = A>>(
        &self,
        prefix: &'static str,
        materialized: Materialized<K::Plain, A, Windows>,
        fold: impl Fn(Option<A>, &K::Plain, &V) -> Result<Option<A>, ProcessError> + Send + Sync + 'static,
    ) -> Rows<'b, K, A> {
        let (windows, emit) = (self.windows.clone(), self.emit);
        let grace = millis(windows.grace());
        let ends = WindowEnds::by(windows.clone());
        let retention = ends.size().saturating_add(grace);
        let faults = [self.fault.clone(), materialized.fault(retention)];
        let keeping = WindowKeeping {
            retention,
            ends: ends.clone(),
            duplicates: None,
            closing: emit == EmitStrategy::OnWindowClose,
        };
        let row_keys = move |key| TimeWindowed::ending(key, ends.clone());
        let known = (materialized.name.clone(), (materialized.key.clone(), materialized.value.clone()));
        let spec = move |name: &str, key, value| materialized.spec(name, key, value, keeping);
        let table = self.grouped.aggregated::<WindowState<K::Plain, A>, A, _>(
            prefix,
            known,
            row_keys,
            spec,
            move |wiring, store| {
                let windowing = Windowing { store, time: wiring.add_time(), emit };
                WindowAggregate { windowing, windows, fold }
            },
        );
        let mut plan = self.grouped.stream.builder.plan();
        plan.set_grace(table.step, grace);
        plan.windows_cannot_be(table.step, faults.into_iter().flatten());
        drop(plan);
        table
    }
}
