//! `join`, `left_join`, `outer_join`: tables brought together by their keys.

use super::Table;
use super::join_plan::Joined;
use crate::operator::Required;
use crate::processor::ProcessError;
use crate::serde::Data;
use crate::stream::IntoMaterialized;

impl<'b, K: Data<Plain = K>, V: Data<Plain = V>> Table<'b, K, V> {
    /// Joins the rows of two tables that have the same key. A key that only one of them has gives no row.
    ///
    /// Every change of either side makes the row anew, with the row that the other side has at this moment; it has the greater
    /// of both rows' times. `join` gives the row, or `None` for none. A change makes no result while the other side has no
    /// row; a deleted row gives a deleted one, also where none was. A side that is a versioned table brings its latest rows
    /// only, and its out-of-order changes are dropped and counted.
    ///
    /// Topics of both sides need equal numbers of partitions. The rows of both sides are stored, those of the result are
    /// computed when they are needed.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.join(&ages, |name, age| format!("{name} is {age}")).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&NAMES).at(1).send("1", "Ann");
    /// driver.input(&AGES).at(2).send("1", 41);
    /// driver.input(&NAMES).at(1).send("1", "Anna");
    /// assert_eq!(driver.output(&OUT).values(), ["Ann is 41", "Anna is 41"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join<V2: Data<Plain = V2>, R: Data>(
        &self,
        other: &Table<'b, K, V2>,
        join: impl Fn(&V, &V2) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain> {
        self.join_with_key(other, move |_, left, right| join(left, right))
    }

    /// As [`join`](Self::join), with the key to look at.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.join_with_key(&ages, |id, name, age| format!("{id}: {name} is {age}")).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&NAMES).send("1", "Ann");
    /// driver.input(&AGES).send("1", 41);
    /// assert_eq!(driver.output(&OUT).values(), ["1: Ann is 41"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_with_key<V2: Data<Plain = V2>, R: Data>(
        &self,
        other: &Table<'b, K, V2>,
        join: impl Fn(&K, &V, &V2) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain> {
        self.try_join(other, move |key, left, right| Ok::<_, ProcessError>(join(key, left, right)))
    }

    /// As [`join_with_key`](Self::join_with_key), with a function that can fail; an error fails the task, naming the
    /// record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.try_join(&ages, |_, name, age| u8::try_from(*age).map(|age| format!("{name} is {age}"))).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&NAMES).send("1", "Ann");
    /// assert!(driver.input(&AGES).try_send("1", -41).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join<V2: Data<Plain = V2>, R: Data, E: Into<ProcessError>>(
        &self,
        other: &Table<'b, K, V2>,
        join: impl Fn(&K, &V, &V2) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain> {
        let join = move |key: &K, left: Option<&V>, right: Option<&V2>| {
            // Not called without a row that must be there.
            left.zip(right).map_or(Ok(None), |(left, right)| converted(join(key, left, right)))
        };
        self.join_computed(other, "join", Required { this: true, other: true }, join)
    }

    /// As [`join`](Self::join), with the results kept as `materialized` says; a `&Store` keeps them under its name, for
    /// queries.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use tidemill_dsl::state::Store;
    ///
    /// const PEOPLE: Store<String, String> = Store::of("people");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.join_with(&ages, &PEOPLE, |name, age| format!("{name} is {age}"));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&NAMES).send("1", "Ann");
    /// driver.input(&AGES).send("1", 41);
    /// assert_eq!(driver.store(&PEOPLE).get("1"), Some("Ann is 41".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_with<V2: Data<Plain = V2>, R: Data>(
        &self,
        other: &Table<'b, K, V2>,
        materialized: impl IntoMaterialized<K, R::Plain>,
        join: impl Fn(&V, &V2) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain>
    where
        R::Plain: Clone,
    {
        let join = move |_: &K, left: &V, right: &V2| Ok::<_, ProcessError>(join(left, right));
        self.try_join_with(other, materialized, join)
    }

    /// As [`join_with`](Self::join_with), with the key to look at and a function that can fail; an error fails the task,
    /// naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use tidemill_dsl::state::Store;
    ///
    /// const PEOPLE: Store<String, String> = Store::of("people");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.try_join_with(&ages, &PEOPLE, |_, name, age| u8::try_from(*age).map(|age| format!("{name} is {age}")));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&NAMES).send("1", "Ann");
    /// driver.input(&AGES).send("1", 41);
    /// assert_eq!(driver.store(&PEOPLE).get("1"), Some("Ann is 41".into()));
    /// assert!(driver.input(&AGES).try_send("1", -1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join_with<V2: Data<Plain = V2>, R: Data, E: Into<ProcessError>>(
        &self,
        other: &Table<'b, K, V2>,
        materialized: impl IntoMaterialized<K, R::Plain>,
        join: impl Fn(&K, &V, &V2) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain>
    where
        R::Plain: Clone,
    {
        let join = move |key: &K, left: Option<&V>, right: Option<&V2>| {
            // Not called without a row that must be there.
            left.zip(right).map_or(Ok(None), |(left, right)| converted(join(key, left, right)))
        };
        self.join_kept(other, "join", Required { this: true, other: true }, materialized.into_materialized(), join)
    }

