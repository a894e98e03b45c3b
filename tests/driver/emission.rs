//! When a table's changes come out: at once, at the commit, or when the record cache is full. Reads see them at once.

use tidemill::Topic;
use tidemill::processor::{ErrorHandler, ErrorSettings, PartialEffects};
use tidemill::record::Headers;
use tidemill::state::{Changelog, Emit, Store, StoreSpec};
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill::topology::{TaskSettings, Topology};
use tidemill_testkit::{Commit, TestDriver};

use super::delete::Delete;

const IN: Topic<String, i64> = Topic::of("in");
const LOOK: Topic<String, i64> = Topic::of("look");
const OUT: Topic<String, i64> = Topic::of("out");
const SEEN: Topic<String, i64> = Topic::of("seen");
const SUMS: Store<String, i64> = Store::of("sums");
const CHANGES: Topic<String, i64> = Topic::of("test-sums-changelog");

/// Sums by key; one that becomes 0 goes. Records of `look` read them.
fn sums(emit: Emit) -> Topology {
    let builder = StreamsBuilder::new();
    let kept = Materialized::store(&SUMS).emit(emit);
    let sums = builder.stream(&IN).group_by_key().reduce_with(kept, |sum, v| Some(sum + v).filter(|sum| *sum != 0));
    sums.to_stream().to(&OUT);
    builder.stream(&LOOK).left_join(&sums, |_, sum| sum.copied().unwrap_or(-1)).to(&SEEN);
    builder.build().unwrap()
}

/// What a driver's `out` has: key, value, time.
fn out(driver: &mut TestDriver) -> Vec<(String, Option<i64>, i64)> {
    let records = driver.output(&OUT).records();
    records.into_iter().map(|r| (r.key.unwrap(), r.value, r.timestamp.as_millis())).collect()
}

fn row(key: &str, value: impl Into<Option<i64>>, time: i64) -> (String, Option<i64>, i64) {
    (key.into(), value.into(), time)
}

fn cached(bytes: u64) -> TaskSettings {
    TaskSettings { changelog: Changelog::EveryUpdate, cache_bytes: bytes, ..TaskSettings::default() }
}

#[test]
fn the_last_update_of_a_row_comes_out_at_the_commit_in_the_order_of_the_updates() {
    let mut driver = TestDriver::new(&sums(Emit::OnCommit)).commits(Commit::OnDemand);
    driver.input(&IN).at(1).send("a", 1).send("b", 2).send("a", 3);
    assert_eq!(out(&mut driver), []);
    driver.input(&LOOK).send("a", 0);
    driver.commit().unwrap();
    assert_eq!(out(&mut driver), [row("b", 2, 1), row("a", 4, 1)]);
    assert_eq!(driver.output(&SEEN).values(), [4], "a read sees what has not come out");
    assert_eq!(driver.output(&CHANGES).key_values(), [("b".into(), 2), ("a".into(), 4)], "nor is in the changelog");
    driver.commit().unwrap();
    assert_eq!(out(&mut driver), [], "nothing changed since");
}

#[test]
fn commits_after_so_many_records_let_out_what_changed_since_the_last_one() {
    let mut driver = TestDriver::new(&sums(Emit::OnCommit)).commits(Commit::Every(2));
    driver.input(&IN).at(1).send("a", 1).send("a", 1).send("a", 1).send("b", 1);
    assert_eq!(out(&mut driver), [row("a", 2, 1), row("a", 3, 1), row("b", 1, 1)]);
}

#[test]
fn a_row_that_comes_and_goes_between_two_commits_is_no_news() {
    let mut driver = TestDriver::new(&sums(Emit::OnCommit)).commits(Commit::OnDemand);
    driver.input(&IN).at(1).send("a", 5).send("a", -5);
    driver.commit().unwrap();
    assert_eq!(out(&mut driver), []);
    assert_eq!(driver.output(&CHANGES).optional_values(), []);
    driver.input(&IN).at(3).send("a", 5);
    driver.commit().unwrap();
    // The tombstone has the time of the record that deleted, and a row that was told of goes only once.
    driver.input(&IN).at(2).send("a", -5);
    driver.input(&IN).at(4).send("a", 1).send("a", -1);
    driver.commit().unwrap();
    assert_eq!(out(&mut driver), [row("a", 5, 3), row("a", None, 4)]);
    driver.input(&IN).at(9).send("a", 7);
    driver.commit().unwrap();
    assert_eq!(out(&mut driver), [row("a", 7, 9)]);
}

