//! Verbs that look at one record at a time.

use tidemill::record::Timestamp;
use tidemill::serde::SerdeRef;
use tidemill::stream::{Consumed, Repartitioned, StreamsBuilder};
use tidemill::topology::TimestampExtractor;

use super::{Scenario, Text, first, longs, str, texts};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("filter_even", filter_even),
        Scenario::streams("filter_not", filter_not),
        Scenario::streams("map_rekey", map_rekey),
        Scenario::streams("map_values", map_values),
        Scenario::streams("flat_map", flat_map),
        Scenario::streams("flat_map_values", flat_map_values),
        Scenario::streams("select_key", select_key),
        Scenario::streams("branch_named_default", branch_named_default),
        Scenario::streams("branch_no_default", branch_no_default),
        Scenario::streams("branch_functions", branch_functions),
        Scenario::streams("merge_streams", merge_streams),
        Scenario::streams("merge_self_diamond", merge_self_diamond),
        Scenario::streams("peek_foreach", peek_foreach),
        Scenario::streams("repartition_named", repartition_named),
        Scenario::streams("topic_name_extractor", topic_name_extractor),
        Scenario::streams("topic_name_extractor_context", topic_name_extractor_context),
        Scenario::streams("source_pattern", source_pattern),
        Scenario::streams("null_handling", null_handling),
        Scenario::streams("to_and_continue", to_and_continue),
        Scenario::streams("loop_countdown", loop_countdown),
        Scenario::streams("timestamp_extractor_value", timestamp_extractor_value),
    ]
}

fn filter_even(b: &StreamsBuilder) {
    b.stream(&longs("in")).filter(|_, v| v.is_some_and(|v| v % 2 == 0)).to(&longs("out"));
}

fn filter_not(b: &StreamsBuilder) {
    b.stream(&longs("in")).filter_not(|k, v| k.is_none() || v.is_some_and(|v| v > 5)).to(&longs("out"));
}

fn map_rekey(b: &StreamsBuilder) {
    b.stream(&texts("in")).map(|k, v| (v.clone(), Some(str(k).len() as i64))).to(&longs("out"));
}

fn map_values(b: &StreamsBuilder) {
    let s = b.stream(&longs("in"));
    s.map_values(|v| Some(v.map_or(-1, |v| v * 10))).to(&longs("plain"));
    s.map_values_with_key(|k, v| Some(str(k) + "=" + &str(v))).to(&texts("with-key"));
}

fn flat_map(b: &StreamsBuilder) {
    b.stream(&texts("in"))
        .filter(|_, v| v.is_some())
        .flat_map(|_, v| {
            let words = v.iter().flat_map(|v| v.split(' ')).filter(|word| !word.is_empty());
            words.map(|word| (Some(word.to_owned()), Some(word.len() as i64))).collect::<Vec<_>>()
        })
        .to(&longs("out"));
}

fn flat_map_values(b: &StreamsBuilder) {
    b.stream(&texts("in"))
        .flat_map_values_with_key(|k, v| {
            let characters = v.iter().flat_map(|v| v.chars());
            characters.map(|c| Some(format!("{}:{c}", str(k)))).collect::<Vec<_>>()
        })
        .to(&texts("out"));
}

fn select_key(b: &StreamsBuilder) {
    b.stream(&texts("in")).select_key(|_, v| v.as_deref().map(first)).to(&texts("out"));
}

fn branch_named_default(b: &StreamsBuilder) {
    let mut split = b.stream(&longs("in")).split().named("split-");
    let small = split.branch(|_, v| v.is_some_and(|v| v < 3)).named("small");
    let even = split.branch(|_, v| v.is_some_and(|v| v % 2 == 0)).named("even");
    let rest = split.default_branch().named("rest");
    small.to(&longs("small"));
    even.to(&longs("even"));
    rest.to(&longs("rest"));
}

fn branch_no_default(b: &StreamsBuilder) {
    let mut split = b.stream(&longs("in")).split().named("b-");
    let negative = split.branch(|_, v| v.is_some_and(|v| v < 0)).named("neg");
    let big = split.branch(|_, v| v.is_some_and(|v| v > 5));
    negative.to(&longs("neg"));
    big.to(&longs("big"));
}