    /// Joins each row of this table with the other's row of the same key, or with `None` if that has none.
    ///
    /// As [`join`](Self::join), but a row of this table alone makes a result, and a deleted row of the other side makes it
    /// anew.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.left_join(&ages, |name, age| format!("{name} {}", age.map_or("?".into(), i64::to_string))).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&NAMES).send("1", "Ann");
    /// driver.input(&AGES).send("1", 41);
    /// driver.input(&AGES).send_null("1");
    /// assert_eq!(driver.output(&OUT).values(), ["Ann ?", "Ann 41", "Ann ?"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join<V2: Data<Plain = V2>, R: Data>(
        &self,
        other: &Table<'b, K, V2>,
        join: impl Fn(&V, Option<&V2>) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain> {
        self.left_join_with_key(other, move |_, left, right| join(left, right))
    }

    /// As [`left_join`](Self::left_join), with the key to look at.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.left_join_with_key(&ages, |id, name, age| format!("{id}: {name} {}", age.is_some())).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&NAMES).send("1", "Ann");
    /// assert_eq!(driver.output(&OUT).values(), ["1: Ann false"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_with_key<V2: Data<Plain = V2>, R: Data>(
        &self,
        other: &Table<'b, K, V2>,
        join: impl Fn(&K, &V, Option<&V2>) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain> {
        self.try_left_join(other, move |key, left, right| Ok::<_, ProcessError>(join(key, left, right)))
    }

    /// As [`left_join_with_key`](Self::left_join_with_key), with a function that can fail; an error fails the task, naming the
    /// record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.try_left_join(&ages, |_, name, age| age.map(|age| format!("{name} {age}")).ok_or("no age")).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// assert!(driver.input(&NAMES).try_send("1", "Ann").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_left_join<V2: Data<Plain = V2>, R: Data, E: Into<ProcessError>>(
        &self,
        other: &Table<'b, K, V2>,
        join: impl Fn(&K, &V, Option<&V2>) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain> {
        let join = move |key: &K, left: Option<&V>, right: Option<&V2>| {
            // Not called without a row that must be there.
            left.map_or(Ok(None), |left| converted(join(key, left, right)))
        };
        self.join_computed(other, "left_join", Required { this: true, other: false }, join)
    }

    /// As [`left_join`](Self::left_join), with the results kept as `materialized` says; a `&Store` keeps them under its name, for
    /// queries.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use tidemill_dsl::state::Store;
    ///
    /// const PEOPLE: Store<String, String> = Store::of("people");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.left_join_with(&ages, &PEOPLE, |name, age| format!("{name} {}", age.is_some()));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&NAMES).send("1", "Ann");
    /// assert_eq!(driver.store(&PEOPLE).get("1"), Some("Ann false".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_with<V2: Data<Plain = V2>, R: Data>(
        &self,
        other: &Table<'b, K, V2>,
        materialized: impl IntoMaterialized<K, R::Plain>,
        join: impl Fn(&V, Option<&V2>) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain>
    where
        R::Plain: Clone,
    {
        let join = move |_: &K, left: &V, right: Option<&V2>| Ok::<_, ProcessError>(join(left, right));
        self.try_left_join_with(other, materialized, join)
    }

    /// As [`left_join_with`](Self::left_join_with), with the key to look at and a function that can fail; an error fails the task,
    /// naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use tidemill_dsl::state::Store;
    ///
    /// const PEOPLE: Store<String, String> = Store::of("people");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.try_left_join_with(&ages, &PEOPLE, |_, name, age| age.map(|age| format!("{name} {age}")).ok_or("no age"));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&AGES).send("1", 41);
    /// driver.input(&NAMES).send("1", "Ann");
    /// assert_eq!(driver.store(&PEOPLE).get("1"), Some("Ann 41".into()));
    /// assert!(driver.input(&NAMES).try_send("2", "Bob").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_left_join_with<V2: Data<Plain = V2>, R: Data, E: Into<ProcessError>>(
        &self,
        other: &Table<'b, K, V2>,
        materialized: impl IntoMaterialized<K, R::Plain>,
        join: impl Fn(&K, &V, Option<&V2>) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain>
    where
        R::Plain: Clone,
    {
        let join = move |key: &K, left: Option<&V>, right: Option<&V2>| {
            // Not called without a row that must be there.
            left.map_or(Ok(None), |left| converted(join(key, left, right)))
        };
        self.join_kept(
            other,
            "left_join",
            Required { this: true, other: false },
            materialized.into_materialized(),
            join,
        )
    }