#[test]
fn a_cache_is_for_tables_that_do_not_say_otherwise_and_of_an_application_that_has_one() {
    for (emit, settings, expected) in [
        (Emit::Cached, cached(0), 3),
        (Emit::Cached, cached(1_000), 1),
        (Emit::EveryUpdate, cached(1_000), 3),
        (Emit::OnCommit, cached(0), 1),
        (Emit::OnCommit, cached(1), 1),
    ] {
        let mut driver = TestDriver::new(&sums(emit)).settings(settings.clone()).commits(Commit::OnDemand);
        driver.input(&IN).at(1).send("a", 1).send("a", 1).send("a", 1);
        driver.commit().unwrap();
        assert_eq!(out(&mut driver).len(), expected, "{emit:?} {settings:?}");
        assert_eq!(driver.output(&CHANGES).values().len(), expected, "{emit:?} {settings:?}");
    }
}

/// An entry of a key of one byte: 45, the key, a time and a number, the topic `in`.
const ENTRY: u64 = 45 + 1 + 16 + 2;

#[test]
fn a_full_cache_lets_the_row_go_that_was_not_used_for_longest_and_all_changes_with_it() {
    let mut driver = TestDriver::new(&sums(Emit::Cached)).settings(cached(2 * ENTRY)).commits(Commit::OnDemand);
    driver.input(&IN).at(1).send("a", 1).send("b", 2).send("a", 1);
    assert_eq!(driver.output(&OUT).values(), [0_i64; 0], "two entries fit");
    driver.input(&IN).at(2).send("c", 3);
    driver.commit().unwrap();
    assert_eq!(
        out(&mut driver),
        [row("b", 2, 1), row("a", 2, 1), row("c", 3, 2)],
        "b goes first, and takes the others along"
    );
}

#[test]
fn a_read_keeps_a_row_in_the_cache_and_brings_it_back() {
    let mut driver = TestDriver::new(&sums(Emit::Cached)).settings(cached(2 * ENTRY)).commits(Commit::OnDemand);
    driver.input(&IN).at(1).send("a", 1).send("b", 2);
    driver.input(&LOOK).send("a", 0);
    driver.input(&IN).at(2).send("c", 3).send("d", 4);
    driver.commit().unwrap();
    // c pushes b out, because a was read; then nothing of b is left. d pushes out a, which is told already.
    assert_eq!(out(&mut driver), [row("b", 2, 1), row("a", 1, 1), row("c", 3, 2), row("d", 4, 2)]);
    // c and d are in the cache and told. e changes; the read of a makes it an entry without a topic, which pushes out c and d.
    driver.input(&IN).at(3).send("e", 5);
    driver.input(&LOOK).send("a", 0);
    driver.input(&IN).at(3).send("e", 5).send("f", 6);
    assert_eq!(driver.output(&OUT).values(), [0_i64; 0]);
    driver.input(&LOOK).send("b", 0);
    driver.commit().unwrap();
    assert_eq!(out(&mut driver), [row("e", 10, 3), row("f", 6, 3)]);
    assert_eq!(driver.output(&SEEN).values(), [1, 1, 2]);
}

#[test]
fn headers_of_the_last_record_count_and_come_out() {
    let headers = Headers::default().with("h", "12");
    let entry = ENTRY + 3;
    for (limit, expected) in [(entry, 0), (entry - 1, 1)] {
        let mut driver = TestDriver::new(&sums(Emit::Cached)).settings(cached(limit)).commits(Commit::OnDemand);
        driver.input(&IN).at(1).headers(headers.clone()).send("a", 1);
        driver.commit().unwrap();
        let records = driver.output(&OUT).records();
        assert_eq!((records.len(), &records[0].headers), (1, &headers));
        driver.input(&IN).at(1).headers(headers.clone()).send("a", 1);
        driver.input(&IN).at(1).send("a", 1);
        driver.commit().unwrap();
        let without: Vec<bool> = driver.output(&OUT).records().iter().map(|r| r.headers.is_empty()).collect();
        assert_eq!(without.len() - 1, expected, "an entry of {entry} bytes in {limit}");
        assert_eq!(without.last(), Some(&true), "the last record's headers");
    }
}

