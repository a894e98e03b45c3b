//! What is allowed and seldom meant is said, and nothing else.

use tidemill::Topic;
use tidemill::state::{Changelog, Store};
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill::topology::{Topology, Warning};

use super::bank;

const IN: Topic<String, i64> = Topic::of("in");
const BACK: Topic<String, i64> = Topic::of("back");
const ROWS: Store<String, i64> = Store::of("rows");

fn warnings(topology: &Topology) -> Vec<Warning> {
    topology.warnings(Changelog::LastPerCommit)
}

#[test]
fn a_join_with_a_table_of_its_own_results_is_warned_of() {
    let warnings = warnings(&bank::join());
    let (join, store, topic) = ("decide".into(), "accounts-store".into(), "movements".into());
    assert_eq!(warnings, [Warning::OwnResults { join, store, topic }]);
    assert_eq!(
        warnings[0].to_string(),
        "join `decide` looks up store `accounts-store`, which is made of its own results by way of topic `movements`: a record \
         may find the row as it was before the records ahead of it were decided; decide with `event_sourced`, or let one processor \
         read the row, decide and write it (the guide tells why: docs/guide/explorer.md)"
    );
    assert_eq!(self::warnings(&bank::single_step()), []);
}

/// Sums of what comes back, after another key if that is said, looked up by what comes in.
fn sums(looped: bool, rekeyed: bool) -> Topology {
    let builder = StreamsBuilder::new();
    let back = builder.stream(&BACK);
    let back = if rekeyed { back.select_key(|key, _| key.to_uppercase()) } else { back };
    let sums = back.group_by_key().reduce_with(&ROWS, |sum, v| sum + v).filter(|_, sum| *sum > 0);
    let joined = builder.stream(&IN).left_join(&sums, |v, sum| v + sum.copied().unwrap_or(0)).named("add");
    joined.to(&Topic::<String, i64>::of(if looped { "back" } else { "out" }));
    builder.build().unwrap()
}

#[test]
fn the_way_back_may_lead_over_several_topics_and_steps() {
    let (join, store, topic) = ("add".into(), "rows".into(), "back".into());
    let expected = [Warning::OwnResults { join, store, topic }];
    assert_eq!(warnings(&sums(true, false)), expected);
    assert_eq!(warnings(&sums(true, true)), expected);
    assert_eq!(warnings(&sums(false, true)), []);
}

#[test]
fn rows_that_nothing_keeps_are_warned_of() {
    let of_table = |materialized: Materialized<String, i64>| {
        let builder = StreamsBuilder::new();
        builder.stream(&IN).group_by_key().reduce_with(materialized, |sum, v| sum + v);
        builder.build().unwrap()
    };
    let lost = [Warning::NothingKept { store: "rows".into() }];
    let kept = || Materialized::store(&ROWS);
    assert_eq!(warnings(&of_table(kept().in_memory().changelog(Changelog::Off))), lost);
    assert_eq!(of_table(kept().in_memory()).warnings(Changelog::Off), lost, "the default counts");
    assert_eq!(of_table(kept().in_memory().changelog(Changelog::EveryUpdate)).warnings(Changelog::Off), []);
    assert_eq!(warnings(&of_table(kept().in_memory())), []);
    assert_eq!(warnings(&of_table(kept().changelog(Changelog::Off))), [], "the disk keeps them");
}

#[test]
fn rows_that_a_topic_fills_are_kept_by_that_topic() {
    let builder = StreamsBuilder::new();
    let kept = Materialized::store(&ROWS).in_memory();
    let global = builder.global_table_with(&BACK, kept);
    builder.stream(&IN).left_join_global(&global, |key, _| key.clone(), |v, _| *v).to(&Topic::<String, i64>::of("out"));
    assert_eq!(builder.build().unwrap().warnings(Changelog::Off), []);
}
