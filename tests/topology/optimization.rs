//! Repartition topics that become one: which, where the one stands, and which it must leave alone.

use tidemill::Topic;
use tidemill::state::Store;
use tidemill::stream::{Optimization, Stream, StreamsBuilder};
use tidemill::topology::{NodeKind, SinkTopic, Topology};
use tidemill_testkit::TestDriver;

const IN: Topic<String, String> = Topic::of("in");
const OTHER: Topic<String, String> = Topic::of("other");
const OUT: Topic<String, String> = Topic::of("out");
const TABLE: Topic<String, String> = Topic::of("table");
const JOINED: Topic<String, String> = Topic::of("joined");
const COUNTS: Store<String, i64> = Store::of("counts");
const LAST: Store<String, String> = Store::of("last");

fn merged(write: fn(&StreamsBuilder)) -> Topology {
    let builder = StreamsBuilder::new().optimize(Optimization::MergeRepartitions);
    write(&builder);
    builder.build().unwrap_or_else(|errors| panic!("{errors}"))
}

/// The topics that a topology writes to itself, with the node that each comes from.
fn repartitions(topology: &Topology) -> Vec<(&str, &str)> {
    let parent = |name: &str| topology.nodes().iter().find(|node| *node.name == *name).map(|node| &*node.parents[0]);
    let written = topology.nodes().iter().filter_map(|node| match &node.kind {
        NodeKind::Sink(SinkTopic::Fixed(topic)) if topic.name().ends_with("-repartition") => {
            parent(&node.parents[0]).map(|above| (&**topic.name(), above))
        }
        _ => None,
    });
    written.collect()
}

fn by_value<'b>(builder: &'b StreamsBuilder, topic: &Topic<String, String>, name: &str) -> Stream<'b, String, String> {
    builder.stream(topic).select_key(|_, value| value.clone()).named(name)
}

#[test]
fn branches_below_a_change_of_key_share_its_topic() {
    // Kafka Streams 4.3 refuses to build this one: "Found a null keyChangingChild node".
    let topology = merged(|builder| {
        let mut split = by_value(builder, &IN, "by-value").peek(|_, _| ()).split();
        split.branch(|_, value| value.len() > 2).group_by_key().named("long").count();
        split.default_branch().group_by_key().named("short").count();
    });
    assert_eq!(repartitions(&topology), [("long-repartition", "by-value")]);
}

#[test]
fn the_topic_of_merged_streams_stands_below_the_merge() {
    // So does this one.
    let topology = merged(|builder| {
        let merged = by_value(builder, &IN, "by-value").merge(&builder.stream(&OTHER)).named("both");
        let kept = merged.filter(|_, _| true);
        kept.group_by_key().named("first").count();
        kept.group_by_key().named("second").count();
    });
    assert_eq!(repartitions(&topology), [("first-repartition", "both")]);
}

#[test]
fn a_topic_stays_where_records_come_to_it_by_another_way_too() {
    let topology = merged(|builder| {
        let left = by_value(builder, &IN, "left");
        left.group_by_key().named("left-only").count();
        left.merge(&by_value(builder, &OTHER, "right")).named("both").group_by_key().named("both-sides").count();
    });
    assert_eq!(repartitions(&topology), [("left-only-repartition", "left"), ("both-sides-repartition", "both")]);
}

#[test]
fn a_topic_does_not_move_above_a_join_with_a_global_table() {
    // Kafka Streams moves it, and then writes values of the wrong type.
    let topology = merged(|builder| {
        let global = builder.global_table(&TABLE);
        by_value(builder, &IN, "by-value")
            .join_global(&global, |_, value| value.clone(), |value, row| (value.len() + row.len()) as u64)
            .named("joined")
            .group_by_key()
            .named("grouped")
            .count();
    });
    assert_eq!(repartitions(&topology), [("grouped-repartition", "joined")]);
}

