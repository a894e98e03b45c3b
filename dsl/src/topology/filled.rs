//! Stores that a topic fills: global stores, and stores that are only read.
//!
//! Rule: the topic is what the store is made from, so the store has no changelog, and one processor alone writes it. That
//! processor and its source do nothing else: at a start their records run again, and nothing may come out of that but rows.

use std::sync::Arc;

use super::builder::DeclaredStore;
use super::nodes::{Kind, Node};
use super::{Fault, Source, SourceTopics, TopologyBuilder};
use crate::processor::Processor;
use crate::state::{Changelog, Emit, StoreSpec};

/// Which records of its topic fill a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilledBy {
    /// All: a global store, of which a process has one copy.
    AllPartitions,
    /// Those of the task's partition.
    OnePartition,
}

/// How a topic fills a store.
#[derive(Clone, Debug)]
pub(crate) struct Filled {
    pub(crate) by: FilledBy,
    pub(crate) source: Arc<str>,
    pub(crate) processor: Arc<str>,
}

impl DeclaredStore {
    pub(super) fn is_global(&self) -> bool {
        self.filled.as_ref().is_some_and(|filled| filled.by == FilledBy::AllPartitions)
    }
}

impl TopologyBuilder {
    /// Adds a global store: one copy per process, with the records of all partitions of its topic, read by every node
    /// without a connection.
    ///
    /// `supplier` makes the processor that maintains it; no other can write it, and what it forwards goes nowhere. At a
    /// start the topic is read to its end before any task runs; after that there is no order between its records and those
    /// of other topics. The store has no changelog, whatever `spec` says: its topic is one. Kept on disk it goes on where
    /// it was; in memory it is made anew from the whole topic.
    ///
    /// ```
    /// use tidemill_dsl::Topic;
    /// use tidemill_dsl::processor::{Context, Flow, Processor};
    /// use tidemill_dsl::record::Record;
    /// use tidemill_dsl::state::{Store, StoreSpec};
    /// use tidemill_dsl::topology::{Sink, Source, TopologyBuilder};
    ///
    /// const RATES: Topic<String, i64> = Topic::of("rates");
    /// const RATE: Store<String, i64> = Store::of("rate");
    /// const AMOUNTS: Topic<String, i64> = Topic::of("amounts");
    ///
    /// struct Keep;
    ///
    /// impl Processor<String, i64, (), ()> for Keep {
    ///     fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, (), ()>) -> Flow {
    ///         ctx.store(&RATE)?.put(record.key, *record.value, record.timestamp)
    ///     }
    /// }
    ///
    /// struct Convert;
    ///
    /// impl Processor<String, i64, String, i64> for Convert {
    ///     fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
    ///         let rate = ctx.read(&RATE, |rates| Ok(rates.get(record.key)?.copied()))?;
    ///         ctx.forward(record.with_value(&(record.value * rate.unwrap_or(1))))
    ///     }
    /// }
    ///
    /// let mut builder = TopologyBuilder::new();
    /// builder.add_global_store(StoreSpec::plain(&RATE), "rates", Source::topic(&RATES), "keep", || Keep);
    /// builder.add_source("amounts", Source::topic(&AMOUNTS));
    /// builder.add_processor("convert", &["amounts"], || Convert);
    /// builder.add_sink("converted", &["convert"], Sink::topic(&Topic::<String, i64>::of("converted")));
    /// let topology = builder.build()?;
    /// assert!(topology.describe().contains("Sub-topology: 0 for global store (will not generate tasks)"));
    ///
    /// let mut driver = tidemill_testkit::TestDriver::new(&topology);
    /// driver.input(&RATES).send("eur", 3);
    /// driver.input(&AMOUNTS).send("eur", 5);
    /// assert_eq!(driver.output(&Topic::<String, i64>::of("converted")).values(), [15]);
    /// # Ok::<(), tidemill_dsl::topology::TopologyErrors>(())
    /// ```
    pub fn add_global_store<K, V, P>(
        &mut self,
        spec: StoreSpec,
        source_name: &str,
        source: Source<K, V>,
        processor_name: &str,
        supplier: impl Fn() -> P + Send + Sync + 'static,
    ) -> &mut Self
    where
        K: Send + 'static,
        V: Send + 'static,
        P: Processor<K, V, (), ()>,
    {
        self.add_source(source_name, source).add_processor(processor_name, &[source_name], supplier);
        self.fill_store(spec, FilledBy::AllPartitions, source_name, processor_name)
    }

