//! Tables joined by a foreign key.

use serde_json::{Value, json};
use tidemill::Topic;
use tidemill::state::Store;
use tidemill::stream::{StreamsBuilder, Table};

use super::{Scenario, first, row};

const L_TOPIC: Topic<String, String> = Topic::of("l");
const R_TOPIC: Topic<String, String> = Topic::of("r");
const OUT: Topic<String, String> = Topic::of("out");
const L: Store<String, String> = Store::of("l");
const R: Store<String, String> = Store::of("r");
const JOINED: Store<String, String> = Store::of("joined");
const BY_COUNTRY: Store<String, i64> = Store::of("by-country");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("foreign_key_inner", foreign_key_inner).store(&JOINED),
        Scenario::streams("foreign_key_inner_plain", foreign_key_inner_plain),
        Scenario::streams("foreign_key_left", foreign_key_left).store(&JOINED),
        Scenario::streams("foreign_key_left_plain", foreign_key_left_plain),
        Scenario::streams("foreign_key_with_key_extractor", foreign_key_with_key_extractor),
        Scenario::streams("foreign_key_self", foreign_key_self),
        Scenario::streams("foreign_key_chain", foreign_key_chain),
        Scenario::streams("foreign_key_same_result", foreign_key_same_result),
        Scenario::streams("fk_named", fk_named),
        Scenario::streams("order_customer_fk", order_customer_fk).store(&BY_COUNTRY),
    ]
}

fn foreign_key_inner(b: &StreamsBuilder) {
    let (l, r) = (b.table_with(&L_TOPIC, &L), b.table_with(&R_TOPIC, &R));
    l.join_on_with(&r, &JOINED, |_, v| named(v), |l, r| format!("{l}|{r}")).to_stream().to(&OUT);
}

fn foreign_key_inner_plain(b: &StreamsBuilder) {
    let (l, r) = (b.table(&L_TOPIC), b.table(&R_TOPIC));
    l.join_on(&r, |_, v| named(v), |l, r| format!("{l}|{r}")).to_stream().to(&OUT);
}

fn foreign_key_left(b: &StreamsBuilder) {
    let (l, r) = (b.table_with(&L_TOPIC, &L), b.table_with(&R_TOPIC, &R));
    l.left_join_on_with(&r, &JOINED, |_, v| named(v), |l, r| format!("{l}|{}", row(r))).to_stream().to(&OUT);
}

fn foreign_key_left_plain(b: &StreamsBuilder) {
    let (l, r) = (b.table(&L_TOPIC), b.table(&R_TOPIC));
    l.left_join_on(&r, |_, v| named(v), |l, r| format!("{l}|{}", row(r))).to_stream().to(&OUT);
}

fn foreign_key_with_key_extractor(b: &StreamsBuilder) {
    let (l, r) = (b.table(&L_TOPIC), b.table(&R_TOPIC));
    l.left_join_on(&r, |k, v| first(k) + &first(v), |l, r| format!("{l}|{}", row(r))).named("fk").to_stream().to(&OUT);
}

fn foreign_key_self(b: &StreamsBuilder) {
    const PEOPLE: Topic<String, String> = Topic::of("people");
    const T: Store<String, String> = Store::of("t");
    let t = b.table_with(&PEOPLE, &T);
    t.left_join_on(&t, |_, v| named(v), |x, boss| format!("{x}|{}", row(boss))).to_stream().to(&OUT);
}

fn foreign_key_chain(b: &StreamsBuilder) {
    const Q_TOPIC: Topic<String, String> = Topic::of("q");
    let j: Table<'_, String, String> =
        b.table(&L_TOPIC).join_on(&b.table(&R_TOPIC), |_, v| before_colon(v), |l, r| format!("{r};{l}"));
    j.left_join_on(&b.table(&Q_TOPIC), |_, v| before_colon(v), |x, q| format!("{x}|{}", row(q))).to_stream().to(&OUT);
}

fn foreign_key_same_result(b: &StreamsBuilder) {
    let (l, r) = (b.table(&L_TOPIC), b.table(&R_TOPIC));
    l.join_on(&r, |_, v| before_colon(v), |l, r| format!("{l}|{r}")).to_stream().to(&OUT);
}

fn fk_named(b: &StreamsBuilder) {
    const RES: Store<String, String> = Store::of("res");
    let (l, r) = (b.table_with(&L_TOPIC, &L), b.table_with(&R_TOPIC, &R));
    l.join_on_with(&r, &RES, |_, v| v.clone(), |x, y| format!("{x}|{y}"))
        .named("own")
        .to_stream()
        .to(&Topic::<String, String>::of("fk"));
}

fn order_customer_fk(b: &StreamsBuilder) {
    const ORDERS: Topic<String, Value> = Topic::of("orders");
    const CUSTOMERS: Topic<String, Value> = Topic::of("customers");
    let orders = b.table_with(&ORDERS, &Store::of("orders"));
    let customers = b.table_with(&CUSTOMERS, &Store::of("customers"));
    let e = orders.left_join_on_with(
        &customers,
        &Store::of("enriched"),
        |_, o| o["customer"].as_str().map(str::to_owned),
        |o, c| json!({"amount": o["amount"], "country": c.map_or(Value::Null, |c| c["country"].clone())}),
    );
    e.to_stream().to(&Topic::<String, Value>::of("enriched"));
    e.group_by(|_, v| (v["country"].as_str().unwrap_or("none").to_owned(), v["amount"].as_i64().unwrap_or_default()))
        .reduce_with(&BY_COUNTRY, |sum, v| sum + v, |sum, v| sum - v)
        .to_stream()
        .to(&Topic::<String, i64>::of("by-country"));
}

/// The key that a value such as "x:1" points to; none for "-:1".
fn named(value: &str) -> Option<String> {
    Some(before_colon(value)).filter(|key| key != "-")
}

fn before_colon(value: &str) -> String {
    value.split(':').next().unwrap_or_default().to_owned()
}
