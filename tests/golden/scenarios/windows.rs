//! Rows folded from the records of a key in a window: fixed, sliding, sessions; at every update and once they are closed.

use std::ops::ControlFlow;
use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::{Record, Timestamp};
use tidemill::serde::{DefaultSerde, SerdeRef};
use tidemill::state::{Direction, SessionStore, StoreSpec, WindowStore};
use tidemill::stream::{GroupedStream, Materialized, StreamsBuilder};
use tidemill::window::{
    EmitStrategy, Hopping, Session, SessionWindowed, Sliding, TimeWindowed, Tumbling, Unlimited, Windowed,
};

use super::{Scenario, Text, longs, row, str, texts};

pub(super) const N: WindowStore<String, i64> = WindowStore::of("n");
const SUM: WindowStore<String, i64> = WindowStore::of("sum");
const AGG: WindowStore<String, String> = WindowStore::of("agg");
const WS: WindowStore<String, String> = WindowStore::of("ws");
const SESSIONS: SessionStore<String, i64> = SessionStore::of("n");
const SESSION_SUM: SessionStore<String, i64> = SessionStore::of("sum");
const SESSION_AGG: SessionStore<String, String> = SessionStore::of("agg");

pub(super) const EMIT_INTERVAL: &str = "__emit.interval.ms.kstreams.windowed.aggregation__";
const STORES: &str = "dsl.store.suppliers.class";
const IN_MEMORY: &str = "org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers";

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = time();
    all.extend(sliding());
    all.extend(sessions());
    all.extend(on_close());
    all.extend(cogroups());
    all
}

fn time() -> Vec<Scenario> {
    vec![
        Scenario::streams("tumbling_count", tumbling_count).windows(&N),
        Scenario::streams("tumbling_no_grace", tumbling_no_grace).windows(&SUM),
        Scenario::streams("tumbling_aggregate_concat", tumbling_aggregate_concat).windows(&AGG),
        Scenario::streams("hopping_sum", hopping_sum).windows(&SUM),
        Scenario::streams("hopping_uneven", hopping_uneven).windows(&N),
        Scenario::streams("window_plain_keys", window_plain_keys),
        Scenario::streams("window_table_filter_map", window_table_filter_map),
        Scenario::streams("window_groupby_rekey", window_groupby_rekey).windows(&N),
        Scenario::streams("window_long_retention", window_long_retention).windows(&N),
        Scenario::streams("window_in_memory", window_in_memory).windows(&N).set(STORES, IN_MEMORY),
        Scenario::streams("unlimited_window", unlimited_window),
        Scenario::streams("window_store_fetch", window_store_fetch).plain_windows(&WS),
        Scenario::streams("windowed_table_join", windowed_table_join),
    ]
}

fn sliding() -> Vec<Scenario> {
    vec![
        Scenario::streams("sliding_count", sliding_count).windows(&N),
        Scenario::streams("sliding_aggregate_concat", sliding_aggregate_concat).windows(&AGG),
        Scenario::streams("sliding_reduce_small_times", sliding_reduce_small_times).windows(&SUM),
        Scenario::streams("sliding_in_memory", sliding_in_memory).windows(&AGG).set(STORES, IN_MEMORY),
    ]
}

fn sessions() -> Vec<Scenario> {
    vec![
        Scenario::streams("session_count", session_count).sessions(&SESSIONS),
        Scenario::streams("session_aggregate_merge", session_aggregate_merge).sessions(&SESSION_AGG),
        Scenario::streams("session_reduce", session_reduce).sessions(&SESSION_SUM),
        Scenario::streams("session_aggregate_null", session_aggregate_null).sessions(&SESSION_AGG),
        Scenario::streams("session_in_memory", session_in_memory).sessions(&SESSIONS).set(STORES, IN_MEMORY),
    ]
}

fn on_close() -> Vec<Scenario> {
    let final_scenario = |name, describe| Scenario::streams(name, describe).set(EMIT_INTERVAL, "0");
    vec![
        final_scenario("tumbling_emit_final", tumbling_emit_final).windows(&N),
        final_scenario("tumbling_emit_final_long_retention", tumbling_emit_final_long_retention).windows(&N),
        final_scenario("hopping_emit_final", hopping_emit_final).windows(&SUM),
        final_scenario("sliding_emit_final", sliding_emit_final).windows(&AGG),
        final_scenario("session_emit_final", session_emit_final).sessions(&SESSION_AGG),
        Scenario::streams("tumbling_emit_final_throttled", tumbling_emit_final_long_retention)
            .set(EMIT_INTERVAL, "1000")
            .windows(&N),
        final_scenario("emit_final_in_memory", emit_final_in_memory).windows(&N).set(STORES, IN_MEMORY),
    ]
}

