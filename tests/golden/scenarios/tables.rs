//! Tables read from topics and made from streams.

use tidemill::Topic;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;

use super::{Scenario, first, longs, texts};

const TEXTS: Topic<String, String> = Topic::of("in");
const LONGS: Topic<String, i64> = Topic::of("in");
const TEXTS_OUT: Topic<String, String> = Topic::of("out");
const LONGS_OUT: Topic<String, i64> = Topic::of("out");
const T: Store<String, String> = Store::of("t");
const T_LONGS: Store<String, i64> = Store::of("t");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("table_source", table_source).store(&T),
        Scenario::streams("table_source_unmaterialized", table_source_unmaterialized),
        Scenario::streams("table_filter_plain", table_filter_plain),
        Scenario::streams("table_filter_on_store", table_filter_on_store).store(&T_LONGS),
        Scenario::streams("table_to_stream_mapper", table_to_stream_mapper).store(&T_LONGS),
        Scenario::streams("stream_to_table", stream_to_table).store(&T),
        Scenario::streams("stream_to_table_rekeyed", stream_to_table_rekeyed).store(&T),
    ]
}

fn table_source(b: &StreamsBuilder) {
    b.table_with(&TEXTS, &T).to_stream().to(&TEXTS_OUT);
}

fn table_source_unmaterialized(b: &StreamsBuilder) {
    b.table(&TEXTS).to_stream().to(&TEXTS_OUT);
}

fn table_filter_plain(b: &StreamsBuilder) {
    let t = b.table(&LONGS);
    t.filter(|_, v| v % 2 == 0).to_stream().to(&Topic::<String, i64>::of("f"));
    t.filter_not(|_, v| v % 2 == 0).to_stream().to(&Topic::<String, i64>::of("fn"));
}

fn table_filter_on_store(b: &StreamsBuilder) {
    b.table_with(&LONGS, &T_LONGS).filter(|_, v| *v > 4).to_stream().to(&LONGS_OUT);
}

fn table_to_stream_mapper(b: &StreamsBuilder) {
    let kind = |v: &Option<i64>| match v {
        None => "gone",
        Some(v) if v % 2 == 0 => "even",
        Some(_) => "odd",
    };
    b.table_with(&LONGS, &T_LONGS)
        .to_stream()
        .select_key(move |k, v| Some(format!("{k}:{}", kind(v))))
        .to(&longs("out"));
}

fn stream_to_table(b: &StreamsBuilder) {
    b.stream(&texts("in"))
        .map_values(|v| v.clone().filter(|v| v != "del"))
        .to_table_with(&T)
        .to_stream()
        .to(&TEXTS_OUT);
}

fn stream_to_table_rekeyed(b: &StreamsBuilder) {
    b.stream(&texts("in"))
        .select_key(|k, v| v.as_deref().map(first).or_else(|| k.clone()))
        .to_table_with(&T)
        .named("tt")
        .to_stream()
        .to(&TEXTS_OUT);
}