#[test]
fn nothing_is_merged_unless_it_is_asked_for() {
    let write = |builder: &StreamsBuilder| {
        let stream = by_value(builder, &IN, "by-value");
        stream.group_by_key().named("first").count();
        stream.group_by_key().named("second").count();
    };
    for (optimization, topics) in [
        (Optimization::None, 2),
        (Optimization::ReuseSourceTopics, 2),
        (Optimization::MergeRepartitions, 1),
        (Optimization::All, 1),
    ] {
        let builder = StreamsBuilder::new().optimize(optimization);
        write(&builder);
        assert_eq!(repartitions(&builder.build().unwrap()).len(), topics, "{optimization:?}");
    }
    let builder = StreamsBuilder::new().optimize(Optimization::All).optimize(Optimization::None);
    write(&builder);
    assert_eq!(repartitions(&builder.build().unwrap()).len(), 2, "the last word counts");
}

#[test]
fn names_of_topics_that_are_not_made_are_not_listed() {
    let write = |builder: &StreamsBuilder| {
        let stream = builder.stream(&IN).select_key(|_, value| value.clone());
        stream.group_by_key().count_with(&COUNTS);
        stream.join(&builder.table_with(&TABLE, &LAST), |value, _| value.clone()).to(&OUT);
    };
    let numbered = |optimization| {
        let builder = StreamsBuilder::new().optimize(optimization);
        write(&builder);
        builder.numbered_names().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(numbered(Optimization::None), ["KSTREAM-KEY-SELECT-0000000001"]);
    assert_eq!(numbered(Optimization::MergeRepartitions), Vec::<String>::new());
}

#[derive(Debug, PartialEq)]
struct Answers {
    counts: [Option<i64>; 3],
    joined: Vec<(String, String)>,
}

/// Counts, last values and a join below one change of key, over topics of three partitions; and how many repartition topics
/// that takes.
fn three_uses(optimization: Optimization) -> (Answers, usize) {
    let builder = StreamsBuilder::new().optimize(optimization);
    let stream = by_value(&builder, &IN, "by-value");
    stream.group_by_key().named("count").count_with(&COUNTS);
    stream.group_by_key().named("last").reduce_with(&LAST, |_, value| value.clone());
    stream.left_join(&builder.table(&TABLE), |value, row| format!("{value}{row:?}")).named("join").to(&JOINED);
    let topology = builder.build().unwrap();
    let topics = repartitions(&topology).len();
    let mut driver = TestDriver::new(&topology).partitions("in", 3).partitions("table", 3).partitions("joined", 3);
    for (key, value) in [("1", "a"), ("2", "b"), ("3", "a"), ("4", "c"), ("5", "a"), ("6", "b")] {
        driver.input(&TABLE).send(value, format!("row of {value}"));
        driver.input(&IN).send(key, value);
    }
    let counts = ["a", "b", "c"].map(|key| driver.store(&COUNTS).get(key));
    let mut joined = driver.output(&JOINED).key_values();
    joined.sort();
    (Answers { counts, joined }, topics)
}

#[test]
fn one_topic_gives_the_same_answers_as_three() {
    let (apart, topics) = three_uses(Optimization::None);
    assert_eq!(topics, 3);
    assert_eq!(apart.counts, [Some(3), Some(2), Some(1)]);
    assert_eq!(apart.joined.len(), 6);
    assert_eq!(three_uses(Optimization::MergeRepartitions), (apart, 1));
}

#[test]
fn records_without_a_key_go_through_every_topic_above_a_left_join() {
    const NULLABLE: Topic<Option<String>, Option<String>> = Topic::of("in");
    let written = |left: bool| {
        let builder = StreamsBuilder::new();
        let table = builder.table(&TABLE);
        let stream = builder.stream(&NULLABLE).repartition().named("first").select_key(|key, _| key.clone());
        if left {
            stream.left_join(&table, |value, _| value.clone()).named("join").to(&OUT);
        } else {
            stream.join(&table, |value, _| value.clone()).named("join").to(&OUT);
        }
        let mut driver = TestDriver::new(&builder.build().unwrap());
        driver.input(&NULLABLE).send(None, Some("x".to_owned()));
        (driver.take_raw("test-first-repartition").len(), driver.take_raw("out").len())
    };
    assert_eq!(written(true), (1, 1));
    assert_eq!(written(false), (0, 0));
}