fn branch_functions(b: &StreamsBuilder) {
    let mut split = b.stream(&longs("in")).split().named("f-");
    split.branch(|_, v| v.is_some_and(|v| v % 2 != 0)).to(&longs("odd"));
    let even = split.branch(|_, v| v.is_some()).named("even").map_values(|v| v.map(|v| v * 100));
    even.to(&longs("even"));
}

fn merge_streams(b: &StreamsBuilder) {
    b.stream(&texts("left"))
        .map_values(|v| Some("L:".to_owned() + &str(v)))
        .merge(&b.stream(&texts("right")).filter(|_, v| v.is_some()))
        .to(&texts("out"));
}

fn merge_self_diamond(b: &StreamsBuilder) {
    let s = b.stream(&texts("in"));
    let x = s.map_values(|v| Some("x".to_owned() + &str(v)));
    let y = s.map_values(|v| Some("y".to_owned() + &str(v)));
    y.merge(&x).merge(&s).to(&texts("out"));
}

fn peek_foreach(b: &StreamsBuilder) {
    let s = b.stream(&longs("in")).peek(|_, _| ());
    s.for_each(|_, _| ());
    s.to(&longs("out"));
}

fn repartition_named(b: &StreamsBuilder) {
    b.stream(&texts("in"))
        .select_key(|_, v| v.clone())
        .repartition_with(Repartitioned::default().partitions(1))
        .named("byval")
        .map_values_with_key(|k, v| Some(str(k) + "/" + &str(v)))
        .to(&texts("out"));
}

fn topic_name_extractor(b: &StreamsBuilder) {
    b.stream(&longs("in")).filter(|_, v| v.is_some()).to_chosen(
        |_, v, _| if v.is_some_and(|v| v % 2 == 0) { "even".into() } else { "odd".into() },
        &SerdeRef::of(),
        &SerdeRef::of(),
    );
}

fn topic_name_extractor_context(b: &StreamsBuilder) {
    b.streams(&texts("in-a"), &[&texts("in-b")]).to_chosen(
        |_, _, context| {
            let routed = context.headers.last("route") == Some(b"routed") || context.timestamp.as_millis() >= 1000;
            let topic = context.address.map_or("", |address| &address.topic);
            if routed { "routed".into() } else { format!("from-{}", &topic["in-".len()..]) }
        },
        &SerdeRef::of(),
        &SerdeRef::of(),
    );
}

fn source_pattern(b: &StreamsBuilder) {
    b.stream_matching::<Text, Text>("log-[xy]", &SerdeRef::of(), &SerdeRef::of()).to(&texts("out"));
}

fn null_handling(b: &StreamsBuilder) {
    b.stream(&texts("in"))
        .map_values(|v| v.clone().filter(|v| v != "drop-value"))
        .map(|k, v| (k.clone().filter(|k| k != "drop-key"), v.clone()))
        .to(&texts("out"));
}

fn to_and_continue(b: &StreamsBuilder) {
    b.stream(&longs("in")).map_values(|v| v.map(|v| v + 1)).to(&longs("middle"));
    b.stream(&longs("middle")).filter(|_, v| v.is_some()).map_values(|v| v.map(|v| v * 2)).to(&longs("out"));
}

fn loop_countdown(b: &StreamsBuilder) {
    let s = b.stream(&longs("work")).filter(|_, v| v.is_some());
    s.filter(|_, v| *v > Some(0)).map_values(|v| v.map(|v| v - 1)).to(&longs("work"));
    s.filter(|_, v| *v == Some(0)).to(&longs("done"));
}

fn timestamp_extractor_value(b: &StreamsBuilder) {
    const NONE_YET: Timestamp = Timestamp::from_millis(-1);
    let value =
        TimestampExtractor::custom(|record: &tidemill::record::Record<'_, Text, Option<i64>>, partition_time| {
            record.value.map_or(partition_time.unwrap_or(NONE_YET), Timestamp::from_millis)
        });
    b.stream_with(&longs("in"), Consumed::timestamps(value)).to(&longs("out"));
}
