//! `to_table`: a stream as a table.

use std::any::Any;

use super::Table;
use super::source::{plan_source, plan_store};
use crate::serde::{Data, SerdeRef};
use crate::stream::repartition::{Repartition, plan_repartition};
use crate::stream::stream_type::Sources;
use crate::stream::{IntoMaterialized, Materialized, Stream};

impl<'b, K: Data, V: Data<Plain: Clone>> Stream<'b, K, V> {
    /// The stream as a table: the last record of a key is its row.
    ///
    /// A record without value deletes the row; one without key is dropped and counted. If the key may have changed, the
    /// records go through a repartition topic first. Stores the rows only if something reads them, such as a join.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).map_values(|value| value * 2).to_table().to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 1);
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some(2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_table(&self) -> Table<'b, K::Plain, V::Plain> {
        self.to_table_with(Materialized::default())
    }

    /// As [`to_table`](Self::to_table), kept as the options say; a `&Store` keeps the rows under its name, for queries.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use tidemill_dsl::state::Store;
    ///
    /// const DOUBLES: Store<String, i64> = Store::of("doubles");
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).map_values(|value| value * 2).to_table_with(&DOUBLES);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 4);
    /// assert_eq!(driver.store(&DOUBLES).get("a"), Some(8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_table_with(
        &self,
        materialized: impl IntoMaterialized<K::Plain, V::Plain>,
    ) -> Table<'b, K::Plain, V::Plain> {
        let materialized = materialized.into_materialized();
        let mut plan = self.builder.plan();
        let name = plan.names.numbered("KSTREAM-TOTABLE-");
        let store_name = match &materialized.name {
            Some(name) => plan.names.fixed(name),
            None => plan.names.numbered("KSTREAM-TOTABLE-STATE-STORE-"),
        };
        let (named, serdes) = (materialized.name.is_some(), (materialized.key.clone(), materialized.value.clone()));
        let (store, spec) = plan_store(&mut plan, store_name, materialized, named);
        let (mut parent, mut sources) = (self.step, self.sources.clone());
        if self.rekeyed {
            let of_topic = (same(serdes.0.as_ref()), same(serdes.1.as_ref()));
            let known = (of_topic.0.or(self.serdes.0.clone()), of_topic.1.or(self.serdes.1.clone()));
            let topic = Repartition::new(name, &known, self.sides.before_windows());
            parent = plan_repartition(&mut plan, self.step, topic);
            sources = Sources::one(parent);
        }
        let step = plan_source::<K, V>(&mut plan, parent, name, (store, spec), self.sides.clone());
        drop(plan);
        Table::stored(self.builder, step, sources, store).with_serdes(serdes)
    }
}

/// A serde of what a table has, as one of what its stream has, where that is the same type: the topic on the way to the table is
/// written as its rows are, as in Kafka Streams.
fn same<P: 'static, T: 'static>(plain: Option<&SerdeRef<P>>) -> Option<SerdeRef<T>> {
    let plain: &dyn Any = plain?;
    plain.downcast_ref::<SerdeRef<T>>().cloned()
}
