//! `describe()` is Kafka Streams' text to the last byte, also where names and numbers follow odd rules.
//!
//! Each text beside this file is what Kafka Streams 4.3.0 printed for the topology of the test of that name.

use tidemill_dsl::Topic;
use tidemill_dsl::state::Store;
use tidemill_dsl::stream::{Materialized, Optimization, Repartitioned, StreamsBuilder};

type Text = Option<String>;

const T1: Topic<String, String> = Topic::of("t1");
const T2: Topic<String, String> = Topic::of("t2");
const T_OUT: Topic<String, String> = Topic::of("out");
const T_OUT2: Topic<String, String> = Topic::of("out2");

fn check(describe: fn(&StreamsBuilder), expected: &str) {
    check_built(StreamsBuilder::new(), describe, expected);
}

fn check_merged(describe: fn(&StreamsBuilder), expected: &str) {
    check_built(StreamsBuilder::new().optimize(Optimization::MergeRepartitions), describe, expected);
}

fn check_built(builder: StreamsBuilder, describe: fn(&StreamsBuilder), expected: &str) {
    describe(&builder);
    let topology = builder.build().unwrap_or_else(|errors| panic!("{errors}"));
    let actual = topology.describe();
    assert!(actual == expected, "expected:\n{expected}\nactual:\n{actual}");
}

fn texts(name: &'static str) -> Topic<Text, Text> {
    Topic::of(name)
}

fn counts(name: &'static str) -> Topic<String, i64> {
    Topic::of(name)
}

#[test]
fn aggregations_of_a_named_grouping_share_its_topic() {
    check(
        |b| {
            let grouped = b.stream(&texts("in")).select_key(|_, v| v.clone()).group_by_key().named("grp");
            grouped.count().to_stream().to(&counts("a"));
            grouped.count().to_stream().to(&counts("b"));
        },
        include_str!("shared_grouping.txt"),
    );
}

#[test]
fn joins_of_a_stream_share_their_topic() {
    check(
        |b| {
            let s = b.stream(&texts("in")).select_key(|_, v| v.clone());
            let (t1, t2) = (b.table(&T1), b.table(&T2));
            s.join(&t1, |x, y| Some(x.clone() + y)).to(&texts("a"));
            s.join(&t2, |x, y| Some(x.clone() + y)).to(&texts("b"));
        },
        include_str!("two_joins.txt"),
    );
}

#[test]
fn a_named_join_has_a_topic_of_its_own_which_later_joins_share() {
    check(
        |b| {
            let s = b.stream(&texts("in")).select_key(|_, v| v.clone()).named("byv");
            let (t1, t2) = (b.table(&T1), b.table(&T2));
            s.join(&t1, |x, y| Some(x.clone() + y)).to(&texts("a"));
            s.join(&t2, |x, y| Some(x.clone() + y)).named("nm").to(&texts("b"));
            s.join(&t2, |x, y| Some(x.clone() + y)).to(&texts("c"));
        },
        include_str!("two_joins_one_named.txt"),
    );
}

#[test]
fn topics_without_a_name_are_called_after_nodes_and_stores() {
    check(
        |b| {
            b.stream(&texts("in"))
                .select_key(|_, v| v.clone())
                .to_table()
                .to_stream()
                .to(&Topic::<String, String>::of("a"));
            let mut split = b.stream(&texts("in2")).select_key(|_, v| v.clone()).split();
            let branch = split.branch(|_, _| true);
            let t1 = b.table(&T1);
            branch.left_join(&t1, |x, y| y.map(|y| x.clone() + y)).to(&texts("b"));
            b.stream(&texts("in2")).to(&texts("c"));
            b.stream(&texts("in2")).group_by(|_, v| v.clone()).count().to_stream().to(&counts("d"));
        },
        include_str!("unnamed_topics.txt"),
    );
}

#[test]
fn many_children_stand_in_the_order_of_a_java_tree() {
    check(
        |b| {
            let s = b.stream(&texts("in"));
            for i in 0..12 {
                let first = s.filter(|_, _| true);
                let last = (0..(i * 5) % 4).fold(first, |x, _| x.filter(|_, _| true));
                last.to(&Topic::new(format!("o{i}"), texts("").key_serde().clone(), texts("").value_serde().clone()));
            }
        },
        include_str!("wide.txt"),
    );
}

#[test]
fn a_topic_moves_up_to_the_change_of_key_with_all_that_lies_between() {
    check_merged(
        |b| {
            let s = b.stream(&texts("in")).select_key(|_, v| v.clone()).filter(|_, _| true);
            s.group_by_key().count().to_stream().to(&counts("a"));
            s.to(&texts("b"));
        },
        include_str!("merged_single.txt"),
    );
}

#[test]
fn a_topic_does_not_move_above_a_change_of_values_and_an_explicit_one_stays() {
    check_merged(
        |b| {
            let s = b.stream(&texts("in")).select_key(|_, v| v.clone());
            s.map_values(Clone::clone).group_by_key().count().to_stream().to(&counts("a"));
            s.group_by_key().count().to_stream().to(&counts("b"));
            s.repartition_with(Repartitioned::default()).named("own").to(&texts("c"));
        },
        include_str!("merged_not_below_value_change.txt"),
    );
}

#[test]
fn the_topics_of_joins_become_one() {
    check_merged(
        |b| {
            let s = b.stream(&texts("in")).map(|_, v| (v.clone(), v.clone()));
            let (t1, t2) = (b.table(&T1), b.table(&T2));
            s.left_join(&t1, |x, y| y.map(|y| x.clone() + y)).to(&texts("a"));
            s.join(&t2, |x, y| Some(x.clone() + y)).named("second").to(&texts("b"));
        },
        include_str!("merged_joins.txt"),
    );
}

#[test]
fn a_cogroup_is_named_after_its_table_and_numbered_in_order() {
    check(
        |b| {
            let g1 = b.stream(&texts("s1")).group_by_key();
            let g2 = b.stream(&texts("s2")).select_key(|_, v| v.clone()).group_by_key();
            g1.cogroup(|row: String, _, v| row + v)
                .and(&g2, |row, _, v| row + v)
                .aggregate(Materialized::default(), String::new)
                .named("both")
                .to_stream()
                .to(&T_OUT);
            g1.cogroup(|row: String, _, v| row + v)
                .aggregate(Materialized::default(), String::new)
                .to_stream()
                .to(&T_OUT2);
        },
        include_str!("cogroup_named.txt"),
    );
}

#[test]
fn aggregations_of_a_grouped_table_share_a_topic_if_the_grouping_has_a_name() {
    check(
        |b| {
            let t = b.table(&Topic::<String, String>::of("in"));
            let named = t.group_by(|_, v| (v.clone(), v.clone())).named("grp");
            named.count().named("counting").to_stream().to(&counts("a"));
            named.reduce(|x, y| x + y, |x, _| x).to_stream().to(&Topic::<String, String>::of("b"));
            let unnamed = t.group_by(|_, v| (v.clone(), v.clone()));
            unnamed
                .aggregate(Materialized::default(), String::new, |row, _, v| row + v, |row, _, _| row)
                .to_stream()
                .to(&Topic::<String, String>::of("c"));
            unnamed.count_with(&Store::of("n")).to_stream().to(&counts("d"));
        },
        include_str!("table_groups.txt"),
    );
}
