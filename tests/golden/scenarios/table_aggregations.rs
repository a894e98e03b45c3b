//! Rows folded from the rows of a table that belong to a group.

use serde_json::{Value, json};
use tidemill::Topic;
use tidemill::state::Store;
use tidemill::stream::{GroupedTable, StreamsBuilder};

use super::{Scenario, first, texts};

const TEXTS: Topic<String, String> = Topic::of("in");
const LONGS: Topic<String, i64> = Topic::of("in");
const TEXTS_OUT: Topic<String, String> = Topic::of("out");
const LONGS_OUT: Topic<String, i64> = Topic::of("out");
const T: Store<String, String> = Store::of("t");
const T_LONGS: Store<String, i64> = Store::of("t");
const N: Store<String, i64> = Store::of("n");
const SUM: Store<String, i64> = Store::of("sum");
const AGG: Store<String, String> = Store::of("agg");
const TOP: Store<String, Value> = Store::of("top");
const PER_VALUE: Store<String, i64> = Store::of("per-value");
const PER_COUNT: Store<String, i64> = Store::of("per-count");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("table_groupby_count", table_groupby_count).store(&N),
        Scenario::streams("table_groupby_reduce", table_groupby_reduce).store(&SUM),
        Scenario::streams("table_groupby_aggregate_order", table_groupby_aggregate_order).store(&AGG),
        Scenario::streams("table_groupby_null_mapping", table_groupby_null_mapping).store(&AGG),
        Scenario::streams("table_groupby_delete_result", table_groupby_delete_result).store(&N),
        Scenario::streams("table_filter_groupby", table_filter_groupby).store(&SUM),
        Scenario::streams("table_two_level_groupby", table_two_level_groupby).store(&PER_VALUE).store(&PER_COUNT),
        Scenario::streams("stream_count_groupby_table", stream_count_groupby_table).store(&SUM),
        Scenario::streams("top_two_per_group", top_two_per_group).store(&TOP),
    ]
}

fn table_groupby_count(b: &StreamsBuilder) {
    by_value(b).count_with(&N).to_stream().to(&LONGS_OUT);
}

fn table_groupby_reduce(b: &StreamsBuilder) {
    b.table_with(&TEXTS, &T)
        .group_by(|_, v| {
            let (group, amount) = parts(v);
            (group, amount.parse::<i64>().expect("an amount is a number"))
        })
        .reduce_with(&SUM, |sum, v| sum + v, |sum, v| sum - v)
        .to_stream()
        .to(&LONGS_OUT);
}

fn table_groupby_aggregate_order(b: &StreamsBuilder) {
    told(b.table_with(&TEXTS, &T).group_by(|_, v| parts(v)));
}

fn table_groupby_null_mapping(b: &StreamsBuilder) {
    told(b.table_with(&TEXTS, &T).group_by(|_, v| {
        let (group, item) = parts(v);
        (group != "-" && item != "-").then_some((group, item))
    }));
}

fn table_groupby_delete_result(b: &StreamsBuilder) {
    by_value(b)
        .aggregate(&N, || 0, |n: i64, _, _| n + 1, |n: i64, _, _| (n != 1).then(|| n - 1))
        .to_stream()
        .to(&LONGS_OUT);
}

fn table_filter_groupby(b: &StreamsBuilder) {
    b.table_with(&LONGS, &T_LONGS)
        .filter(|_, v| *v >= 3)
        .map_values(|_, v| v * 10)
        .group_by(|_, v| (if v % 20 == 0 { "even" } else { "odd" }.to_owned(), *v))
        .reduce_with(&SUM, |sum, v| sum + v, |sum, v| sum - v)
        .to_stream()
        .to(&LONGS_OUT);
}

fn table_two_level_groupby(b: &StreamsBuilder) {
    by_value(b)
        .count_with(&PER_VALUE)
        .group_by(|value, n| (n.to_string(), value.clone()))
        .count_with(&PER_COUNT)
        .to_stream()
        .to(&LONGS_OUT);
}

fn stream_count_groupby_table(b: &StreamsBuilder) {
    b.stream(&texts("in"))
        .group_by_key()
        .count_with(&N)
        .group_by(|k, n| (first(k), *n))
        .reduce_with(&SUM, |sum, n| sum + n, |sum, n| sum - n)
        .to_stream()
        .to(&LONGS_OUT);
}

fn top_two_per_group(b: &StreamsBuilder) {
    const PLAYERS: Topic<String, Value> = Topic::of("players");
    let score = |player: &Value| player["score"].as_i64().expect("a score is a number");
    b.table_with(&PLAYERS, &Store::of("players"))
        .group_by(move |id, p| {
            let group = p["group"].as_str().expect("a player has a group").to_owned();
            (group, json!({"id": id, "score": score(p)}))
        })
        .aggregate(
            &Store::of("all"),
            || json!({}),
            |mut agg: Value, _, p| {
                agg[id_of(p)] = p["score"].clone();
                agg
            },
            |mut agg: Value, _, p| {
                agg.as_object_mut().expect("an aggregate is an object").remove(id_of(p));
                agg
            },
        )
        .map_values_with(&TOP, |_, agg| top_two(agg))
        .to_stream()
        .to(&Topic::<String, Value>::of("top"));
}

fn id_of(player: &Value) -> &str {
    player["id"].as_str().expect("a player has an id")
}

/// The two greatest scores, equal ones by id.
fn top_two(scores: &Value) -> Value {
    let scores = scores.as_object().expect("an aggregate is an object");
    let mut sorted: Vec<(&String, i64)> = scores.iter().map(|(id, score)| (id, score.as_i64().unwrap_or(0))).collect();
    sorted.sort_by_key(|(id, score)| (-score, *id));
    sorted.into_iter().take(2).map(|(id, score)| json!({"id": id, "score": score})).collect()
}

fn by_value(b: &StreamsBuilder) -> GroupedTable<'_, String, String> {
    b.table_with(&TEXTS, &T).group_by(|_, v| (v.clone(), v.clone()))
}

/// What was put into each group, and what was taken out.
fn told(grouped: GroupedTable<'_, String, String>) {
    grouped
        .aggregate(&AGG, String::new, |agg, _, v| agg + "+" + v, |agg, _, v| agg + "-" + v)
        .to_stream()
        .to(&TEXTS_OUT);
}

/// The value "x:3" is the group x and the item 3.
fn parts(value: &str) -> (String, String) {
    let (group, item) = value.split_once(':').expect("a value has a group");
    (group.to_owned(), item.to_owned())
}
