//! Verbs that run code of one's own with a context: stores, timers, any number of records forwarded.

use super::Stream;
use super::plan::StepId;
use crate::operator::ProcessFn;
use crate::processor::{Context, FixedKeyProcessor, Flow, Processor, StreamOf};
use crate::record::Record;
use crate::serde::Data;
use crate::state::StoreName;
use crate::topology::TopologyBuilder;

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    /// Runs a processor of one's own, one instance per task, connected to these stores; add them with
    /// [`StreamsBuilder::add_store`](super::StreamsBuilder::add_store), or let the processor bring them along
    /// ([`Processor::stores`]).
    ///
    /// Counts as a change of the key: grouping or joining afterwards goes through a repartition topic.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// use tidemill_dsl::processor::{Context, Flow, Processor};
    /// use tidemill_dsl::record::Record;
    /// use tidemill_dsl::state::{Store, StoreSpec};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    ///
    /// const LAST: Store<String, i64> = Store::of("last");
    ///
    /// /// Forwards by how much a value grew.
    /// struct Growth;
    ///
    /// impl Processor<String, i64, String, i64> for Growth {
    ///     fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
    ///         let mut last = ctx.store(&LAST)?;
    ///         let growth = record.value - last.get(record.key)?.unwrap_or(&0);
    ///         last.put(record.key, *record.value, record.timestamp)?;
    ///         ctx.forward(record.with_value(&growth))
    ///     }
    /// }
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder.add_store(StoreSpec::plain(&LAST));
    /// builder.stream(&IN).process(|| Growth, &[&LAST]).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 4);
    /// driver.input(&IN).send("a", 9);
    /// assert_eq!(driver.output(&OUT).values(), [4, 5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn process<K2: Data, V2: Data, P: Processor<K, V, K2, V2>>(
        &self,
        supplier: impl Fn() -> P + Send + Sync + 'static,
        stores: &[&dyn StoreName],
    ) -> Stream<'b, K2, V2> {
        let step = self.run("KSTREAM-PROCESSOR-", stores, |builder, name, parent| {
            builder.add_processor(name, &[parent], supplier);
        });
        self.continued(step, true, (None, None)).rekeyed()
    }

    /// As [`process`](Self::process), with a processor that cannot change the key: what comes after needs no repartition
    /// topic.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// use tidemill_dsl::processor::{FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Flow};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    ///
    /// /// Forwards a value as often as it says.
    /// struct Repeat;
    ///
    /// impl FixedKeyProcessor<String, i64, i64> for Repeat {
    ///     fn process(
    ///         &mut self,
    ///         record: FixedKeyRecord<'_, String, i64>,
    ///         ctx: &mut FixedKeyContext<'_, String, i64>,
    ///     ) -> Flow {
    ///         (0..*record.value()).try_for_each(|number| ctx.forward(record.with_value(&number)))
    ///     }
    /// }
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).process_values(|| Repeat, &[]).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 2);
    /// assert_eq!(driver.output(&OUT).key_values(), [("a".into(), 0), ("a".into(), 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn process_values<V2: Data, P: FixedKeyProcessor<K, V, V2>>(
        &self,
        supplier: impl Fn() -> P + Send + Sync + 'static,
        stores: &[&dyn StoreName],
    ) -> Stream<'b, K, V2> {
        let step = self.run("KSTREAM-PROCESSVALUES-", stores, |builder, name, parent| {
            builder.add_fixed_key_processor(name, &[parent], supplier);
        });
        self.continued(step, self.rekeyed, (self.serdes.0.clone(), None))
    }

    /// As [`process`](Self::process), with a function in place of a processor: for what keeps nothing of its own and needs
    /// no timer.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// use tidemill_dsl::processor::Context;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream(&IN)
    ///     .process_fn(
    ///         |record, ctx: &mut Context<'_, String, i64>| {
    ///             ctx.forward(record)?;
    ///             ctx.forward(record.with_value(&-record.value))
    ///         },
    ///         &[],
    ///     )
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 4);
    /// assert_eq!(driver.output(&OUT).values(), [4, -4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn process_fn<K2: Data, V2: Data>(
        &self,
        process: impl Fn(Record<'_, K, V>, &mut Context<'_, K2, V2>) -> Flow + Send + Sync + 'static,
        stores: &[&dyn StoreName],
    ) -> Stream<'b, K2, V2> {
        let step = self.run("KSTREAM-PROCESSOR-", stores, |builder, name, parent| {
            builder.add_operator::<StreamOf<K, V>, StreamOf<K2, V2>>(name, &[parent], ProcessFn(process));
        });
        self.continued(step, true, (None, None)).rekeyed()
    }

    /// Plans a node that `add` adds under a name and a parent, connected to stores.
    fn run(
        &self,
        prefix: &str,
        stores: &[&dyn StoreName],
        add: impl FnOnce(&mut TopologyBuilder, &str, &str) + 'static,
    ) -> StepId {
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered(prefix));
        let stores: Vec<String> = stores.iter().map(|store| store.store_name().to_owned()).collect();
        let sides = self.sides.clone();
        plan.add(name, &[parent], move |plan, builder| {
            let name = plan.name(name);
            add(builder, &name, &plan.node(parent));
            let stores: Vec<&str> = stores.iter().map(String::as_str).collect();
            builder.connect(&name, &stores);
            sides.add_to(&name, builder);
        })
    }
}
