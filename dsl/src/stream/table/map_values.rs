//! `map_values`: a table with another value in each row.

use std::sync::Arc;

use super::Table;
use crate::operator::{MappedRow, TableMapValues};
use crate::processor::{ProcessError, TableOf};
use crate::serde::Data;
use crate::stream::IntoMaterialized;

impl<'b, K: Data<Plain = K>, V: Data<Plain = V>> Table<'b, K, V> {
    /// Makes a new row from each row, or `None` for a row that is gone. Not called for deleted rows.
    ///
    /// Order and times are unchanged. Stores nothing: joins compute the row from the table above.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).map_values(|key, value| format!("{key}={value}")).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some("a=1".into())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values<R: Data>(&self, map: impl Fn(&K, &V) -> R + Send + Sync + 'static) -> Table<'b, K, R::Plain> {
        self.try_map_values(move |key, value| Ok::<_, ProcessError>(map(key, value)))
    }

    /// As [`map_values`](Self::map_values), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).try_map_values(|_key, text| text.parse::<i64>()).to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "1");
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some(1)]);
    /// assert!(driver.input(&IN).try_send("a", "one").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_map_values<R: Data, E: Into<ProcessError>>(
        &self,
        map: impl Fn(&K, &V) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain> {
        let map = Arc::new(move |key: &K, value: &V| map(key, value).map(R::into_plain).map_err(Into::into));
        let kept = map.clone();
        let row = self.row.computed(move |above| MappedRow { above, map: kept.clone() });
        self.computed("KTABLE-MAPVALUES-", row, move |builder, name, parent, sends_old| {
            let map = TableMapValues { map, store: None, sends_old };
            builder.add_operator::<TableOf<K, V>, TableOf<K, R::Plain>>(name, &[parent], map);
        })
    }

    /// As [`map_values`](Self::map_values), with the new rows kept in the store that `materialized` names, for queries and
    /// joins. Without a name nothing is kept.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const TEXTS: Store<String, String> = Store::of("texts");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).map_values_with(&TEXTS, |key, value| format!("{key}={value}"));
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// assert_eq!(driver.store(&TEXTS).get("a"), Some("a=1".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values_with<R: Data>(
        &self,
        materialized: impl IntoMaterialized<K, R::Plain>,
        map: impl Fn(&K, &V) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain> {
        self.try_map_values_with(materialized, move |key, value| Ok::<_, ProcessError>(map(key, value)))
    }

    /// As [`map_values_with`](Self::map_values_with), with a function that can fail; an error fails the task, naming the
    /// record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const NUMBERS: Store<String, i64> = Store::of("numbers");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).try_map_values_with(&NUMBERS, |_key, text| text.parse::<i64>());
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "1");
    /// assert_eq!(driver.store(&NUMBERS).get("a"), Some(1));
    /// assert!(driver.input(&IN).try_send("a", "one").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_map_values_with<R: Data, E: Into<ProcessError>>(
        &self,
        materialized: impl IntoMaterialized<K, R::Plain>,
        map: impl Fn(&K, &V) -> Result<R, E> + Send + Sync + 'static,
    ) -> Table<'b, K, R::Plain> {
        let Some(named) = materialized.into_materialized().under_name() else {
            self.builder.plan().names.burn();
            return self.try_map_values(map);
        };
        let map = Arc::new(move |key: &K, value: &V| map(key, value).map(R::into_plain).map_err(Into::into));
        self.kept("KTABLE-MAPVALUES-", named, &[], move |store| {
            let sends_old = store.sends_old();
            TableMapValues { map, store: Some(store), sends_old }
        })
    }
}
