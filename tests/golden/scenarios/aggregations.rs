//! Rows folded from the records of a key.

use serde_json::{Value, json};
use tidemill::Topic;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;

use super::{Scenario, Text, first, longs, texts};

const N: Store<String, i64> = Store::of("n");
const SUM: Store<String, i64> = Store::of("sum");
const AGG: Store<String, String> = Store::of("agg");
const MAX: Store<String, i64> = Store::of("max");
const MIN: Store<String, i64> = Store::of("min");
const STATS: Store<String, Value> = Store::of("stats");
const DOUBLE_SUM: Store<String, f64> = Store::of("sum");
const TEXTS_OUT: Topic<String, String> = Topic::of("out");
const LONGS_OUT: Topic<String, i64> = Topic::of("out");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("count_by_key", count_by_key).store(&N),
        Scenario::streams("group_by_count", group_by_count).store(&N),
        Scenario::streams("reduce_sum", reduce_sum).store(&SUM),
        Scenario::streams("reduce_null_result", reduce_null_result).store(&SUM),
        Scenario::streams("aggregate_concat", aggregate_concat).store(&AGG),
        Scenario::streams("aggregate_null_result", aggregate_null_result).store(&AGG),
        Scenario::streams("aggregate_null_initializer", aggregate_null_initializer).store(&MAX),
        Scenario::streams("count_after_map", count_after_map),
        Scenario::streams("cogroup_two", cogroup_two).store(&AGG),
        Scenario::streams("cogroup_three_rekeyed", cogroup_three_rekeyed).store(&AGG),
        Scenario::streams("aggregate_json_stats", aggregate_json_stats).store(&STATS),
        Scenario::streams("average_double", average_double).store(&DOUBLE_SUM),
    ]
}

fn count_by_key(b: &StreamsBuilder) {
    b.stream(&texts("in")).group_by_key().count_with(&N).to_stream().to(&LONGS_OUT);
}

fn group_by_count(b: &StreamsBuilder) {
    b.stream(&texts("in")).group_by(|_, v| v.clone()).named("byvalue").count_with(&N).to_stream().to(&LONGS_OUT);
}

fn reduce_sum(b: &StreamsBuilder) {
    b.stream(&longs("in")).group_by_key().reduce_with(&SUM, |sum, v| sum + v).to_stream().to(&LONGS_OUT);
}

fn reduce_null_result(b: &StreamsBuilder) {
    b.stream(&longs("in"))
        .group_by_key()
        .reduce_with(&SUM, |sum, v| Some(sum + v).filter(|sum| *sum != 10))
        .to_stream()
        .to(&LONGS_OUT);
}

fn aggregate_concat(b: &StreamsBuilder) {
    b.stream(&texts("in"))
        .group_by_key()
        .aggregate(&AGG, || "[]".to_owned(), |agg, k, v| agg + k + v)
        .to_stream()
        .to(&TEXTS_OUT);
}

fn aggregate_null_result(b: &StreamsBuilder) {
    b.stream(&texts("in"))
        .group_by_key()
        .aggregate(&AGG, || "i".to_owned(), |agg, _, v| (v != "reset").then(|| agg + v))
        .to_stream()
        .to(&TEXTS_OUT);
}

fn aggregate_null_initializer(b: &StreamsBuilder) {
    let g = b.stream(&longs("in")).group_by_key();
    g.aggregate(&MAX, || None, |agg: Option<i64>, _, v| agg.map_or(*v, |agg| agg.max(*v))).to_stream().to(&Topic::<
        String,
        i64,
    >::of(
        "max"
    ));
    g.aggregate(&MIN, || None, |agg: Option<i64>, _, v| agg.map_or(*v, |agg| agg.min(*v))).to_stream().to(&Topic::<
        String,
        i64,
    >::of(
        "min"
    ));
}

fn count_after_map(b: &StreamsBuilder) {
    const N1: Store<String, i64> = Store::of("n1");
    const N2: Store<String, i64> = Store::of("n2");
    let without_last = |k: &Text| k.as_ref().map(|k| k[..k.len() - 1].to_owned());
    let s = b.stream(&texts("in")).filter(|k, _| k.is_some());
    s.map_values(Clone::clone).group_by_key().count_with(&N1).to_stream().to(&Topic::<String, i64>::of("values"));
    s.map(|k, v| (k.as_ref().map(|k| format!("{k}x")), v.clone()))
        .select_key(move |k, _| without_last(k))
        .group_by_key()
        .count_with(&N2)
        .to_stream()
        .to(&Topic::<String, i64>::of("keys"));
}

fn cogroup_two(b: &StreamsBuilder) {
    let (l, r) = (b.stream(&texts("left")).group_by_key(), b.stream(&longs("right")).group_by_key());
    l.cogroup(|agg: String, _, v| agg + "L" + v)
        .and(&r, |agg, _, v| (*v != 0).then(|| format!("{agg}R{v}")))
        .aggregate(&AGG, String::new)
        .to_stream()
        .to(&TEXTS_OUT);
}

fn cogroup_three_rekeyed(b: &StreamsBuilder) {
    let (g1, g2) = (b.stream(&texts("s1")).group_by_key(), b.stream(&texts("s2")).group_by_key());
    let g3 = b.stream(&texts("s3")).group_by(|_, v| v.as_deref().map(first)).named("third");
    g1.cogroup(|agg: String, _, v| agg + "1" + v)
        .and(&g2, |agg, _, v| agg + "2" + v)
        .and(&g3, |agg, _, v| agg + "3" + v)
        .aggregate(&AGG, || ">".to_owned())
        .to_stream()
        .to(&TEXTS_OUT);
}

fn aggregate_json_stats(b: &StreamsBuilder) {
    b.stream(&longs("in"))
        .group_by_key()
        .aggregate(
            &STATS,
            || json!({"count": 0, "sum": 0}),
            |agg, _, v| {
                let number = |field: &str| agg[field].as_i64();
                json!({
                    "count": number("count").unwrap_or(0) + 1,
                    "sum": number("sum").unwrap_or(0) + v,
                    "min": number("min").unwrap_or(*v).min(*v),
                    "max": number("max").unwrap_or(*v).max(*v),
                })
            },
        )
        .to_stream()
        .to(&Topic::<String, Value>::of("out"));
}

fn average_double(b: &StreamsBuilder) {
    b.stream(&Topic::<Text, Option<f64>>::of("in"))
        .group_by_key()
        .reduce_with(&DOUBLE_SUM, |sum, v| sum + v)
        .to_stream()
        .to(&Topic::<String, f64>::of("sum"));
}
