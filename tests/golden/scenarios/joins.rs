//! Streams joined with tables.

use tidemill::Topic;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;

use super::{Scenario, Text, longs, row, str, texts};

const T_TOPIC: Topic<String, String> = Topic::of("t");
const T: Store<String, String> = Store::of("t");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("stream_table_inner", stream_table_inner).store(&T),
        Scenario::streams("stream_table_left", stream_table_left).store(&T),
        Scenario::streams("stream_table_with_key", stream_table_with_key),
        Scenario::streams("stream_table_rekeyed", stream_table_rekeyed),
        Scenario::streams("stream_aggregated_table", stream_aggregated_table),
        Scenario::streams("stream_table_same_topic", stream_table_same_topic),
    ]
}

fn stream_table_inner(b: &StreamsBuilder) {
    b.stream(&texts("s")).join(&b.table_with(&T_TOPIC, &T), |s, t| Some(format!("{s}|{t}"))).to(&texts("out"));
}

fn stream_table_left(b: &StreamsBuilder) {
    b.stream(&texts("s"))
        .left_join(&b.table_with(&T_TOPIC, &T), |s, t| Some(format!("{s}|{}", row(t))))
        .to(&texts("out"));
}

fn stream_table_with_key(b: &StreamsBuilder) {
    let t = b.table_with(&T_TOPIC, &T);
    let s = b.stream(&texts("s"));
    s.left_join_with_key(&t, |k, s, t| Some(format!("{}={s}|{}", str(k), row(t)))).to(&texts("out"));
    s.join(&t, |_, _| None::<String>).to(&texts("null-out"));
}

fn stream_table_rekeyed(b: &StreamsBuilder) {
    b.stream(&texts("s"))
        .select_key(|_, v| v.clone())
        .left_join(&b.table_with(&T_TOPIC, &T), |s, t| Some(format!("{s}|{}", row(t))))
        .named("look")
        .to(&texts("out"));
}

fn stream_aggregated_table(b: &StreamsBuilder) {
    const SUMS: Store<String, i64> = Store::of("sums");
    let sums = b.stream(&longs("amounts")).group_by_key().reduce_with(&SUMS, |sum, v| sum + v);
    b.stream(&texts("s")).join(&sums.map_values(|_, v| v * 2), |s, v| Some(format!("{s}|{v}"))).to(&texts("out"));
}

fn stream_table_same_topic(b: &StreamsBuilder) {
    let s = b.stream(&texts("in"));
    let t = s.group_by_key().reduce_with(&T, |_, last| last.clone());
    s.left_join(&t, |s, t| -> Text { Some(format!("{s}|{}", row(t))) }).to(&texts("out"));
}
