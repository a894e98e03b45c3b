//! Global and read-only stores in a topology: their names and plan, and what is refused.

use tidemill::Topic;
use tidemill::processor::{Context, Flow, PartitionCounts, Processor};
use tidemill::record::Record;
use tidemill::serde::SerdeRef;
use tidemill::state::{Changelog, Store, StoreSpec};
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill::topology::{Sink, Source, Topology, TopologyBuilder};

const ORDERS: Topic<String, i64> = Topic::of("orders");
const PRICES: Topic<String, i64> = Topic::of("prices");
const OUT: Topic<String, i64> = Topic::of("out");
const ROWS: Store<String, i64> = Store::of("rows");

/// Keeps what comes.
struct Keep;

impl Processor<String, i64, (), ()> for Keep {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, (), ()>) -> Flow {
        ctx.store(&ROWS)?.put(record.key, *record.value, record.timestamp)
    }
}

struct Pass;

impl Processor<String, i64, String, i64> for Pass {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.forward(record)
    }
}

struct Nothing;

impl Processor<(), (), (), ()> for Nothing {
    fn process(&mut self, record: Record<'_, (), ()>, ctx: &mut Context<'_, (), ()>) -> Flow {
        ctx.forward(record)
    }
}

fn joined() -> Topology {
    let builder = StreamsBuilder::new();
    let prices = builder.global_table(&PRICES);
    let orders = builder.stream(&ORDERS).select_key(|_, value| value.to_string());
    orders.join_global(&prices, |key, _| key.clone(), |count, price| count * price).to(&OUT);
    builder.build().unwrap()
}

struct Five;

impl PartitionCounts for Five {
    fn partitions(&self, topic: &str) -> Option<u32> {
        Some(if topic == "prices" { 5 } else { 2 })
    }
}

#[test]
fn a_global_table_is_numbered_like_a_table_and_its_join_repartitions_nothing() {
    assert_eq!(
        joined().describe(),
        "Topologies:\n   \
         Sub-topology: 0 for global store (will not generate tasks)\n    \
           Source: KSTREAM-SOURCE-0000000001 (topics: [prices])\n      \
             --> KTABLE-SOURCE-0000000002\n    \
           Processor: KTABLE-SOURCE-0000000002 (stores: [prices-STATE-STORE-0000000000])\n      \
             --> none\n      \
             <-- KSTREAM-SOURCE-0000000001\n  \
         Sub-topology: 1\n    \
           Source: KSTREAM-SOURCE-0000000003 (topics: [orders])\n      \
             --> KSTREAM-KEY-SELECT-0000000004\n    \
           Processor: KSTREAM-KEY-SELECT-0000000004 (stores: [])\n      \
             --> KSTREAM-LEFTJOIN-0000000005\n      \
             <-- KSTREAM-SOURCE-0000000003\n    \
           Processor: KSTREAM-LEFTJOIN-0000000005 (stores: [])\n      \
             --> KSTREAM-SINK-0000000006\n      \
             <-- KSTREAM-KEY-SELECT-0000000004\n    \
           Sink: KSTREAM-SINK-0000000006 (topic: out)\n      \
             <-- KSTREAM-LEFTJOIN-0000000005\n\n"
    );
}

#[test]
fn names_of_one_s_own_are_given_to_the_source_too() {
    let builder = StreamsBuilder::new();
    let prices = builder.global_table_with(&PRICES, &ROWS).named("prices");
    builder.stream(&ORDERS).left_join_global(&prices, |key, _| key.clone(), |count, _| *count).named("price").to(&OUT);
    let topology = builder.build().unwrap();
    let names: Vec<&str> = topology.nodes().iter().map(|node| &*node.name).collect();
    let numbered = ["KSTREAM-SOURCE-0000000002", "KSTREAM-SINK-0000000004"];
    assert_eq!(names, ["prices-source", "prices", numbered[0], "price", numbered[1]]);
}

