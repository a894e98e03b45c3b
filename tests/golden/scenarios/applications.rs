//! Small applications.

use std::ops::ControlFlow;

use serde_json::{Value, json};
use tidemill::Topic;
use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::{Record, Timestamp};
use tidemill::state::{Direction, SessionStore, Store, StoreSpec, WindowStore};
use tidemill::stream::StreamsBuilder;
use tidemill::window::{Hopping, JoinWindows, Session};

use super::stream_joins::PADDING_INTERVAL;
use super::windows::ms;
use super::{Scenario, Text, documents, longs, texts};

const ACCOUNTS: Store<String, Value> = Store::of("accounts-store");
const COUNTS: Store<String, i64> = Store::of("counts-store");
const AVAILABLE: Store<String, i64> = Store::of("available");
const PROFILES: Store<String, Value> = Store::of("profiles");
const REGIONS: WindowStore<String, i64> = WindowStore::of("region-counts");
const CARDS: SessionStore<String, Value> = SessionStore::of("sessions");
const RATES: Store<String, Value> = Store::of("rates");
const SEEN: WindowStore<String, i64> = WindowStore::of("seen");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("bank_account", bank_account).store(&ACCOUNTS),
        Scenario::streams("bank_account_batch", bank_account_batch).store(&ACCOUNTS),
        Scenario::streams("bank_account_batch_times", bank_account_batch_times).store(&ACCOUNTS),
        Scenario::streams("word_count", word_count).store(&COUNTS),
        Scenario::streams("page_views_by_region", page_views_by_region),
        Scenario::streams("fraud_sessions", fraud_sessions),
        Scenario::streams("deduplication", deduplication).plain_windows(&SEEN),
        Scenario::streams("inventory_reservation", inventory_reservation).plain_store(&AVAILABLE),
        Scenario::streams("click_attribution", click_attribution).store(&RATES).set(PADDING_INTERVAL, "0"),
    ]
}

fn click_attribution(b: &StreamsBuilder) {
    let windows = JoinWindows::of(ms(0)).with_grace(ms(100)).after(ms(500));
    let impressions = b.stream(&texts("impressions"));
    let p = impressions.left_join_stream(&b.stream(&texts("clicks")), windows, |campaign, user| {
        Some(json!({"campaign": campaign, "user": user}))
    });
    p.to(&documents("pairs"));
    p.group_by(|_, v| v.as_ref().and_then(|v| v["campaign"].as_str()).map(str::to_owned))
        .aggregate(
            &RATES,
            || json!({"clicks": 0, "shown": 0}),
            |a: Value, _, v| {
                let clicked = i64::from(!v["user"].is_null());
                json!({"clicks": number(&a, "clicks") + clicked, "shown": number(&a, "shown") + 1})
            },
        )
        .to_stream()
        .to(&Topic::<String, Value>::of("rates"));
}

fn page_views_by_region(b: &StreamsBuilder) {
    let views = b.stream(&texts("views"));
    let profiles = b.table_with(&Topic::<String, Value>::of("profiles"), &PROFILES);
    views
        .left_join(&profiles, |page, profile| {
            json!({"page": page, "region": profile.map_or(json!("UNKNOWN"), |profile| profile["region"].clone())})
        })
        .map(|_, v| (v["region"].as_str().map(str::to_owned), v.clone()))
        .group_by_key()
        .named("by-region")
        .windowed_by(Hopping::of(ms(1000), ms(500)).with_grace(ms(500)))
        .count_with(&REGIONS)
        .to_stream()
        .select_key(|wk, _| format!("{}@{}", wk.key, wk.window.start))
        .to(&Topic::<String, i64>::of("out"));
}

fn fraud_sessions(b: &StreamsBuilder) {
    let add = |a: Value, n: i64, sum: i64| json!({"n": number(&a, "n") + n, "sum": number(&a, "sum") + sum});
    b.stream(&documents("transactions"))
        .group_by_key()
        .windowed_by(Session::gap(ms(1000)).with_grace(ms(500)))
        .aggregate(
            &CARDS,
            || json!({"n": 0, "sum": 0}),
            move |a, _, v| add(a, 1, v.as_ref().map_or(0, |v| number(v, "amount"))),
            move |_, a, b: Value| add(a, number(&b, "n"), number(&b, "sum")),
        )
        .to_stream()
        .filter(|_, a| a.as_ref().is_some_and(|a| number(a, "n") >= 3 || number(a, "sum") > 1000))
        .map(|wk, a| {
            let a = a.clone().unwrap_or_default();
            let (from, to) = (wk.window.start.as_millis(), wk.window.end.as_millis());
            (wk.key.clone(), json!({"from": from, "to": to, "n": a["n"], "sum": a["sum"]}))
        })
        .to(&Topic::<String, Value>::of("alarms"));
}

fn deduplication(b: &StreamsBuilder) {
    b.add_store(StoreSpec::window(&SEEN, ms(2000), ms(2000)));
    b.stream(&texts("in")).process_fn(pass_new, &[&SEEN]).to(&texts("out"));
}