#[test]
fn those_below_get_the_row_as_they_know_it() {
    let builder = StreamsBuilder::new();
    let sums =
        builder.stream(&IN).group_by_key().reduce_with(Materialized::store(&SUMS).emit(Emit::OnCommit), |s, v| s + v);
    // A filter wants to know whether the row passed before.
    sums.filter(|_, sum| sum % 2 == 0).to_stream().to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).commits(Commit::OnDemand);
    // 2 never comes out, so that 3 is no news; then 4 is, and then 5 is.
    for (amounts, expected) in
        [(vec![2, 1], vec![]), (vec![1], vec![Some(4)]), (vec![4, -3], vec![None]), (vec![2], vec![])]
    {
        driver.input(&IN).at(1).send_all(amounts.iter().map(|amount| ("a", *amount)));
        driver.commit().unwrap();
        assert_eq!(driver.output(&OUT).optional_values(), expected, "{amounts:?}");
    }
}

#[test]
fn tables_below_a_cached_table_come_out_with_the_same_commit() {
    let builder = StreamsBuilder::new();
    let first =
        builder.stream(&IN).group_by_key().reduce_with(Materialized::store(&SUMS).emit(Emit::OnCommit), |s, v| s + v);
    let changes = Materialized::<String, i64>::default().emit(Emit::OnCommit);
    first.to_stream().group_by_key().count_with(changes).to_stream().to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).commits(Commit::OnDemand);
    driver.input(&IN).at(1).send("a", 1).send("a", 1);
    driver.commit().unwrap();
    assert_eq!(out(&mut driver), [row("a", 1, 1)]);
}

#[test]
fn a_processor_s_cached_store_writes_its_changelog_at_the_commit() {
    let builder = StreamsBuilder::new();
    builder.add_store(StoreSpec::plain(&SUMS).emit(Emit::Cached));
    builder.stream(&IN).process(|| Delete { store: SUMS }, &[&SUMS]).to(&OUT);
    let topology = builder.build().unwrap();
    let mut driver = TestDriver::new(&topology).settings(cached(1_000)).commits(Commit::OnDemand);
    driver.input(&IN).at(1).send("a", 1).send("b", 2).send("a", 3).send("c", -1);
    assert_eq!(driver.store(&SUMS).all(), [("a".into(), 3), ("b".into(), 2)]);
    driver.commit().unwrap();
    assert_eq!(driver.output(&OUT).values(), [0, 0, 1, 0], "a processor reads what it wrote");
    let changes = driver.output(&CHANGES).records();
    let changes: Vec<_> = changes.into_iter().map(|r| (r.key.unwrap(), r.value)).collect();
    // Nobody knows whether the changelog has `c`, so its deletion is written.
    assert_eq!(changes, [("b".into(), Some(2)), ("a".into(), Some(3)), ("c".into(), None)]);
}

#[test]
fn a_processor_s_full_cache_writes_to_the_changelog_before_the_commit() {
    let builder = StreamsBuilder::new();
    builder.add_store(StoreSpec::plain(&SUMS).emit(Emit::Cached));
    builder.stream(&IN).process(|| Delete { store: SUMS }, &[&SUMS]).to(&OUT);
    let topology = builder.build().unwrap();
    let changes = |limit| {
        let mut driver = TestDriver::new(&topology).settings(cached(limit)).commits(Commit::OnDemand);
        driver.input(&IN).at(1).send("a", 1).send("a", 2).send("b", 3).send("a", 4);
        driver.commit().unwrap();
        driver.output(&CHANGES).values()
    };
    let entry = ENTRY - 8;
    assert_eq!(changes(2 * entry), [3, 4]);
    // The second entry pushes the first one out, and the third record the second; the others go with it.
    assert_eq!(changes(entry), [2, 3, 4]);
}