fn cogroups() -> Vec<Scenario> {
    vec![
        Scenario::streams("cogroup_tumbling", cogroup_tumbling).windows(&AGG),
        Scenario::streams("cogroup_session", cogroup_session).sessions(&SESSION_AGG),
        Scenario::streams("cogroup_sliding", cogroup_sliding).windows(&AGG),
    ]
}

/// Milliseconds.
pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A topic of keys in windows of this size.
pub(super) fn windowed<V: DefaultSerde>(name: &str, size: u64) -> Topic<Windowed<String>, V> {
    Topic::new(name, TimeWindowed::serde(SerdeRef::of(), ms(size)), SerdeRef::of())
}

/// A topic of keys in sessions.
pub(super) fn in_sessions<V: DefaultSerde>(name: &str) -> Topic<Windowed<String>, V> {
    Topic::new(name, SessionWindowed::serde(SerdeRef::of()), SerdeRef::of())
}

fn long_groups(b: &StreamsBuilder) -> GroupedStream<'_, Text, Option<i64>> {
    b.stream(&longs("in")).group_by_key()
}

fn text_groups(b: &StreamsBuilder) -> GroupedStream<'_, Text, Text> {
    b.stream(&texts("in")).group_by_key()
}

fn add(sum: i64, value: &Option<i64>) -> i64 {
    sum + value.unwrap_or(0)
}

const TUMBLING: Tumbling = Tumbling::of(ms(100)).with_grace(ms(50));

fn tumbling_count(b: &StreamsBuilder) {
    long_groups(b).windowed_by(TUMBLING).count_with(&N).to_stream().to(&windowed::<i64>("out", 100));
}

