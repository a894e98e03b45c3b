//! `map_values`: a table with another value in each row.

use std::sync::Arc;

use super::Table;
use crate::operator::{MappedRow, TableMapValues};
use crate::processor::{ProcessError, TableOf};
use crate::serde::Data;

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
    pub fn map_values<V2: Data<Plain = V2>, R: Into<Option<V2>>>(
        &self,
        map: impl Fn(&K, &V) -> R + Send + Sync + 'static,
    ) -> Table<'b, K, V2> {
        let map = Arc::new(move |key: &K, value: &V| Ok::<_, ProcessError>(map(key, value).into()));
        let kept = map.clone();
        let row = self.row.computed(move |above| MappedRow { above, map: kept.clone() });
        self.computed("KTABLE-MAPVALUES-", row, move |builder, name, parent, sends_old| {
            let map = TableMapValues { map, sends_old };
            builder.add_operator::<TableOf<K, V>, TableOf<K, V2>>(name, &[parent], map);
        })
    }
}
