//! Tables and stores that know what a row was at an earlier time.

use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::{Record, Timestamp};
use tidemill::state::{Put, Store, StoreSpec, Version, VersionedStore};
use tidemill::stream::{Joined, StreamsBuilder, Table};

use super::{Scenario, Text, row, texts};

const TEXTS: Topic<String, String> = Topic::of("in");
const OUT: Topic<String, String> = Topic::of("out");
const T: Topic<String, String> = Topic::of("t");
const V: VersionedStore<String, String> = VersionedStore::of("v", Duration::from_millis(500));
/// The same store, kept for less long.
const V_300: VersionedStore<String, String> = VersionedStore::of("v", Duration::from_millis(300));
const N: Store<String, i64> = Store::of("n");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("versioned_table", versioned_table).versioned_store(&V),
        Scenario::streams("versioned_table_map_filter", versioned_table_map_filter),
        Scenario::streams("versioned_groupby_count", versioned_groupby_count).store(&N),
        Scenario::streams("versioned_stream_table_join", versioned_stream_table_join),
        Scenario::streams("stream_table_grace_inner", stream_table_grace_inner),
        Scenario::streams("stream_table_grace_left", stream_table_grace_left),
        Scenario::streams("versioned_table_table_join", versioned_table_table_join),
        Scenario::streams("versioned_foreign_key_join", versioned_foreign_key_join),
        Scenario::streams("versioned_store_processor", versioned_store_processor).versioned_store(&V_300),
    ]
}

fn versioned_table(b: &StreamsBuilder) {
    b.table_with(&TEXTS, &V).to_stream().to(&OUT);
}

fn versioned_table_map_filter(b: &StreamsBuilder) {
    let t = b.table_with(&TEXTS, &V);
    t.map_values(|_, v| format!("{v}!")).to_stream().to(&Topic::<String, String>::of("mapped"));
    t.filter(|_, v| v.len() % 2 == 0).to_stream().to(&Topic::<String, String>::of("filtered"));
}

fn versioned_groupby_count(b: &StreamsBuilder) {
    let t = b.table_with(&TEXTS, &V);
    t.group_by(|_, v| (v.clone(), v.clone())).count_with(&N).to_stream().to(&Topic::<String, i64>::of("out"));
}

fn versioned_stream_table_join(b: &StreamsBuilder) {
    let s = b.stream(&texts("s"));
    s.left_join(&b.table_with(&T, &V), |s, t| Some(format!("{s}|{}", row(t)))).to(&texts("out"));
}

const V_1000: VersionedStore<String, String> = VersionedStore::of("v", Duration::from_millis(1_000));

fn stream_table_grace_inner(b: &StreamsBuilder) {
    let (s, t) = (b.stream(&texts("s")), b.table_with(&T, &V_1000));
    let joined = s.join_with(&t, Joined::grace(Duration::from_millis(100)), |s, t| Some(format!("{s}|{t}")));
    joined.named("buf").to(&texts("out"));
}

fn stream_table_grace_left(b: &StreamsBuilder) {
    let (s, t) = (b.stream(&texts("s")), b.table_with(&T, &V_1000));
    let joined =
        s.left_join_with(&t, Joined::grace(Duration::from_millis(100)), |s, t| Some(format!("{s}|{}", row(t))));
    joined.named("buf").to(&texts("out"));
}

fn table<'b>(b: &'b StreamsBuilder, topic: &'static str, store: &'static str) -> Table<'b, String, String> {
    let store: VersionedStore<String, String> = VersionedStore::of(store, Duration::from_millis(500));
    b.table_with(&Topic::of(topic), &store)
}

fn versioned_table_table_join(b: &StreamsBuilder) {
    let (l, r) = (table(b, "l", "lv"), table(b, "r", "rv"));
    l.outer_join(&r, |l, r| format!("{}|{}", row(l), row(r))).to_stream().to(&OUT);
}

fn versioned_foreign_key_join(b: &StreamsBuilder) {
    let (l, r) = (table(b, "l", "lv"), table(b, "r", "rv"));
    let points_to = |_: &String, v: &String| v.split(':').next().map(str::to_owned);
    l.left_join_on(&r, points_to, |l, r| format!("{l}|{}", row(r))).to_stream().to(&OUT);
}

fn versioned_store_processor(b: &StreamsBuilder) {
    b.add_store(StoreSpec::versioned(&V_300));
    b.stream(&texts("in")).process(|| Versions, &[&V_300]).to(&texts("out"));
}

struct Versions;

impl Processor<Text, Text, Text, Text> for Versions {
    fn process(&mut self, record: Record<'_, Text, Text>, ctx: &mut Context<'_, Text, Text>) -> Flow {
        let (Some(key), at) = (record.key, record.timestamp) else { return Ok(()) };
        let mut versions = ctx.store(&V_300)?;
        let answer = match record.value {
            None => format!("del {}", text(versions.delete(key, at)?)),
            Some(value) => match value.strip_prefix('?') {
                Some(time) => format!("asof {}", text(versions.get_as_of(key, Timestamp::from_millis(time.parse()?))?)),
                None => {
                    let put = match versions.put(key, value.clone(), at)? {
                        Put::Latest => "latest".into(),
                        Put::Until(to) => format!("until {to}"),
                        Put::Dropped => "dropped".into(),
                    };
                    format!("put {put} now {}", text(versions.get(key)?))
                }
            },
        };
        ctx.forward(record.with_value(&Some(answer)))
    }
}

/// A version in the words of the recording. There a version has no end: the store would know it, but the layer that Kafka
/// Streams puts around a store for its metrics leaves it out.
fn text<V: std::fmt::Display>(version: Option<Version<V>>) -> String {
    version.map_or_else(|| "null".into(), |Version { value, from, .. }| format!("{value}@{from}.."))
}
