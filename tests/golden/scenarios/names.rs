//! Names of nodes, stores and topics: numbered in the order of the calls, or given.

use tidemill::Topic;
use tidemill::state::{Store, WindowStore};
use tidemill::stream::{Optimization, Stream, StreamsBuilder};
use tidemill::window::{JoinWindows, Tumbling};

use super::tables::all_rewrites;
use super::windows::{ms, windowed};
use super::{Scenario, Text, first, longs, row, str, texts};

const T_TOPIC: Topic<String, String> = Topic::of("t");
const T: Store<String, String> = Store::of("t");
const N: Store<String, i64> = Store::of("n");
const ALL: Store<String, String> = Store::of("all");
const COUNTS: Topic<String, i64> = Topic::of("counts");
const CONCAT: Topic<String, String> = Topic::of("concat");
const OTHER: Topic<String, i64> = Topic::of("other");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("repartition_shared_plain", repartition_shared_plain),
        Scenario::streams("repartition_shared_named", repartition_shared_named),
        Scenario::optimized(
            "repartition_shared_merge_only",
            || StreamsBuilder::new().optimize(Optimization::MergeRepartitions),
            "merge.repartition.topics",
            repartition_shared_plain,
        ),
        Scenario::optimized("repartition_shared_optimized", all_rewrites, "all", repartition_shared_plain),
        Scenario::optimized("repartition_shared_named_optimized", all_rewrites, "all", repartition_shared_named),
        Scenario::optimized("merge_optimized_repartition", all_rewrites, "all", merge_optimized_repartition),
        Scenario::streams("auto_numbering", auto_numbering),
        Scenario::streams("named_operators", named_operators).store(&N),
        Scenario::streams("multi_subtopology", multi_subtopology),
        Scenario::streams("split_names", split_names),
        Scenario::streams("join_names", join_names),
    ]
}

fn join_names(b: &StreamsBuilder) {
    let (l, r) = (b.stream(&texts("l")), b.stream(&texts("r")));
    let t = b.table(&T_TOPIC);
    l.left_join_stream(&r, JoinWindows::of(ms(100)), |x, y| Some(format!("{x}|{}", row(y)))).to(&texts("ss"));
    let lt = l.to_table();
    lt.join(&t, |x, y| format!("{x}|{y}")).to_stream().to(&Topic::<String, String>::of("tt"));
    lt.left_join_on(&t, |_, v| v.clone(), |x, y| format!("{x}|{}", row(y)))
        .to_stream()
        .to(&Topic::<String, String>::of("fk"));
}

fn repartition_shared_plain(b: &StreamsBuilder) {
    let s = by_first_character(b);
    s.group_by_key().count_with(&N).to_stream().to(&COUNTS);
    s.group_by_key().reduce_with(&ALL, |all, v| all + v).to_stream().to(&CONCAT);
    join_long_ones(b, &s);
}

fn repartition_shared_named(b: &StreamsBuilder) {
    let s = by_first_character(b);
    s.group_by_key().named("grp").count_with(&N).to_stream().to(&COUNTS);
    s.group_by_key().named("grp2").reduce_with(&ALL, |all, v| all + v).to_stream().to(&CONCAT);
    join_long_ones(b, &s);
}

fn by_first_character(b: &StreamsBuilder) -> Stream<'_, Text, Text> {
    b.stream(&texts("in")).filter(|_, v| v.is_some()).select_key(|_, v| v.as_deref().map(first))
}

fn join_long_ones<'b>(b: &'b StreamsBuilder, s: &Stream<'b, Text, Text>) {
    s.filter(|_, v| v.as_ref().is_some_and(|v| v.len() > 2))
        .left_join(&b.table_with(&T_TOPIC, &T), |s, t| Some(format!("{s}|{}", row(t))))
        .to(&texts("joined"));
}

fn merge_optimized_repartition(b: &StreamsBuilder) {
    const W: WindowStore<String, i64> = WindowStore::of("w");
    let m = b
        .stream(&texts("l"))
        .map(|k, v| (Some(str(v)), Some(str(k))))
        .merge(&b.stream(&texts("r")).select_key(|_, v| Some(str(v))));
    m.group_by_key().count_with(&N).to_stream().to(&Topic::<String, i64>::of("n"));
    m.group_by_key().windowed_by(Tumbling::of(ms(100))).count_with(&W).to_stream().to(&windowed::<i64>("w", 100));
}

fn auto_numbering(builder: &StreamsBuilder) {
    let s = builder.stream(&texts("in"));
    let a = s.filter(|_, v| v.is_some());
    let b = a.map_values(|v| Some(str(v) + "1"));
    let c = b.map(|k, v| (v.clone(), k.clone()));
    let d = c.flat_map_values(|v| [Some(str(v))]).peek(|_, _| ());
    let e = d.merge(&a.select_key(|k, _| k.clone()));
    let t = builder.table(&T_TOPIC).filter(|_, _| true).map_values(|_, v| v.clone());
    e.left_join(&t, |x, y| Some(format!("{x}|{}", row(y)))).to(&texts("out"));
    e.group_by(|k, _| k.clone()).count().to_stream().to(&OTHER);
    a.for_each(|_, _| ());
}

fn named_operators(b: &StreamsBuilder) {
    const T_STORE: Store<String, String> = Store::of("t-store");
    let t = b.table_with(&T_TOPIC, &T_STORE).named("t-src");
    let s = b
        .stream(&texts("in"))
        .named("src")
        .filter(|_, v| v.is_some())
        .named("not-null")
        .map_values(|v| v.as_ref().map(|v| v.to_uppercase()))
        .named("upper")
        .select_key(|_, v| v.clone())
        .named("by-value");
    s.left_join(&t, |x, y| Some(format!("{x}|{}", row(y)))).named("lookup").to(&texts("out")).named("out-sink");
    s.group_by_key()
        .named("group")
        .count_with(&N)
        .named("counting")
        .filter(|_, n| *n > 1)
        .named("many")
        .to_stream()
        .named("as-stream")
        .to(&OTHER)
        .named("other-sink");
}

fn multi_subtopology(b: &StreamsBuilder) {
    const G_TOPIC: Topic<String, String> = Topic::of("g");
    const G: Store<String, String> = Store::of("g");
    const NB: Store<String, i64> = Store::of("nb");
    let g = b.global_table_with(&G_TOPIC, &G);
    b.stream(&texts("c")).to(&texts("plain"));
    let n = b.stream(&texts("b")).group_by(|_, v| v.clone()).named("gb").count_with(&NB);
    b.stream(&texts("a"))
        .repartition()
        .named("ra")
        .left_join(&n, |v, n| Some(format!("{v}|{}", row(n))))
        .join_global(&g, |k, _| k.clone(), |v, g| format!("{v}/{g}"))
        .map_values(|v| Some(i64::try_from(v.len()).expect("texts are short")))
        .to(&longs("out"));
}

fn split_names(b: &StreamsBuilder) {
    let mut split = b.stream(&longs("in")).split();
    let one = split.branch(|_, v| *v == Some(1));
    let two = split.branch(|_, v| *v == Some(2)).named("two");
    split.default_branch().to(&longs("d"));
    one.to(&longs("a"));
    two.to(&longs("b"));
}