#[test]
fn a_global_sub_topology_has_no_tasks_and_a_store_that_a_topic_fills_no_changelog() {
    let plan = joined().plan("app", Changelog::EveryUpdate, &[], &Five).unwrap();
    assert_eq!((plan.tasks, plan.internal), (vec![0, 2], vec![]));
    // Whatever the spec says.
    let (builder, kept) = (StreamsBuilder::new(), Materialized::store(&ROWS).changelog(Changelog::EveryUpdate));
    builder.global_table_with(&PRICES, kept);
    let plan = builder.build().unwrap().plan("app", Changelog::EveryUpdate, &[], &Five).unwrap();
    assert_eq!((plan.tasks, plan.internal, plan.stores[ROWS.name()]), (vec![0], vec![], 1));
    let mut builder = TopologyBuilder::new();
    let kept = StoreSpec::plain(&ROWS).changelog(Changelog::LastPerCommit);
    builder.add_read_only_store(kept, "prices", Source::topic(&PRICES), "keep", || Keep);
    let plan = builder.build().unwrap().plan("app", Changelog::EveryUpdate, &[], &Five).unwrap();
    assert_eq!((plan.tasks, plan.internal), (vec![5], vec![]));
}

#[test]
fn pictures_say_which_sub_topology_is_global() {
    assert!(joined().to_dot().contains("label=\"sub-topology 0 (global)\""));
    assert!(joined().to_mermaid().contains("[\"sub-topology 0 (global)\"]"));
}

/// What is said about a topology with a global store that is right but for what `spoil` adds.
fn refused(spoil: impl FnOnce(&mut TopologyBuilder), expected: &str) {
    let mut builder = TopologyBuilder::new();
    builder.add_global_store(StoreSpec::plain(&ROWS), "prices", Source::topic(&PRICES), "keep", || Keep);
    builder.add_source("orders", Source::topic(&ORDERS));
    builder.add_processor("pass", &["orders"], || Pass);
    spoil(&mut builder);
    let error = builder.build().expect_err("the topology is wrong");
    assert_eq!(error.to_string(), format!("the topology is wrong: {expected}"));
}

#[test]
fn a_global_store_that_is_connected() {
    refused(
        |builder| {
            builder.connect("pass", &["rows"]);
        },
        "node `pass` is connected to the global store `rows`, which every node can read anyway and only its own processor \
         can write: leave the connection out",
    );
}

#[test]
fn a_node_below_what_fills_a_store() {
    refused(
        |builder| {
            builder.add_sink("copy", &["prices"], Sink::topic(&OUT));
        },
        "node `copy` has the parent `prices`, which does nothing but fill the store `rows`: read the topic once more under \
         another name, or connect `copy` elsewhere",
    );
    refused(
        |builder| {
            builder.add_processor("copy", &["keep"], || Nothing);
        },
        "node `copy` has the parent `keep`, which does nothing but fill the store `rows`: read the topic once more under \
         another name, or connect `copy` elsewhere",
    );
}

#[test]
fn another_store_of_the_processor_that_fills_one() {
    const OTHER: Store<String, i64> = Store::of("other");
    refused(
        |builder| {
            builder.add_state_store(StoreSpec::plain(&OTHER), &["keep"]);
        },
        "node `keep` fills the store `rows` and is connected to `other` too: its records run again at a start, which would \
         change `other` twice; give that another processor",
    );
}

#[test]
fn a_store_filled_by_a_pattern() {
    let mut builder = TopologyBuilder::new();
    let source = Source::matching("prices-.*", &SerdeRef::of(), &SerdeRef::of());
    builder.add_global_store(StoreSpec::plain(&ROWS), "prices", source, "keep", || Keep);
    assert_eq!(
        builder.build().unwrap_err().to_string(),
        "the topology is wrong: source `prices` fills the store `rows` and chooses its topics by a pattern: name the topics, \
         because what the store holds must not depend on which ones exist"
    );
}

#[test]
fn a_topic_that_a_stream_reads_too() {
    let builder = StreamsBuilder::new();
    builder.global_table_with(&PRICES, &ROWS);
    builder.stream(&PRICES).to(&OUT);
    let error = builder.build().unwrap_err().to_string();
    assert!(error.contains("topic `prices` is read by the sources `KSTREAM-SOURCE-0000000000`"), "{error}");
}

#[test]
fn a_global_table_of_another_builder() {
    let (builder, other) = (StreamsBuilder::new(), StreamsBuilder::new());
    let prices = other.global_table(&PRICES);
    builder.stream(&ORDERS).join_global(&prices, |key, _| key.clone(), |count, _| *count).to(&OUT);
    let error = builder.build().unwrap_err().to_string();
    assert!(error.contains("`join_global` was given a stream or table of another builder"), "{error}");
}
