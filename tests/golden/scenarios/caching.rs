//! The record cache: what comes out of it and when, and the same topologies without it.

use tidemill::Topic;
use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::{Record, Timestamp};
use tidemill::state::{Emit, SessionStore, Store, StoreSpec, WindowStore};
use tidemill::stream::{Buffer, Materialized, StreamsBuilder, Suppressed};
use tidemill::window::{Hopping, Session, Tumbling};

use super::windows::{in_sessions, ms, windowed};
use super::{Scenario, Text, longs, row, texts};

const N: Store<String, i64> = Store::of("n");
const M: Store<String, i64> = Store::of("m");
const T: Store<String, String> = Store::of("t");
const AGG: Store<String, String> = Store::of("agg");
const JOINED: Store<String, String> = Store::of("joined");
const TEXTS: Topic<String, String> = Topic::of("in");
const TEXTS_OUT: Topic<String, String> = Topic::of("out");
const S: Store<String, i64> = Store::of("s");
const WINDOWS: WindowStore<String, i64> = WindowStore::of("n");
const SESSIONS: SessionStore<String, i64> = SessionStore::of("n");
const CACHE: &str = "statestore.cache.max.bytes";
const TEN_MB: &str = "10000000";

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("cache_fanout_off", cache_fanout).store(&N),
        Scenario::streams("cache_fanout_on", cache_fanout).store(&N).set(CACHE, TEN_MB),
        Scenario::streams("cache_fanout_tiny", cache_fanout).store(&N).set(CACHE, "300"),
        Scenario::streams("cache_fanout_disabled_on_store", cache_fanout_disabled_on_store)
            .store(&N)
            .set(CACHE, TEN_MB),
        Scenario::streams("cache_count_plain", cache_count_plain).store(&N).set(CACHE, TEN_MB),
        Scenario::streams("cache_table_source", cache_table_source).store(&T).set(CACHE, TEN_MB),
        Scenario::streams("cache_table_groupby", cache_table_groupby).store(&AGG).set(CACHE, TEN_MB),
        Scenario::streams("cache_hopping", cache_hopping).windows(&WINDOWS).set(CACHE, TEN_MB),
        Scenario::streams("cache_session", cache_session).sessions(&SESSIONS).set(CACHE, TEN_MB),
        Scenario::streams("cache_suppress", cache_suppress).set(CACHE, TEN_MB),
        Scenario::streams("cache_join", cache_join).store(&JOINED).set(CACHE, TEN_MB),
        Scenario::streams("cache_stream_table_join", cache_stream_table_join).set(CACHE, TEN_MB),
        Scenario::streams("cache_processor_store", cache_processor_store).plain_store(&S).set(CACHE, TEN_MB),
    ]
}

fn cache_fanout(b: &StreamsBuilder) {
    fanout(b, Materialized::store(&N), Materialized::store(&M));
}

fn cache_fanout_disabled_on_store(b: &StreamsBuilder) {
    fanout(b, Materialized::store(&N).caching(false), Materialized::store(&M).caching(false));
}

fn fanout(b: &StreamsBuilder, n: Materialized<String, i64>, m: Materialized<String, i64>) {
    b.stream(&texts("in"))
        .process(|| Characters, &[])
        .repartition()
        .named("rp")
        .flat_map_values(|v| [v.clone(), v.clone()])
        .group_by_key()
        .count_with(n)
        .to_stream()
        .to(&Topic::<String, i64>::of("out"));
    b.stream(&texts("many"))
        .flat_map_values(|v| characters(v).map(Some).collect::<Vec<_>>())
        .group_by_key()
        .count_with(m)
        .to_stream()
        .to(&Topic::<String, i64>::of("out2"));
}

fn cache_count_plain(b: &StreamsBuilder) {
    b.stream(&texts("in")).group_by_key().count_with(&N).to_stream().to(&Topic::<String, i64>::of("out"));
}

