//! `filter`, `filter_not`: the rows of a table that pass.

use std::sync::Arc;

use super::{Demand, Table};
use crate::operator::{FilteredRow, StoredTableFilter, TableFilter};
use crate::processor::{ProcessError, TableOf};
use crate::serde::Data;
use crate::stream::IntoMaterialized;

impl<'b, K: Data<Plain = K>, V: Data<Plain = V>> Table<'b, K, V> {
    /// Keeps the rows for which `predicate` holds; a row that does not pass is a row that is gone.
    ///
    /// Order and times are unchanged. Stores nothing: joins compute the row from the table above. If the rows of that table
    /// are kept, a row that neither passes nor passed before makes no change; else every row that does not pass comes out as
    /// a deleted one.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).filter(|_key, value| *value > 0).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// driver.input(&IN).send("a", -1);
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some(1), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Table<'b, K, V> {
        self.try_filter(move |key, value| Ok::<_, ProcessError>(predicate(key, value)))
    }

    /// As [`filter`](Self::filter), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).try_filter(|_key, text| text.parse::<i64>().map(|n| n > 0)).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "1");
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some("1".into())]);
    /// assert!(driver.input(&IN).try_send("a", "one").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_filter<E: Into<ProcessError>>(
        &self,
        predicate: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> Table<'b, K, V> {
        let predicate = Arc::new(move |key: &K, value: &V| predicate(key, value).map_err(Into::into));
        let (kept, versioned) = (predicate.clone(), self.row.retention().is_some());
        let row = self.row.computed(move |above| FilteredRow { above, predicate: kept.clone() });
        let table = self.computed("KTABLE-FILTER-", row, move |builder, name, parent, sends_old| {
            let filter = TableFilter { predicate, sends_old, versioned };
            builder.add_operator::<TableOf<K, V>, TableOf<K, V>>(name, &[parent], filter);
        });
        // Where they cost nothing but a copy, old rows save tombstones for rows that never were.
        table.want_old(Demand::IfKept);
        table.with_serdes(self.serdes.clone())
    }

    /// As [`filter`](Self::filter), with the rows that pass kept in the store that `materialized` names, for queries and
    /// joins. Without a name nothing is kept.
    ///
    /// A row that does not pass deletes the one that is kept. Where none is, that makes no change, if the rows of the table
    /// above are kept as well or something below wants old rows.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const POSITIVE: Store<String, i64> = Store::of("positive");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).filter_with(&POSITIVE, |_key, value| *value > 0);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// driver.input(&IN).send("b", -1);
    /// assert_eq!(driver.store(&POSITIVE).all(), [("a".into(), 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_with(
        &self,
        materialized: impl IntoMaterialized<K, V>,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
    ) -> Table<'b, K, V>
    where
        V: Clone,
    {
        self.try_filter_with(materialized, move |key, value| Ok::<_, ProcessError>(predicate(key, value)))
    }

    /// As [`filter_with`](Self::filter_with), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const POSITIVE: Store<String, String> = Store::of("positive");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).try_filter_with(&POSITIVE, |_key, text| text.parse::<i64>().map(|n| n > 0));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "1");
    /// assert_eq!(driver.store(&POSITIVE).get("a"), Some("1".into()));
    /// assert!(driver.input(&IN).try_send("a", "one").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_filter_with<E: Into<ProcessError>>(
        &self,
        materialized: impl IntoMaterialized<K, V>,
        predicate: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> Table<'b, K, V>
    where
        V: Clone,
    {
        let Some(named) = materialized.into_materialized().under_name() else {
            self.builder.plan().names.burn();
            return self.try_filter(predicate);
        };
        let predicate = Arc::new(move |key: &K, value: &V| predicate(key, value).map_err(Into::into));
        let (told, versioned) = (self.want_old(Demand::IfKept), self.row.retention().is_some());
        self.kept("KTABLE-FILTER-", named, &[], move |store| {
            let drops_absent = !versioned && (told || store.sends_old());
            StoredTableFilter { predicate, store, drops_absent }
        })
    }

    /// Keeps the rows for which `predicate` does not hold. See [`filter`](Self::filter).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).filter_not(|_key, value| *value > 0).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", -1);
    /// driver.input(&IN).send("a", 1);
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some(-1), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Table<'b, K, V> {
        self.filter(move |key, value| !predicate(key, value))
    }

    /// As [`filter_not`](Self::filter_not), with the rows that pass kept. See [`filter_with`](Self::filter_with).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const REST: Store<String, i64> = Store::of("rest");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).filter_not_with(&REST, |_key, value| *value > 0);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", -1);
    /// driver.input(&IN).send("b", 1);
    /// assert_eq!(driver.store(&REST).all(), [("a".into(), -1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_not_with(
        &self,
        materialized: impl IntoMaterialized<K, V>,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
    ) -> Table<'b, K, V>
    where
        V: Clone,
    {
        self.filter_with(materialized, move |key, value| !predicate(key, value))
    }
}