    /// Adds a store that a topic fills and other processors only read (KIP-813): each task has the records of its partition.
    ///
    /// `supplier` makes the processor that maintains it; no other can write it, and what it forwards goes nowhere. Connect
    /// the processors that read it. The store has no changelog, whatever `spec` says: its topic is one. A start runs the
    /// records through the processor that the store does not have yet, so what is restored is what was there.
    ///
    /// ```
    /// # use tidemill_dsl::Topic;
    /// # use tidemill_dsl::processor::{Context, Flow, Processor};
    /// # use tidemill_dsl::record::Record;
    /// # use tidemill_dsl::state::{Store, StoreSpec};
    /// # use tidemill_dsl::topology::{Sink, Source, TopologyBuilder};
    /// # const RATES: Topic<String, i64> = Topic::of("rates");
    /// # const RATE: Store<String, i64> = Store::of("rate");
    /// # const AMOUNTS: Topic<String, i64> = Topic::of("amounts");
    /// # struct Keep;
    /// # impl Processor<String, i64, (), ()> for Keep {
    /// #     fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, (), ()>) -> Flow {
    /// #         ctx.store(&RATE)?.put(record.key, *record.value, record.timestamp)
    /// #     }
    /// # }
    /// # struct Convert;
    /// # impl Processor<String, i64, String, i64> for Convert {
    /// #     fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
    /// #         let rate = ctx.read(&RATE, |rates| Ok(rates.get(record.key)?.copied()))?;
    /// #         ctx.forward(record.with_value(&(record.value * rate.unwrap_or(1))))
    /// #     }
    /// # }
    /// let mut builder = TopologyBuilder::new();
    /// builder.add_read_only_store(StoreSpec::plain(&RATE), "rates", Source::topic(&RATES), "keep", || Keep);
    /// builder.add_source("amounts", Source::topic(&AMOUNTS));
    /// builder.add_processor("convert", &["amounts"], || Convert).connect("convert", &[RATE.name()]);
    /// builder.add_sink("converted", &["convert"], Sink::topic(&Topic::<String, i64>::of("converted")));
    /// let mut driver = tidemill_testkit::TestDriver::new(&builder.build()?);
    /// driver.input(&RATES).send("eur", 3);
    /// driver.input(&AMOUNTS).send("eur", 5);
    /// assert_eq!(driver.output(&Topic::<String, i64>::of("converted")).values(), [15]);
    /// # Ok::<(), tidemill_dsl::topology::TopologyErrors>(())
    /// ```
    pub fn add_read_only_store<K, V, P>(
        &mut self,
        spec: StoreSpec,
        source_name: &str,
        source: Source<K, V>,
        processor_name: &str,
        supplier: impl Fn() -> P + Send + Sync + 'static,
    ) -> &mut Self
    where
        K: Send + 'static,
        V: Send + 'static,
        P: Processor<K, V, (), ()>,
    {
        self.add_source(source_name, source).add_processor(processor_name, &[source_name], supplier);
        self.fill_store(spec, FilledBy::OnePartition, source_name, processor_name)
    }

    /// Adds a store that `source` fills by way of `processor`, both added before.
    pub(crate) fn fill_store(&mut self, spec: StoreSpec, by: FilledBy, source: &str, processor: &str) -> &mut Self {
        let known = self.stores.len();
        self.add_state_store(spec.changelog(Changelog::Off).emit(Emit::EveryUpdate), &[processor]);
        // Unless the store was refused.
        if let Some(store) = self.stores.get_mut(known) {
            store.filled = Some(Filled { by, source: source.into(), processor: processor.into() });
        }
        self
    }

    pub(super) fn check_filled(&self, faults: &mut Vec<Fault>) {
        for store in &self.stores {
            let Some(filled) = &store.filled else { continue };
            let name = store.spec.name();
            for node in &self.nodes {
                let itself = node.name == filled.processor;
                if let Some(other) = node.stores.iter().find(|other| itself && *other != name) {
                    let (node, other) = (node.name.clone(), other.clone());
                    faults.push(Fault::FilledWithOther { node, store: name.clone(), other });
                }
                if store.is_global() && !itself && store.users.contains(&node.name) {
                    faults.push(Fault::GlobalConnected { store: name.clone(), node: node.name.clone() });
                }
                let alone = |parent: &&Arc<str>| **parent == filled.processor || (**parent == filled.source && !itself);
                if let Some(parent) = node.parents.iter().find(alone) {
                    let (node, parent) = (node.name.clone(), parent.clone());
                    faults.push(Fault::FilledAlone { node, parent, store: name.clone() });
                }
                if node.name == filled.source && by_pattern(node) {
                    faults.push(Fault::FilledByPattern { store: name.clone(), source: node.name.clone() });
                }
            }
        }
    }
}

fn by_pattern(node: &Node) -> bool {
    matches!(node.kind, Kind::Source(SourceTopics::Matching(_)))
}