fn cache_table_source(b: &StreamsBuilder) {
    let t = b.table_with(&TEXTS, &T).map_values_with(&Store::of("m"), |_, v| format!("{v}!"));
    t.to_stream().to(&TEXTS_OUT);
}

fn cache_table_groupby(b: &StreamsBuilder) {
    let told = |agg: String, sign: char, v: &str| format!("{agg}{sign}{v}");
    b.table_with(&TEXTS, &T)
        .group_by(|_, v| {
            let (group, item) = v.split_once(':').expect("a value is `group:item`");
            (group.to_owned(), item.to_owned())
        })
        .aggregate(&AGG, String::new, move |agg, _, v| told(agg, '+', v), move |agg, _, v| told(agg, '-', v))
        .to_stream()
        .to(&TEXTS_OUT);
}

fn cache_hopping(b: &StreamsBuilder) {
    b.stream(&longs("in"))
        .group_by_key()
        .windowed_by(Hopping::of(ms(100), ms(30)).with_grace(ms(50)))
        .count_with(&WINDOWS)
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

fn cache_session(b: &StreamsBuilder) {
    b.stream(&texts("in"))
        .group_by_key()
        .windowed_by(Session::gap(ms(50)).with_grace(ms(100)))
        .count_with(&SESSIONS)
        .to_stream()
        .to(&in_sessions::<i64>("out"));
}

fn cache_suppress(b: &StreamsBuilder) {
    b.stream(&longs("in"))
        .group_by_key()
        .windowed_by(Tumbling::of(ms(100)).with_grace(ms(50)))
        .count_with(&WINDOWS)
        .suppress(Suppressed::until_window_closes(Buffer::unbounded()))
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

fn cache_join(b: &StreamsBuilder) {
    let l = b.table_with(&Topic::<String, String>::of("l"), &Store::of("l"));
    let r = b.table_with(&Topic::<String, String>::of("r"), &Store::of("r"));
    l.outer_join_with(&r, &JOINED, |l, r| format!("{}|{}", row(l), row(r))).to_stream().to(&TEXTS_OUT);
}

fn cache_stream_table_join(b: &StreamsBuilder) {
    let s = b.stream(&texts("in")).flat_map_values(|v| characters(v).map(Some).collect::<Vec<_>>());
    let t = s.group_by_key().reduce_with(&T, |x, y| x + y);
    t.to_stream().to(&Topic::<String, String>::of("table"));
    s.left_join(&t, |s, t| format!("{s}|{}", row(t))).to(&Topic::<Text, String>::of("joined"));
}

fn cache_processor_store(b: &StreamsBuilder) {
    b.add_store(StoreSpec::plain(&S).emit(Emit::Cached));
    b.stream(&longs("in")).process(|| Sum, &[&"s"]).to(&longs("out"));
}

/// Adds the values of a key up.
struct Sum;

impl Processor<Text, Option<i64>, Text, Option<i64>> for Sum {
    fn process(&mut self, r: Record<'_, Text, Option<i64>>, ctx: &mut Context<'_, Text, Option<i64>>) -> Flow {
        let (Some(key), Some(value)) = (r.key, r.value) else { return Ok(()) };
        let mut sums = ctx.store(&S)?;
        let sum = sums.get(key)?.copied().unwrap_or(0) + value;
        sums.put(key, sum, r.timestamp)?;
        ctx.forward(r.with_value(&Some(sum)))
    }
}

fn characters(value: &Text) -> impl Iterator<Item = String> {
    value.iter().flat_map(|text| text.chars()).map(String::from)
}

/// Makes a record of each character, one millisecond apart.
struct Characters;

impl Processor<Text, Text, Text, Text> for Characters {
    fn process(&mut self, r: Record<'_, Text, Text>, ctx: &mut Context<'_, Text, Text>) -> Flow {
        let times = (r.timestamp.as_millis()..).map(Timestamp::from_millis);
        for (character, time) in characters(r.value).zip(times) {
            ctx.forward(r.with_key(&Some(character)).with_value(&Some("x".into())).with_timestamp(time))?;
        }
        Ok(())
    }
}
