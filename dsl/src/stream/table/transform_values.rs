//! `transform_values`: a table with a value in each row that a function makes with the help of stores.

use std::sync::Arc;

use super::{OldRows, Table};
use crate::operator::{TableTransformValues, TransformedRow};
use crate::processor::{ProcessError, RowContext, TableOf};
use crate::serde::Data;
use crate::state::StoreName;
use crate::stream::IntoMaterialized;

impl<'b, K: Data<Plain = K>, V: Data<Plain = V>> Table<'b, K, V> {
    /// Makes a new row from each row with a function that may use the named stores, or `None` for a row that is gone. It is
    /// called for deleted rows too, with `None`.
    ///
    /// What it remembers belongs into a store, so that a restart finds it. Without a store of its own for the new rows, joins
    /// call the function again with the row of the table above whenever they look a row up, and a group-by calls it for the
    /// old row as well: a function that changes its stores wants
    /// [`transform_values_with`](Self::transform_values_with). Order and times are unchanged.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use tidemill_dsl::state::{Store, StoreSpec};
    ///
    /// const HIGHEST: Store<String, i64> = Store::of("highest");
    /// # let builder = StreamsBuilder::new();
    /// builder.add_store(StoreSpec::plain(&HIGHEST));
    /// let highest = builder.table(&IN).transform_values(
    ///     |key, value, ctx| {
    ///         let time = ctx.timestamp().unwrap_or_default();
    ///         let mut store = ctx.store(&HIGHEST)?;
    ///         let highest = store.get(key)?.copied().max(value.copied());
    ///         if let Some(highest) = highest {
    ///             store.put(key, highest, time)?;
    ///         }
    ///         Ok(highest)
    ///     },
    ///     &[&HIGHEST],
    /// );
    /// highest.to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 7);
    /// driver.input(&IN).send("a", 3);
    /// driver.input(&IN).send_null("a");
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some(7), Some(7), Some(7)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn transform_values<R: Data>(
        &self,
        transform: impl Fn(&K, Option<&V>, &mut RowContext<'_>) -> Result<R, ProcessError> + Send + Sync + 'static,
        stores: &[&dyn StoreName],
    ) -> Table<'b, K, R::Plain> {
        let transform = Arc::new(move |key: &K, value: Option<&V>, ctx: &mut RowContext<'_>| {
            transform(key, value, ctx).map(R::into_plain)
        });
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered("KTABLE-TRANSFORMVALUES-"));
        let old_rows = OldRows::computed(&self.old_rows);
        let called = transform.clone();
        let stores = names(stores);
        let row = self.row.computed_with(&stores, move |above, wiring| TransformedRow {
            above,
            transform: called.clone(),
            reader: wiring.head(None),
        });
        let (sends_old, used) = (old_rows.clone(), stores.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let step = plan.add(name, &[parent], move |plan, builder| {
            let sends_old = sends_old.told();
            let used: Vec<&str> = used.iter().map(String::as_str).collect();
            builder.add_operator_with::<TableOf<K, V>, TableOf<K, R::Plain>, _>(
                &plan.name(name),
                &[&plan.node(parent)],
                &used,
                move |_| TableTransformValues { transform, store: None, sends_old },
            );
        });
        drop(plan);
        Table::new(self.builder, step, self.sources.clone(), (row, old_rows))
    }

    /// As [`transform_values`](Self::transform_values), with the new rows kept in the store that `materialized` names: the
    /// function is called once for each change. Without a name nothing is kept.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const TIMES: Store<String, i64> = Store::of("times");
    /// # let builder = StreamsBuilder::new();
    /// builder.table(&IN).transform_values_with(
    ///     &TIMES,
    ///     |_key, value, ctx| Ok(value.and(ctx.timestamp()).map(|time| time.as_millis())),
    ///     &[],
    /// );
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(5).send("a", 7);
    /// assert_eq!(driver.store(&TIMES).get("a"), Some(5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn transform_values_with<R: Data>(
        &self,
        materialized: impl IntoMaterialized<K, R::Plain>,
        transform: impl Fn(&K, Option<&V>, &mut RowContext<'_>) -> Result<R, ProcessError> + Send + Sync + 'static,
        stores: &[&dyn StoreName],
    ) -> Table<'b, K, R::Plain> {
        let Some(named) = materialized.into_materialized().under_name() else {
            return self.transform_values(transform, stores);
        };
        let transform = Arc::new(move |key: &K, value: Option<&V>, ctx: &mut RowContext<'_>| {
            transform(key, value, ctx).map(R::into_plain)
        });
        self.kept("KTABLE-TRANSFORMVALUES-", named, &names(stores), move |store| {
            let sends_old = store.sends_old();
            TableTransformValues { transform, store: Some(store), sends_old }
        })
    }
}

fn names<'s>(stores: &[&'s dyn StoreName]) -> Vec<&'s str> {
    stores.iter().map(|store| store.store_name()).collect()
}
