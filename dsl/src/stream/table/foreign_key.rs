//! Joins by a foreign key: the verbs.

use super::Table;
use crate::operator::Padding;
use crate::processor::ProcessError;
use crate::serde::Data;
use crate::stream::{IntoMaterialized, Materialized};

impl<'b, K: Data<Plain = K>, V: Data<Plain = V>> Table<'b, K, V> {
    /// Joins each row with the row of another table that it points to: `foreign_key` says to which, or `None` for a row that
    /// points nowhere.
    ///
    /// A row per key of this table, as long as the row that it points to is there. A change on either side makes a new
    /// result, with the greater of the two rows' times; one that changes nothing too. The tables need not have equal numbers
    /// of partitions: this table's rows travel to the other's tasks and answers travel back, through two topics of the
    /// application's own. Between changes of the two sides there is no order but that of arrival; an answer to a row that has
    /// changed since is dropped and counted. Results of one key are in order.
    ///
    /// Keeps the rows of both tables, and for each row of this one where it points. The join's own rows are kept only if
    /// something reads them. Rows that point nowhere are dropped and counted. Name it with [`named`](Self::named): topics and
    /// store are called after it.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const ORDERS: Topic<i64, String> = Topic::of("orders");
    /// # const CUSTOMERS: Topic<String, String> = Topic::of("customers");
    /// # const OUT: Topic<i64, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// // Order -> customer; customer -> city.
    /// let customers = builder.table(&CUSTOMERS);
    /// builder
    ///     .table(&ORDERS)
    ///     .join_on(&customers, |_order, customer| customer.clone(), |customer, city| format!("{customer} in {city}"))
    ///     .named("order-city")
    ///     .to_stream()
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&ORDERS).send(1, "ada");
    /// driver.input(&CUSTOMERS).send("ada", "London");
    /// driver.input(&CUSTOMERS).send("ada", "Paris");
    /// assert_eq!(driver.output(&OUT).values(), ["ada in London", "ada in Paris"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_on<KO, VO, F, R>(
        &self,
        other: &Table<'b, KO, VO>,
        foreign_key: impl Fn(&K, &V) -> F + Send + Sync + 'static,
        join: impl Fn(&V, &VO) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain>
    where
        KO: Data<Plain = KO>,
        VO: Data<Plain = VO>,
        F: Into<Option<KO>>,
        R: Data<Plain: Clone>,
    {
        self.join_on_with(other, Materialized::default(), foreign_key, join)
    }

    /// As [`join_on`](Self::join_on), with the results kept as the options say; a `&Store` keeps them under its name, for
    /// queries.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const ORDERS: Topic<i64, String> = Topic::of("orders");
    /// # const CUSTOMERS: Topic<String, String> = Topic::of("customers");
    /// use tidemill_dsl::state::Store;
    ///
    /// const CITIES: Store<i64, String> = Store::of("cities");
    /// # let builder = StreamsBuilder::new();
    /// let customers = builder.table(&CUSTOMERS);
    /// builder.table(&ORDERS).join_on_with(
    ///     &customers,
    ///     &CITIES,
    ///     |_order, customer| customer.clone(),
    ///     |_customer, city| city.clone(),
    /// );
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&CUSTOMERS).send("ada", "London");
    /// driver.input(&ORDERS).send(1, "ada");
    /// assert_eq!(driver.store(&CITIES).get(1), Some("London".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_on_with<KO, VO, F, R>(
        &self,
        other: &Table<'b, KO, VO>,
        materialized: impl IntoMaterialized<K, R::Plain>,
        foreign_key: impl Fn(&K, &V) -> F + Send + Sync + 'static,
        join: impl Fn(&V, &VO) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain>
    where
        KO: Data<Plain = KO>,
        VO: Data<Plain = VO>,
        F: Into<Option<KO>>,
        R: Data<Plain: Clone>,
    {
        self.try_join_on_with(
            other,
            materialized,
            move |key, row| Ok::<_, ProcessError>(foreign_key(key, row)),
            move |_, left, right| Ok::<_, ProcessError>(join(left, right)),
        )
    }

    /// As [`join_on_with`](Self::join_on_with), with the key to look at and functions that can fail; an error fails the task,
    /// naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const ORDERS: Topic<i64, String> = Topic::of("orders");
    /// # const CUSTOMERS: Topic<i64, String> = Topic::of("customers");
    /// use tidemill_dsl::state::Store;
    ///
    /// const CITIES: Store<i64, String> = Store::of("cities");
    /// # let builder = StreamsBuilder::new();
    /// let customers = builder.table(&CUSTOMERS);
    /// builder.table(&ORDERS).try_join_on_with(
    ///     &customers,
    ///     &CITIES,
    ///     |_order, customer| customer.parse::<i64>(),
    ///     |order, customer, city| Ok::<_, std::num::ParseIntError>(format!("{order} of {customer} to {city}")),
    /// );
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&CUSTOMERS).send(7, "London");
    /// driver.input(&ORDERS).send(1, "7");
    /// assert_eq!(driver.store(&CITIES).get(1), Some("1 of 7 to London".into()));
    /// assert!(driver.input(&ORDERS).try_send(2, "ada").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join_on_with<KO, VO, F, R, E>(
        &self,
        other: &Table<'b, KO, VO>,
        materialized: impl IntoMaterialized<K, R::Plain>,
        foreign_key: impl Fn(&K, &V) -> Result<F, E> + Send + Sync + 'static,
        join: impl Fn(&K, &V, &VO) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain>
    where
        KO: Data<Plain = KO>,
        VO: Data<Plain = VO>,
        F: Into<Option<KO>>,
        R: Data<Plain: Clone>,
        E: Into<ProcessError>,
    {
        let extract = move |key: &K, row: &V| foreign_key(key, row).map(Into::into).map_err(Into::into);
        let join = move |key: &K, left: &V, right: Option<&VO>| match right {
            Some(right) => join(key, left, right).map(R::into_plain).map_err(Into::into),
            None => Ok(None),
        };
        self.join_foreign(other, Padding::Drop, materialized.into_materialized(), extract, join)
    }

    /// Joins each row with the row of another table that it points to, or with `None` if that is not there or the row points
    /// nowhere.
    ///
    /// As [`join_on`](Self::join_on), but every row of this table has a result.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const ORDERS: Topic<i64, String> = Topic::of("orders");
    /// # const CUSTOMERS: Topic<String, String> = Topic::of("customers");
    /// # const OUT: Topic<i64, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// let customers = builder.table(&CUSTOMERS);
    /// builder
    ///     .table(&ORDERS)
    ///     .left_join_on(
    ///         &customers,
    ///         |_order, customer| Some(customer.clone()).filter(|name| name != "anonymous"),
    ///         |customer, city| format!("{customer} in {}", city.map_or("?", |city| city)),
    ///     )
    ///     .to_stream()
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&ORDERS).send(1, "ada");
    /// driver.input(&ORDERS).send(2, "anonymous");
    /// driver.input(&CUSTOMERS).send("ada", "London");
    /// assert_eq!(driver.output(&OUT).values(), ["ada in ?", "anonymous in ?", "ada in London"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_on<KO, VO, F, R>(
        &self,
        other: &Table<'b, KO, VO>,
        foreign_key: impl Fn(&K, &V) -> F + Send + Sync + 'static,
        join: impl Fn(&V, Option<&VO>) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain>
    where
        KO: Data<Plain = KO>,
        VO: Data<Plain = VO>,
        F: Into<Option<KO>>,
        R: Data<Plain: Clone>,
    {
        self.left_join_on_with(other, Materialized::default(), foreign_key, join)
    }

    /// As [`left_join_on`](Self::left_join_on), with the results kept as the options say; a `&Store` keeps them under its
    /// name, for queries.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const STAFF: Topic<String, String> = Topic::of("staff");
    /// use tidemill_dsl::state::Store;
    ///
    /// const BOSSES: Store<String, String> = Store::of("bosses");
    /// # let builder = StreamsBuilder::new();
    /// let staff = builder.table(&STAFF); // name -> name of the boss; a table may be joined with itself
    /// staff.left_join_on_with(
    ///     &staff,
    ///     &BOSSES,
    ///     |_name, boss| boss.clone(),
    ///     |boss, above| format!("{boss}, below {}", above.map_or("nobody", |above| above)),
    /// );
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&STAFF).send("ada", "bob");
    /// assert_eq!(driver.store(&BOSSES).get("ada"), Some("bob, below nobody".into()));
    /// driver.input(&STAFF).send("bob", "cyd");
    /// assert_eq!(driver.store(&BOSSES).get("ada"), Some("bob, below cyd".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_on_with<KO, VO, F, R>(
        &self,
        other: &Table<'b, KO, VO>,
        materialized: impl IntoMaterialized<K, R::Plain>,
        foreign_key: impl Fn(&K, &V) -> F + Send + Sync + 'static,
        join: impl Fn(&V, Option<&VO>) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain>
    where
        KO: Data<Plain = KO>,
        VO: Data<Plain = VO>,
        F: Into<Option<KO>>,
        R: Data<Plain: Clone>,
    {
        self.try_left_join_on_with(
            other,
            materialized,
            move |key, row| Ok::<_, ProcessError>(foreign_key(key, row)),
            move |_, left, right| Ok::<_, ProcessError>(join(left, right)),
        )
    }

    /// As [`left_join_on_with`](Self::left_join_on_with), with the key to look at and functions that can fail; an error fails
    /// the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const ORDERS: Topic<i64, String> = Topic::of("orders");
    /// # const CUSTOMERS: Topic<String, String> = Topic::of("customers");
    /// use tidemill_dsl::state::Store;
    ///
    /// const CITIES: Store<i64, String> = Store::of("cities");
    /// # let builder = StreamsBuilder::new();
    /// let customers = builder.table(&CUSTOMERS);
    /// builder.table(&ORDERS).try_left_join_on_with(
    ///     &customers,
    ///     &CITIES,
    ///     |_order, customer| Ok(customer.clone()),
    ///     |_order, customer, city| city.cloned().ok_or(format!("{customer} lives nowhere")),
    /// );
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// assert!(driver.input(&ORDERS).try_send(1, "ada").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_left_join_on_with<KO, VO, F, R, E>(
        &self,
        other: &Table<'b, KO, VO>,
        materialized: impl IntoMaterialized<K, R::Plain>,
        foreign_key: impl Fn(&K, &V) -> Result<F, E> + Send + Sync + 'static,
        join: impl Fn(&K, &V, Option<&VO>) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain>
    where
        KO: Data<Plain = KO>,
        VO: Data<Plain = VO>,
        F: Into<Option<KO>>,
        R: Data<Plain: Clone>,
        E: Into<ProcessError>,
    {
        let extract = move |key: &K, row: &V| foreign_key(key, row).map(Into::into).map_err(Into::into);
        let join =
            move |key: &K, left: &V, right: Option<&VO>| join(key, left, right).map(R::into_plain).map_err(Into::into);
        self.join_foreign(other, Padding::Pad, materialized.into_materialized(), extract, join)
    }
}
