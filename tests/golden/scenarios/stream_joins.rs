//! Streams joined with streams.

use std::time::Duration;

use tidemill::state::WindowStore;
use tidemill::stream::{Optimization, StreamJoined, StreamsBuilder};
use tidemill::window::JoinWindows;

use super::{Scenario, Text, first, row, str, texts};

/// How often unmatched records are looked for.
pub(super) const PADDING_INTERVAL: &str = "__emit.interval.ms.kstreams.outer.join.spurious.results.fix__";
const STORES: &str = "dsl.store.suppliers.class";
const IN_MEMORY: &str = "org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers";

pub(super) fn scenarios() -> Vec<Scenario> {
    let padding = |name, describe| Scenario::streams(name, describe).set(PADDING_INTERVAL, "0");
    vec![
        Scenario::streams("stream_stream_inner", |b| inner(b, within(50))),
        Scenario::streams("stream_stream_inner_grace", |b| inner(b, within(50).with_grace(ms(100)))),
        Scenario::streams("stream_stream_inner_asymmetric", |b| {
            inner(b, within(0).with_grace(ms(60)).before(ms(20)).after(ms(80)));
        }),
        Scenario::streams("stream_stream_inner_after_only", |b| {
            inner(b, within(60).with_grace(ms(60)).later_by(ms(10)));
        }),
        padding("stream_stream_left", left),
        padding("stream_stream_left_asymmetric", left_asymmetric),
        padding("stream_stream_outer", |b| outer(b, within(50))),
        padding("stream_stream_outer_grace", |b| outer(b, within(50).with_grace(ms(100)).before(ms(10)))),
        Scenario::streams("stream_stream_left_throttled", left).set(PADDING_INTERVAL, "1000"),
        padding("stream_stream_outer_in_memory", outer_in_memory).set(STORES, IN_MEMORY),
        padding("stream_stream_joiner_with_key", joiner_with_key),
        Scenario::streams("stream_stream_self", itself),
        Scenario::optimized("stream_stream_self_optimized", optimized, "all", itself),
        padding("stream_stream_named", named),
        Scenario::streams("stream_stream_rekeyed", rekeyed),
        padding("stream_stream_chain", chain),
        Scenario::streams("stream_stream_window_store_suppliers", window_store_suppliers),
    ]
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn within(millis: u64) -> JoinWindows {
    JoinWindows::of(ms(millis))
}

fn optimized() -> StreamsBuilder {
    StreamsBuilder::new().optimize(Optimization::All)
}

fn both(left: &String, right: &String) -> Text {
    Some(format!("{left}|{right}"))
}

fn left_or_null(left: &String, right: Option<&String>) -> Text {
    Some(format!("{left}|{}", row(right)))
}

fn either(left: Option<&String>, right: Option<&String>) -> Text {
    Some(format!("{}|{}", row(left), row(right)))
}

fn inner(b: &StreamsBuilder, windows: JoinWindows) {
    b.stream(&texts("left")).join_stream(&b.stream(&texts("right")), windows, both).to(&texts("out"));
}

fn left(b: &StreamsBuilder) {
    let windows = within(50).with_grace(ms(20));
    b.stream(&texts("left")).left_join_stream(&b.stream(&texts("right")), windows, left_or_null).to(&texts("out"));
}

fn left_asymmetric(b: &StreamsBuilder) {
    let windows = within(0).with_grace(ms(30)).before(ms(10)).after(ms(60));
    b.stream(&texts("left")).left_join_stream(&b.stream(&texts("right")), windows, left_or_null).to(&texts("out"));
}

fn outer(b: &StreamsBuilder, windows: JoinWindows) {
    b.stream(&texts("left")).outer_join_stream(&b.stream(&texts("right")), windows, either).to(&texts("out"));
}

fn outer_in_memory(b: &StreamsBuilder) {
    let (right, windows) = (texts("right"), within(50).with_grace(ms(20)));
    let left = b.stream(&texts("left"));
    left.outer_join_stream_with(&b.stream(&right), windows, StreamJoined::default().in_memory(), either)
        .to(&texts("out"));
}

fn joiner_with_key(b: &StreamsBuilder) {
    b.stream(&texts("left"))
        .left_join_stream_with_key(&b.stream(&texts("right")), within(50), |key, l, r| {
            Some(format!("{}:{l}|{}", str(key), row(r)))
        })
        .to(&texts("out"));
}

fn itself(b: &StreamsBuilder) {
    let s = b.stream(&texts("in"));
    s.join_stream(&s, within(50).with_grace(ms(50)), both).to(&texts("out"));
}

fn named(b: &StreamsBuilder) {
    b.stream(&texts("left"))
        .outer_join_stream_with(&b.stream(&texts("right")), within(50), StreamJoined::store("match-store"), either)
        .named("match")
        .to(&texts("out"));
}

fn rekeyed(b: &StreamsBuilder) {
    let (left, right) = (b.stream(&texts("left")), b.stream(&texts("right")));
    let l = left.select_key(|_, v| v.as_deref().map(first));
    let r = right.select_key(|_, v| v.as_deref().map(first));
    l.join_stream(&r, within(50).with_grace(ms(50)), both).named("byfirst").to(&texts("out"));
}

fn chain(b: &StreamsBuilder) {
    let windows = within(50).with_grace(ms(20));
    b.stream(&texts("left"))
        .join_stream(&b.stream(&texts("right")), windows, both)
        .left_join_stream(&b.stream(&texts("third")), within(30).with_grace(ms(20)), |x, t| {
            Some(format!("{x}/{}", row(t)))
        })
        .to(&texts("out"));
}

fn window_store_suppliers(b: &StreamsBuilder) {
    const THIS: WindowStore<String, String> = WindowStore::of("this");
    const OTHER: WindowStore<String, String> = WindowStore::of("other");
    let left = b.stream(&texts("left"));
    let kept = StreamJoined::stores(&THIS, &OTHER).in_memory();
    left.join_stream_with(&b.stream(&texts("right")), within(50).with_grace(ms(50)), kept, both).to(&texts("out"));
}
