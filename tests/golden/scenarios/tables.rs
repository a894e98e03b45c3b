//! Tables read from topics and made from streams.

use tidemill::Topic;
use tidemill::state::{Store, StoreSpec};
use tidemill::stream::{Materialized, Optimization, StreamsBuilder};

use super::{Scenario, first, longs, texts};

const TEXTS: Topic<String, String> = Topic::of("in");
const LONGS: Topic<String, i64> = Topic::of("in");
const TEXTS_OUT: Topic<String, String> = Topic::of("out");
const LONGS_OUT: Topic<String, i64> = Topic::of("out");
const T: Store<String, String> = Store::of("t");
const T_LONGS: Store<String, i64> = Store::of("t");

const EVEN: Store<String, i64> = Store::of("even");
const MAPPED: Store<String, String> = Store::of("mapped");
const TV: Store<String, String> = Store::of("tv");
const CALLS: Store<String, i64> = Store::of("calls");
const HALF: Store<String, i64> = Store::of("half");
/// What Kafka Streams calls stores in memory.
const IN_MEMORY: &str = "org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers";

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("table_source", table_source).store(&T),
        Scenario::streams("table_source_unmaterialized", table_source_unmaterialized),
        Scenario::streams("table_filter_materialized", table_filter_materialized).store(&T_LONGS).store(&EVEN),
        Scenario::streams("table_filter_plain", table_filter_plain),
        Scenario::streams("table_filter_on_store", table_filter_on_store).store(&T_LONGS),
        Scenario::streams("table_map_values", table_map_values).store(&MAPPED),
        Scenario::streams("table_transform_values", table_transform_values).store(&TV).plain_store(&CALLS),
        Scenario::streams("table_to_stream_mapper", table_to_stream_mapper).store(&T_LONGS),
        Scenario::streams("stream_to_table", stream_to_table).store(&T),
        Scenario::streams("stream_to_table_rekeyed", stream_to_table_rekeyed).store(&T),
        Scenario::optimized("table_optimized_source", all_rewrites, "all", table_optimized_source).store(&T),
        Scenario::streams("table_in_memory", table_in_memory)
            .set("dsl.store.suppliers.class", IN_MEMORY)
            .store(&T_LONGS)
            .store(&HALF),
    ]
}

fn table_source(b: &StreamsBuilder) {
    b.table_with(&TEXTS, &T).to_stream().to(&TEXTS_OUT);
}

fn table_source_unmaterialized(b: &StreamsBuilder) {
    b.table(&TEXTS).to_stream().to(&TEXTS_OUT);
}

fn table_filter_materialized(b: &StreamsBuilder) {
    b.table_with(&LONGS, &T_LONGS).filter_with(&EVEN, |_, v| v % 2 == 0).to_stream().to(&LONGS_OUT);
}

fn table_filter_plain(b: &StreamsBuilder) {
    let t = b.table(&LONGS);
    t.filter(|_, v| v % 2 == 0).to_stream().to(&Topic::<String, i64>::of("f"));
    t.filter_not(|_, v| v % 2 == 0).to_stream().to(&Topic::<String, i64>::of("fn"));
}

fn table_filter_on_store(b: &StreamsBuilder) {
    b.table_with(&LONGS, &T_LONGS).filter(|_, v| *v > 4).to_stream().to(&LONGS_OUT);
}

fn table_map_values(b: &StreamsBuilder) {
    let t = b.table(&LONGS);
    t.map_values_with(&MAPPED, |k, v| format!("{k}{v}")).to_stream().to(&Topic::<String, String>::of("m"));
    t.map_values(|_, v| (*v <= 5).then(|| format!("n{v}"))).to_stream().to(&Topic::<String, String>::of("u"));
}

fn table_transform_values(b: &StreamsBuilder) {
    b.add_store(StoreSpec::plain(&CALLS));
    let t = b.table_with(&TEXTS, &T);
    let counted = t.transform_values_with(
        &TV,
        |k, v, ctx| {
            let at = ctx.timestamp().unwrap_or_default();
            let mut calls = ctx.store(&CALLS)?;
            let n = calls.get(k)?.unwrap_or(&0) + 1;
            calls.put(k, n, at)?;
            Ok(v.map(|v| format!("{v}#{n}")))
        },
        &[&CALLS],
    );
    counted.to_stream().to(&TEXTS_OUT);
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

/// A program with all rewrites.
pub(super) fn all_rewrites() -> StreamsBuilder {
    StreamsBuilder::new().optimize(Optimization::All)
}

fn table_optimized_source(b: &StreamsBuilder) {
    b.table_with(&TEXTS, &T).map_values(|_, v| format!("{v}!")).to_stream().to(&TEXTS_OUT);
}

fn table_in_memory(b: &StreamsBuilder) {
    b.table_with(&LONGS, Materialized::store(&T_LONGS).in_memory())
        .map_values_with(Materialized::store(&HALF).in_memory(), |_, v| v / 2)
        .to_stream()
        .to(&LONGS_OUT);
}