#[test]
fn what_a_flush_leads_to_has_the_address_of_the_record_that_changed_the_row() {
    let builder = StreamsBuilder::new();
    let kept = Materialized::store(&SUMS).emit(Emit::OnCommit);
    let sums = builder.stream(&IN).group_by_key().reduce_with(kept, |sum, v| sum + v);
    sums.to_stream()
        .try_map_values(|_, sum: &Option<i64>| sum.filter(|sum| *sum < 10).ok_or("too much"))
        .named("check")
        .to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).commits(Commit::OnDemand);
    driver.input(&IN).at(1).send("a", 10).send("b", 1);
    assert_eq!(
        driver.commit().unwrap_err().to_string(),
        "task 0_0: node `check` failed on record 0 of topic `in` partition 0: too much"
    );
}

/// Sums under 10; one that is not fails, which the handler skips.
fn small_sums(settings: TaskSettings) -> TestDriver {
    let builder = StreamsBuilder::new();
    let sums = builder.stream(&IN).group_by_key().reduce_with(&SUMS, |sum, v| sum + v);
    let small = |_: &String, sum: &Option<i64>| sum.filter(|sum| *sum < 10).ok_or("too much");
    sums.to_stream().try_map_values(small).to(&OUT);
    TestDriver::new(&builder.build().unwrap()).settings(settings).commits(Commit::OnDemand)
}

#[test]
fn a_failure_on_the_way_of_a_held_back_change_leaves_out_that_change_alone() {
    for partial_effects in [PartialEffects::Undo, PartialEffects::Keep] {
        let errors = ErrorSettings { partial_effects, ..ErrorSettings::all(ErrorHandler::skip()) };
        let mut driver = small_sums(TaskSettings { errors: errors.clone(), ..cached(2 * ENTRY) });
        // The third key pushes all out; b's failure is no fault of c, nor of a.
        driver.input(&IN).at(1).send("a", 1).send("b", 10).send("c", 2);
        driver.commit().unwrap();
        assert_eq!(out(&mut driver), [row("a", 1, 1), row("c", 2, 1)], "{partial_effects:?}");
        assert_eq!(driver.store(&SUMS).all(), [("a".into(), 1), ("b".into(), 10), ("c".into(), 2)]);
        assert_eq!(driver.output(&CHANGES).values(), [1, 10, 2], "{partial_effects:?}: rows and changelog agree");
        assert_eq!(driver.dropped()[0].total(), 1, "{partial_effects:?}");
        // At a commit it is the same.
        driver.input(&IN).at(2).send("a", 1).send("b", 1).send("a", 1);
        driver.commit().unwrap();
        assert_eq!(out(&mut driver), [row("a", 3, 2)], "{partial_effects:?}");
        assert_eq!(driver.output(&CHANGES).values(), [11, 3], "{partial_effects:?}");
        assert_eq!(driver.dropped()[0].total(), 2, "{partial_effects:?}");
    }
}

#[test]
fn a_record_that_fails_leaves_no_change_in_the_cache() {
    let builder = StreamsBuilder::new();
    let kept = Materialized::store(&SUMS).emit(Emit::OnCommit);
    let positive = |sum: i64, v: &i64| if *v > 0 { Ok(sum + v) } else { Err("not positive") };
    let sums = builder.stream(&IN).flat_map_values(|v| [*v, v - 5]).group_by_key().try_reduce_with(kept, positive);
    sums.to_stream().to(&OUT);
    let settings = TaskSettings { errors: ErrorSettings::all(ErrorHandler::skip()), ..cached(0) };
    let mut driver = TestDriver::new(&builder.build().unwrap()).settings(settings).commits(Commit::OnDemand);
    // The first half of the second record and of the third has changed a row already when the other half fails.
    driver.input(&IN).at(1).send("a", 7).send("a", 4).send("b", 8).send("a", 5);
    driver.commit().unwrap();
    assert_eq!(out(&mut driver), [row("a", 9, 1), row("b", 11, 1)]);
    assert_eq!(driver.output(&CHANGES).values(), [9, 11]);
}