fn tumbling_no_grace(b: &StreamsBuilder) {
    long_groups(b)
        .windowed_by(Tumbling::of(ms(100)))
        .reduce_with(&SUM, add)
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

fn tumbling_aggregate_concat(b: &StreamsBuilder) {
    text_groups(b)
        .windowed_by(Tumbling::of(ms(100)).with_grace(ms(200)))
        .aggregate(&AGG, String::new, |agg, _, v| (v.as_deref() != Some("0")).then(|| agg + &str(v)))
        .to_stream()
        .to(&windowed::<String>("out", 100));
}

fn hopping_sum(b: &StreamsBuilder) {
    long_groups(b)
        .windowed_by(Hopping::of(ms(100), ms(50)).with_grace(ms(50)))
        .reduce_with(&SUM, add)
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

fn hopping_uneven(b: &StreamsBuilder) {
    long_groups(b)
        .windowed_by(Hopping::of(ms(100), ms(30)).with_grace(ms(20)))
        .count_with(&N)
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

fn window_plain_keys(b: &StreamsBuilder) {
    long_groups(b).windowed_by(TUMBLING).count_with(&N).to_stream().select_key(|wk, _| wk.to_string()).to(&Topic::<
        String,
        i64,
    >::of(
        "out"
    ));
}

fn window_table_filter_map(b: &StreamsBuilder) {
    long_groups(b)
        .windowed_by(TUMBLING)
        .reduce_with(&SUM, add)
        .filter(|_, sum| sum % 3 != 0)
        .map_values(|wk, sum| format!("{}:{sum}", wk.key))
        .to_stream()
        .to(&windowed::<String>("out", 100));
}

fn window_groupby_rekey(b: &StreamsBuilder) {
    b.stream(&longs("in"))
        .group_by(|_, v| v.map(|v| if v % 2 == 0 { "even".to_owned() } else { "odd".to_owned() }))
        .named("parity")
        .windowed_by(Hopping::of(ms(60), ms(20)).with_grace(ms(30)))
        .count_with(&N)
        .to_stream()
        .to(&windowed::<i64>("out", 60));
}

fn window_long_retention(b: &StreamsBuilder) {
    long_groups(b)
        .windowed_by(TUMBLING)
        .count_with(Materialized::windows(&N).retention(ms(1000)))
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

fn window_in_memory(b: &StreamsBuilder) {
    long_groups(b).windowed_by(TUMBLING).count_with(Materialized::windows(&N).in_memory()).to_stream().to(&windowed::<
        i64,
    >(
        "out", 100,
    ));
}

fn unlimited_window(b: &StreamsBuilder) {
    long_groups(b)
        .windowed_by(Unlimited::from(100.into()))
        .count_with(&N)
        .to_stream()
        .select_key(|wk, _| format!("{}@{}", wk.key, wk.window.start))
        .to(&Topic::<String, i64>::of("out"));
}

fn window_store_fetch(b: &StreamsBuilder) {
    b.add_store(StoreSpec::window(&WS, ms(100), ms(500)));
    b.stream(&texts("in")).process(|| Fetches, &[&WS]).to(&Topic::<String, String>::of("out"));
}

/// Puts values into a window store and tells what it finds there.
struct Fetches;

impl Processor<Text, Text, String, String> for Fetches {
    fn process(&mut self, r: Record<'_, Text, Text>, ctx: &mut Context<'_, String, String>) -> Flow {
        let (Some(key), Some(value)) = (r.key, r.value) else { return Ok(()) };
        let from = Timestamp::from_millis((r.timestamp.as_millis() - 200).max(0));
        let (mut windows, starts, mut found) = (ctx.store(&WS)?, from..=r.timestamp, Vec::new());
        match value.as_str() {
            "all" => {
                windows.fetch_all(starts, Direction::Forward, |key, value| {
                    found.push(format!("{}@{}={value}", key.key, key.window.start));
                    ControlFlow::Continue(())
                })?;
                found.sort();
            }
            "del" => return windows.put(key, r.timestamp, None, r.timestamp),
            _ => {
                let back = value == "back";
                if !back {
                    windows.put(key, r.timestamp, value.clone(), r.timestamp)?;
                }
                let direction = if back { Direction::Backward } else { Direction::Forward };
                windows.fetch(key, starts, direction, |window, value| {
                    found.push(format!("{}={value}", window.start));
                    ControlFlow::Continue(())
                })?;
            }
        }
        ctx.forward(r.with_key(key).with_value(&found.join(",")))
    }
}

fn windowed_table_join(b: &StreamsBuilder) {
    const LN: WindowStore<String, i64> = WindowStore::of("ln");
    const RN: WindowStore<String, i64> = WindowStore::of("rn");
    let windows = Tumbling::of(ms(100)).with_grace(ms(100));
    let l = b.stream(&texts("l")).group_by_key().windowed_by(windows).count_with(&LN);
    let r = b.stream(&texts("r")).group_by_key().windowed_by(windows).count_with(&RN);
    l.left_join(&r, |x, y| format!("{x}|{}", row(y))).to_stream().to(&windowed::<String>("out", 100));
}

fn sliding_count(b: &StreamsBuilder) {
    text_groups(b)
        .windowed_by(Sliding::of(ms(50)).with_grace(ms(100)))
        .count_with(&N)
        .to_stream()
        .to(&windowed::<i64>("out", 50));
}

fn sliding_aggregate_concat(b: &StreamsBuilder) {
    text_groups(b)
        .windowed_by(Sliding::of(ms(50)).with_grace(ms(100)))
        .aggregate(&AGG, String::new, |agg, _, v| agg + v)
        .to_stream()
        .to(&windowed::<String>("out", 50));
}

fn sliding_reduce_small_times(b: &StreamsBuilder) {
    long_groups(b)
        .windowed_by(Sliding::of(ms(100)))
        .reduce_with(&SUM, |sum, v| sum + v)
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

fn sliding_in_memory(b: &StreamsBuilder) {
    text_groups(b)
        .windowed_by(Sliding::of(ms(50)).with_grace(ms(60)))
        .aggregate(Materialized::windows(&AGG).in_memory(), String::new, |agg, _, v| agg + v)
        .to_stream()
        .to(&windowed::<String>("out", 50));
}

const SESSION: Session = Session::gap(ms(50)).with_grace(ms(30));

fn session_count(b: &StreamsBuilder) {
    text_groups(b).windowed_by(SESSION).count_with(&SESSIONS).to_stream().to(&in_sessions::<i64>("out"));
}

fn session_aggregate_merge(b: &StreamsBuilder) {
    text_groups(b)
        .windowed_by(Session::gap(ms(50)).with_grace(ms(200)))
        .aggregate(&SESSION_AGG, String::new, |agg, _, v| agg + &str(v), |_, x: String, y| format!("({x}&{y})"))
        .to_stream()
        .to(&in_sessions::<String>("out"));
}

fn session_reduce(b: &StreamsBuilder) {
    long_groups(b)
        .windowed_by(Session::gap(ms(40)))
        .reduce_with(&SESSION_SUM, add)
        .to_stream()
        .to(&in_sessions::<i64>("out"));
}

fn session_aggregate_null(b: &StreamsBuilder) {
    text_groups(b)
        .windowed_by(Session::gap(ms(50)).with_grace(ms(100)))
        .aggregate(
            &SESSION_AGG,
            String::new,
            |agg, _, v| (v.as_deref() != Some("0")).then(|| agg + &str(v)),
            |_, x, y| x + "&" + &y,
        )
        .to_stream()
        .to(&in_sessions::<String>("out"));
}

fn session_in_memory(b: &StreamsBuilder) {
    text_groups(b)
        .windowed_by(SESSION)
        .count_with(Materialized::sessions(&SESSIONS).in_memory())
        .to_stream()
        .to(&in_sessions::<i64>("out"));
}

fn tumbling_emit_final(b: &StreamsBuilder) {
    long_groups(b)
        .windowed_by(TUMBLING)
        .emit_strategy(EmitStrategy::OnWindowClose)
        .count_with(&N)
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

const HOUR: Duration = Duration::from_secs(3600);

fn tumbling_emit_final_long_retention(b: &StreamsBuilder) {
    long_groups(b)
        .windowed_by(TUMBLING)
        .emit_strategy(EmitStrategy::OnWindowClose)
        .count_with(Materialized::windows(&N).retention(HOUR))
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

fn hopping_emit_final(b: &StreamsBuilder) {
    long_groups(b)
        .windowed_by(Hopping::of(ms(100), ms(40)).with_grace(ms(30)))
        .emit_strategy(EmitStrategy::OnWindowClose)
        .reduce_with(Materialized::windows(&SUM).retention(HOUR), add)
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

fn sliding_emit_final(b: &StreamsBuilder) {
    text_groups(b)
        .windowed_by(Sliding::of(ms(50)).with_grace(ms(30)))
        .emit_strategy(EmitStrategy::OnWindowClose)
        .aggregate(Materialized::windows(&AGG).retention(HOUR), String::new, |agg, _, v| agg + v)
        .to_stream()
        .to(&windowed::<String>("out", 50));
}

fn session_emit_final(b: &StreamsBuilder) {
    text_groups(b)
        .windowed_by(SESSION)
        .emit_strategy(EmitStrategy::OnWindowClose)
        .aggregate(&SESSION_AGG, String::new, |agg, _, v| agg + &str(v), |_, x, y| x + "&" + &y)
        .to_stream()
        .to(&in_sessions::<String>("out"));
}

fn emit_final_in_memory(b: &StreamsBuilder) {
    long_groups(b)
        .windowed_by(TUMBLING)
        .emit_strategy(EmitStrategy::OnWindowClose)
        .count_with(Materialized::windows(&N).in_memory())
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

fn cogroup_tumbling(b: &StreamsBuilder) {
    let left = b.stream(&texts("left")).group_by_key();
    left.windowed_by(Tumbling::of(ms(100)).with_grace(ms(50)))
        .cogroup(|agg: String, _, v| agg + "L" + &str(v))
        .and(&b.stream(&texts("right")).group_by_key(), |agg, _, v| agg + "R" + &str(v))
        .aggregate(&AGG, String::new)
        .to_stream()
        .to(&windowed::<String>("out", 100));
}

fn cogroup_session(b: &StreamsBuilder) {
    let left = b.stream(&texts("left")).group_by_key();
    left.windowed_by(SESSION)
        .cogroup(|agg: String, _, v| agg + "L" + &str(v))
        .and(&b.stream(&texts("right")).group_by_key(), |agg, _, v| agg + "R" + &str(v))
        .aggregate(&SESSION_AGG, String::new, |_, x, y| format!("({x}&{y})"))
        .to_stream()
        .to(&in_sessions::<String>("out"));
}

fn cogroup_sliding(b: &StreamsBuilder) {
    let left = b.stream(&texts("left")).group_by_key();
    left.windowed_by(Sliding::of(ms(50)).with_grace(ms(100)))
        .cogroup(|agg: String, _, v| agg + "L" + &str(v))
        .and(&b.stream(&texts("right")).group_by_key(), |agg, _, v| agg + "R" + &str(v))
        .aggregate(&AGG, String::new)
        .to_stream()
        .to(&windowed::<String>("out", 50));
}
