//! Names that reach the disk: numbered ones are listed, and refused where the author wants to give every name.

use tidemill::Topic;
use tidemill::state::Store;
use tidemill::stream::{Naming, StreamsBuilder};
use tidemill::topology::Topology;

const IN: Topic<String, i64> = Topic::of("in");
const PRICES: Topic<String, i64> = Topic::of("prices");
const OUT: Topic<String, i64> = Topic::of("out");
const COUNTS: Store<String, i64> = Store::of("counts");

fn numbered(builder: &StreamsBuilder) -> Vec<String> {
    builder.numbered_names().iter().map(ToString::to_string).collect()
}

fn node_names(topology: &Topology) -> Vec<&str> {
    topology.nodes().iter().map(|node| &*node.name).collect()
}

/// A store and two repartition topics without names of their own.
fn unnamed(builder: &StreamsBuilder) {
    let stream = builder.stream(&IN);
    stream.group_by(|_, value| value % 2).count();
    stream.repartition().to(&OUT);
}

#[test]
fn nodes_are_numbered_in_the_order_of_the_calls() {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).filter(|_, _| true).map_values(|value| value + 1).to(&OUT);
    assert_eq!(
        node_names(&builder.build().unwrap()),
        [
            "KSTREAM-SOURCE-0000000000",
            "KSTREAM-FILTER-0000000001",
            "KSTREAM-MAPVALUES-0000000002",
            "KSTREAM-SINK-0000000003"
        ]
    );
}

#[test]
fn a_given_name_uses_up_its_number_all_the_same() {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).filter(|_, _| true).named("wanted").map_values(|value| value + 1).to(&OUT).named("end");
    assert_eq!(
        node_names(&builder.build().unwrap()),
        ["KSTREAM-SOURCE-0000000000", "wanted", "KSTREAM-MAPVALUES-0000000002", "end"]
    );
}

#[test]
fn the_nodes_of_a_join_of_tables_are_called_after_it() {
    let builder = StreamsBuilder::new();
    let (left, right) = (builder.table(&IN), builder.table(&PRICES));
    left.join(&right, |left, right| left + right).named("sum").to_stream().to(&OUT).named("end");
    let topology = builder.build().unwrap();
    assert_eq!(
        node_names(&topology)[4..],
        ["sum-join-this", "sum-join-other", "sum", "KTABLE-TOSTREAM-0000000009", "end"]
    );
}

#[test]
fn an_operator_upstream_moves_a_numbered_name() {
    let store = |filters: usize| {
        let builder = StreamsBuilder::new();
        let stream = (0..filters).fold(builder.stream(&IN), |stream, _| stream.filter(|_, _| true));
        stream.group_by_key().count();
        numbered(&builder)
    };
    assert_eq!(store(0), ["KSTREAM-AGGREGATE-STATE-STORE-0000000001"]);
    assert_eq!(store(1), ["KSTREAM-AGGREGATE-STATE-STORE-0000000002"]);
}

#[test]
fn numbered_names_that_reach_the_disk_are_listed() {
    let builder = StreamsBuilder::new();
    unnamed(&builder);
    let names = numbered(&builder);
    // The repartition topic of a grouping without a name is called after its store, and stands for both.
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(names.iter().filter(|name| name.contains("STATE-STORE")).count(), 1, "{names:?}");
    assert_eq!(names.iter().filter(|name| name.contains("KSTREAM-REPARTITION")).count(), 1, "{names:?}");
}

#[test]
fn what_has_a_name_or_is_never_kept_is_not_listed() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream(&IN).filter(|_, _| true);
    stream.group_by(|key, _| key.clone()).named("by-key").count_with(&COUNTS);
    stream.repartition().named("spread").to(&OUT);
    // Nothing reads the rows of this table, so it has no store.
    builder.table(&PRICES).to_stream().to(&OUT);
    assert_eq!(numbered(&builder), [""; 0]);
}

#[test]
fn a_join_makes_the_tables_store_one_that_is_kept() {
    let builder = StreamsBuilder::new();
    let prices = builder.table(&PRICES);
    assert_eq!(numbered(&builder), [""; 0]);
    builder.stream(&IN).join(&prices, |value, price| value * price).to(&OUT);
    assert_eq!(numbered(&builder), ["prices-STATE-STORE-0000000000"]);
}

#[test]
fn explicit_naming_refuses_all_numbered_names_at_once() {
    let builder = StreamsBuilder::new().naming(Naming::Explicit);
    unnamed(&builder);
    let names = numbered(&builder);
    let (stores, topics): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.contains("STATE-STORE"));
    assert!(!stores.is_empty() && !topics.is_empty(), "{names:?}");
    let list = |names: &[&String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    assert_eq!(
        builder.build().unwrap_err().to_string(),
        format!(
            "the topology is wrong: numbered names move when an operator is added upstream, and these reach the disk; stores: {} \
             (pass a descriptor, such as a `&Store`, to the verb's `_with` form, or name the verb); repartition topics: {} \
             (`.named(..)` on the grouping, join or `repartition`)",
            list(&stores),
            list(&topics),
        )
    );
}

#[test]
fn explicit_naming_leaves_nodes_their_numbers() {
    let builder = StreamsBuilder::new().naming(Naming::Explicit);
    builder.stream(&IN).filter(|_, _| true).group_by_key().count_with(&COUNTS);
    assert!(builder.build().is_ok());
}