    /// Joins the rows of two tables that have the same key; where one has none, `join` gets `None` for it.
    ///
    /// As [`join`](Self::join), but a row of either side alone makes a result.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.outer_join(&ages, |name, age| format!("{name:?} {age:?}")).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&AGES).send("1", 41);
    /// driver.input(&NAMES).send("1", "Ann");
    /// assert_eq!(driver.output(&OUT).values(), ["None Some(41)", "Some(\"Ann\") Some(41)"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outer_join<V2: Data<Plain = V2>, R: Data>(
        &self,
        other: &Table<'b, K, V2>,
        join: impl Fn(Option<&V>, Option<&V2>) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain> {
        self.outer_join_with_key(other, move |_, left, right| join(left, right))
    }

    /// As [`outer_join`](Self::outer_join), with the key to look at.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.outer_join_with_key(&ages, |id, name, age| format!("{id} {} {}", name.is_some(), age.is_some())).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&AGES).send("1", 41);
    /// assert_eq!(driver.output(&OUT).values(), ["1 false true"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outer_join_with_key<V2: Data<Plain = V2>, R: Data>(
        &self,
        other: &Table<'b, K, V2>,
        join: impl Fn(&K, Option<&V>, Option<&V2>) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain> {
        self.try_outer_join(other, move |key, left, right| Ok::<_, ProcessError>(join(key, left, right)))
    }

    /// As [`outer_join_with_key`](Self::outer_join_with_key), with a function that can fail; an error fails the task, naming the
    /// record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.try_outer_join(&ages, |_, name, _age| name.cloned().ok_or("no name")).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// assert!(driver.input(&AGES).try_send("1", 41).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_outer_join<V2: Data<Plain = V2>, R: Data, E: Into<ProcessError>>(
        &self,
        other: &Table<'b, K, V2>,
        join: impl Fn(&K, Option<&V>, Option<&V2>) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain> {
        let join = move |key: &K, left: Option<&V>, right: Option<&V2>| converted(join(key, left, right));
        self.join_computed(other, "outer_join", Required { this: false, other: false }, join)
    }

    /// As [`outer_join`](Self::outer_join), with the results kept as `materialized` says; a `&Store` keeps them under its name, for
    /// queries.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use tidemill_dsl::state::Store;
    ///
    /// const PEOPLE: Store<String, String> = Store::of("people");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.outer_join_with(&ages, &PEOPLE, |name, age| format!("{} {}", name.is_some(), age.is_some()));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&AGES).send("1", 41);
    /// assert_eq!(driver.store(&PEOPLE).get("1"), Some("false true".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outer_join_with<V2: Data<Plain = V2>, R: Data>(
        &self,
        other: &Table<'b, K, V2>,
        materialized: impl IntoMaterialized<K, R::Plain>,
        join: impl Fn(Option<&V>, Option<&V2>) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain>
    where
        R::Plain: Clone,
    {
        let join = move |_: &K, left: Option<&V>, right: Option<&V2>| Ok::<_, ProcessError>(join(left, right));
        self.try_outer_join_with(other, materialized, join)
    }

    /// As [`outer_join_with`](Self::outer_join_with), with the key to look at and a function that can fail; an error fails the task,
    /// naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const NAMES: Topic<String, String> = Topic::of("names");
    /// # const AGES: Topic<String, i64> = Topic::of("ages");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use tidemill_dsl::state::Store;
    ///
    /// const PEOPLE: Store<String, String> = Store::of("people");
    /// # let builder = StreamsBuilder::new();
    /// let (names, ages) = (builder.table(&NAMES), builder.table(&AGES));
    /// names.try_outer_join_with(&ages, &PEOPLE, |_, name, _age| name.cloned().ok_or("no name"));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&NAMES).send("1", "Ann");
    /// assert_eq!(driver.store(&PEOPLE).get("1"), Some("Ann".into()));
    /// assert!(driver.input(&AGES).try_send("2", 41).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_outer_join_with<V2: Data<Plain = V2>, R: Data, E: Into<ProcessError>>(
        &self,
        other: &Table<'b, K, V2>,
        materialized: impl IntoMaterialized<K, R::Plain>,
        join: impl Fn(&K, Option<&V>, Option<&V2>) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain>
    where
        R::Plain: Clone,
    {
        let join = move |key: &K, left: Option<&V>, right: Option<&V2>| converted(join(key, left, right));
        self.join_kept(
            other,
            "outer_join",
            Required { this: false, other: false },
            materialized.into_materialized(),
            join,
        )
    }
}

fn converted<R: Data, E: Into<ProcessError>>(result: Result<R, E>) -> Joined<R::Plain> {
    result.map(R::into_plain).map_err(Into::into)
}