/// Passes a record whose value was not seen within a second before or after.
fn pass_new(r: Record<'_, Text, Text>, ctx: &mut Context<'_, Text, Text>) -> Flow {
    let Some(id) = r.value else { return ctx.forward(r) };
    let (time, mut known) = (r.timestamp, false);
    let around =
        Timestamp::from_millis((time.as_millis() - 1000).max(0))..=Timestamp::from_millis(time.as_millis() + 1000);
    let mut seen = ctx.store(&SEEN)?;
    seen.fetch(id, around, Direction::Forward, |_, _| {
        known = true;
        ControlFlow::Break(())
    })?;
    seen.put(id, time, time.as_millis(), time)?;
    if known { Ok(()) } else { ctx.forward(r) }
}

fn bank_account(b: &StreamsBuilder) {
    // events
    let movements = b.stream(&documents("movements"));
    // snapshots
    let accounts = movements.group_by_key().aggregate(
        &ACCOUNTS,
        || json!({"balance": 0}),
        |account, _, movement| json!({"balance": number(&account, "balance") + number(movement, "amount")}),
    );
    accounts.to_stream().to(&Topic::<String, Value>::of("accounts"));
    // commands
    b.stream(&documents("operations"))
        .left_join(&accounts, |operation, account| {
            let balance = account.map_or(0, |account| number(account, "balance"));
            let amount = number(operation, "amount");
            Some(if balance >= -amount {
                json!({"amount": amount})
            } else {
                json!({"amount": 0, "error": "insufficient funds"})
            })
        })
        .to(&documents("movements"));
}

fn number(document: &Value, field: &str) -> i64 {
    document[field].as_i64().unwrap_or(0)
}

fn bank_account_batch(b: &StreamsBuilder) {
    bank_account(b);
    let operations = |batch: &Option<Value>| amounts(batch).map(|amount| Some(json!({"amount": amount}))).collect();
    b.stream(&documents("batches")).flat_map_values::<_, Vec<_>>(operations).to(&documents("operations"));
}

fn amounts(batch: &Option<Value>) -> impl Iterator<Item = &Value> {
    batch.iter().filter_map(Value::as_array).flatten()
}

fn bank_account_batch_times(b: &StreamsBuilder) {
    bank_account(b);
    b.stream(&documents("batches")).process(|| OneMillisecondApart, &[]).to(&documents("operations"));
}

struct OneMillisecondApart;

impl Processor<Text, Option<Value>, Text, Option<Value>> for OneMillisecondApart {
    fn process(&mut self, r: Record<'_, Text, Option<Value>>, ctx: &mut Context<'_, Text, Option<Value>>) -> Flow {
        let times = (r.timestamp.as_millis()..).map(Timestamp::from_millis);
        for (amount, time) in amounts(r.value).zip(times) {
            let operation = Some(json!({"amount": amount}));
            ctx.forward(r.with_value(&operation).with_timestamp(time))?;
        }
        Ok(())
    }
}

fn word_count(b: &StreamsBuilder) {
    b.stream(&texts("lines"))
        .flat_map_values(|line| {
            let line = line.as_ref().map_or_else(String::new, |line| line.to_ascii_lowercase());
            let words = line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
            words.map(|word| Some(word.to_owned())).collect::<Vec<_>>()
        })
        .group_by(|_, word| word.clone())
        .count_with(&COUNTS)
        .to_stream()
        .to(&Topic::<String, i64>::of("counts"));
}

fn inventory_reservation(b: &StreamsBuilder) {
    b.add_store(StoreSpec::plain(&AVAILABLE));
    b.stream(&longs("stock")).process(|| Restock, &[&AVAILABLE]);
    let mut split = b.stream(&longs("orders")).process(|| Reserve, &[&AVAILABLE]).split().named("o-");
    let ok = split.branch(|_, v| v.is_some_and(|v| v >= 0)).named("ok");
    let no = split.default_branch().named("no");
    ok.to(&longs("confirmed"));
    no.map_values(|v| v.map(|v| -v)).to(&longs("rejected"));
}

/// Adds to what is available.
struct Restock;

impl Processor<Text, Option<i64>, Text, Option<i64>> for Restock {
    fn process(&mut self, r: Record<'_, Text, Option<i64>>, ctx: &mut Context<'_, Text, Option<i64>>) -> Flow {
        let (Some(key), Some(value)) = (r.key, r.value) else { return Ok(()) };
        let mut available = ctx.store(&AVAILABLE)?;
        let have = available.get(key)?.copied().unwrap_or(0);
        available.put(key, have + value, r.timestamp)
    }
}

/// Takes an order from what is available; an order for more is passed on with its sign changed.
struct Reserve;

impl Processor<Text, Option<i64>, Text, Option<i64>> for Reserve {
    fn process(&mut self, r: Record<'_, Text, Option<i64>>, ctx: &mut Context<'_, Text, Option<i64>>) -> Flow {
        let (Some(key), Some(value)) = (r.key, r.value) else { return Ok(()) };
        let mut available = ctx.store(&AVAILABLE)?;
        let have = available.get(key)?.copied().unwrap_or(0);
        if have < *value {
            return ctx.forward(r.with_value(&Some(-value)));
        }
        available.put(key, have - value, r.timestamp)?;
        ctx.forward(r)
    }
}
