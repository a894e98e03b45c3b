//! Tables joined with tables by their key.

use tidemill::Topic;
use tidemill::serde::SerdeRef;
use tidemill::state::Store;
use tidemill::stream::{Materialized, StreamsBuilder, Table};

use super::tables::all_rewrites;
use super::{Scenario, row};

const L: Topic<String, String> = Topic::of("l");
const R: Topic<String, String> = Topic::of("r");
const OUT: Topic<String, String> = Topic::of("out");
const L_STORE: Store<String, String> = Store::of("l");
const R_STORE: Store<String, String> = Store::of("r");
const T1: Store<String, String> = Store::of("t1");
const J: Store<String, String> = Store::of("j");
const N: Store<String, i64> = Store::of("n");
const JOINED: Store<String, String> = Store::of("joined");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("table_table_inner", table_table_inner).store(&JOINED),
        Scenario::streams("table_table_inner_plain", table_table_inner_plain),
        Scenario::streams("table_table_left", table_table_left).store(&JOINED),
        Scenario::streams("table_table_left_plain", table_table_left_plain),
        Scenario::streams("table_table_outer", table_table_outer).store(&JOINED),
        Scenario::streams("table_table_outer_plain", table_table_outer_plain),
        Scenario::streams("table_table_joiner_null", table_table_joiner_null).store(&JOINED),
        Scenario::streams("table_table_chain", table_table_chain),
        Scenario::streams("table_table_filtered", table_table_filtered).store(&N),
        Scenario::streams("table_table_self", table_table_self),
        Scenario::optimized("optimized_tables", all_rewrites, "all", optimized_tables).store(&T1),
    ]
}

/// Both tables, with stores of their names.
fn kept(b: &StreamsBuilder) -> (Table<'_, String, String>, Table<'_, String, String>) {
    (b.table_with(&L, &L_STORE), b.table_with(&R, &R_STORE))
}

fn table_table_inner(b: &StreamsBuilder) {
    let (l, r) = kept(b);
    l.join_with(&r, &JOINED, |l, r| format!("{l}|{r}")).to_stream().to(&OUT);
}

fn table_table_inner_plain(b: &StreamsBuilder) {
    let (l, r) = kept(b);
    l.join(&r, |l, r| format!("{l}|{r}")).to_stream().to(&OUT);
}

fn table_table_left(b: &StreamsBuilder) {
    let (l, r) = kept(b);
    l.left_join_with(&r, &JOINED, |l, r| format!("{l}|{}", row(r))).to_stream().to(&OUT);
}

fn table_table_left_plain(b: &StreamsBuilder) {
    b.table(&L).left_join(&b.table(&R), |l, r| format!("{l}|{}", row(r))).to_stream().to(&OUT);
}

fn table_table_outer(b: &StreamsBuilder) {
    let (l, r) = kept(b);
    l.outer_join_with(&r, &JOINED, |l, r| format!("{}|{}", row(l), row(r))).to_stream().to(&OUT);
}

fn table_table_outer_plain(b: &StreamsBuilder) {
    b.table(&L).outer_join(&b.table(&R), |l, r| format!("{}|{}", row(l), row(r))).to_stream().to(&OUT);
}

fn table_table_joiner_null(b: &StreamsBuilder) {
    let (l, r) = kept(b);
    let join = |l: &String, r: Option<&String>| (!row(r).ends_with('3')).then(|| format!("{l}|{}", row(r)));
    l.left_join_with(&r, &JOINED, join).to_stream().to(&OUT);
}

fn table_table_chain(b: &StreamsBuilder) {
    let lr = b.table(&L).outer_join(&b.table(&R), |l, r| format!("{}|{}", row(l), row(r)));
    lr.left_join(&b.table(&Topic::<String, String>::of("m")), |x, m| format!("{x}/{}", row(m))).to_stream().to(&OUT);
}

fn table_table_filtered(b: &StreamsBuilder) {
    let l = b.table(&Topic::<String, i64>::of("l")).filter(|_, v| *v > 2);
    let r = b.table(&Topic::<String, i64>::of("r")).map_values(|_, v| v * 10);
    let j = l.outer_join(&r, |x, y| format!("{}|{}", row(x), row(y)));
    j.to_stream().to(&OUT);
    let side = |v: &str| (if v.starts_with("null") { "right-only" } else { "left" }).to_owned();
    j.group_by(move |k, v| (side(v), k.clone())).count_with(&N);
}

fn table_table_self(b: &StreamsBuilder) {
    let t = b.table_with(&Topic::<String, i64>::of("t"), &Store::of("t"));
    let tens = t.map_values(|_, v| v * 10);
    t.join(&tens, |x, y| format!("{x}|{y}")).to_stream().to(&OUT);
}

fn optimized_tables(b: &StreamsBuilder) {
    let t1 = b.table_with(&Topic::of("t1"), &T1);
    let t2 = b.table_with(&Topic::of("t2"), Materialized::with(&SerdeRef::of(), &SerdeRef::of()));
    t1.outer_join_with(&t2, &J, |x: Option<&String>, y: Option<&String>| format!("{}|{}", row(x), row(y)))
        .to_stream()
        .to(&OUT);
}
