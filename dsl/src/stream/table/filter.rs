//! `filter`, `filter_not`: the rows of a table that pass.

use std::sync::Arc;

use super::{Demand, Table};
use crate::operator::{FilteredRow, TableFilter};
use crate::processor::{ProcessError, TableOf};
use crate::serde::Data;

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
        let predicate = Arc::new(move |key: &K, value: &V| Ok::<_, ProcessError>(predicate(key, value)));
        let kept = predicate.clone();
        let row = self.row.computed(move |above| FilteredRow { above, predicate: kept.clone() });
        let table = self.computed("KTABLE-FILTER-", row, move |builder, name, parent, sends_old| {
            let filter = TableFilter { predicate, sends_old };
            builder.add_operator::<TableOf<K, V>, TableOf<K, V>>(name, &[parent], filter);
        });
        // Where they cost nothing but a copy, old rows save tombstones for rows that never were.
        table.want_old(Demand::IfKept);
        table
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
}
