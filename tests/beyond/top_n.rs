//! `top_n`: what the list has, when it comes out, and who wins between equals.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proptest::prelude::*;
use tidemill::Topic;
use tidemill::processor::{ErrorHandler, ErrorSettings};
use tidemill::state::Store;
use tidemill::stream::{ListChange, Naming, StreamsBuilder};
use tidemill::topology::Topology;
use tidemill_testkit::TestDriver;

use crate::support::{IN, OUT, Sent, assert_copies_go_on, assert_restarts_do_not_show};

const BEST: Store<String, Vec<i64>> = Store::of("best");
const LISTS: Topic<String, Vec<i64>> = Topic::of("lists");

/// What decides: the last digit, the greatest first; of equal ones the smallest number.
fn rank(value: &i64) -> (i64, Reverse<i64>) {
    (value % 10, Reverse(*value))
}

/// The best two of all rows whose keys begin alike.
fn of_table(describe: impl FnOnce(tidemill::stream::Table<'_, String, Vec<i64>>)) -> Topology {
    let builder = StreamsBuilder::new().naming(Naming::Explicit);
    let groups = builder.table_with(&IN, &Store::of("rows")).group_by(|key, value| (key[..1].to_owned(), *value));
    describe(groups.named("by-letter").top_n_with(&BEST, 2, rank));
    builder.build().unwrap()
}

fn to_lists() -> Topology {
    of_table(|best| {
        best.to_stream().to(&LISTS);
    })
}

fn to_changes() -> Topology {
    of_table(|best| {
        let told = |change: &ListChange<i64>| match change {
            ListChange::Left(value) => -value,
            ListChange::Entered(value) => *value,
        };
        best.list_changes().map_values(told).to(&OUT);
    })
}

fn lists(driver: &mut TestDriver) -> Vec<Option<Vec<i64>>> {
    driver.output(&LISTS).optional_values()
}

/// How many entries are kept besides the lists, as their changelog says.
fn entries(driver: &mut TestDriver) -> usize {
    let mut kept = BTreeMap::new();
    for record in driver.take_raw("test-best-entries-changelog") {
        kept.insert(record.key, record.value.is_some());
    }
    kept.into_values().filter(|kept| *kept).count()
}

#[test]
fn a_row_that_falls_back_or_goes_lets_the_next_one_in() {
    let mut driver = TestDriver::new(&to_lists());
    driver.input(&IN).send("a1", 15).send("a2", 17).send("a3", 14).send("a4", 13);
    assert_eq!(lists(&mut driver), [Some(vec![15]), Some(vec![17, 15])], "14 and 13 are no news");
    driver.input(&IN).send("a2", 12);
    assert_eq!(lists(&mut driver), [Some(vec![15, 14])], "one change, not one without 17 and one with 12");
    driver.input(&IN).send_null("a1").send("a3", 19);
    assert_eq!(lists(&mut driver), [Some(vec![14, 13]), Some(vec![19, 13])]);
    driver.input(&IN).send_null("a4").send_null("a3").send_null("a2");
    assert_eq!(lists(&mut driver), [Some(vec![19, 12]), Some(vec![12]), None], "a group without rows has none");
    assert_eq!(entries(&mut driver), 0);
}

#[test]
fn equals_stand_in_the_order_of_the_rank_then_of_their_bytes_whoever_came_first() {
    let mut orders = Vec::new();
    for values in [[25, 15, 35], [35, 25, 15], [15, 35, 25]] {
        let mut driver = TestDriver::new(&to_lists());
        for (key, value) in ["a1", "a2", "a3"].into_iter().zip(values) {
            driver.input(&IN).send(key, value);
        }
        orders.push(lists(&mut driver).pop().unwrap());
    }
    assert_eq!(orders, vec![Some(vec![15, 25]); 3]);

    // The rank alone leaves them equal: then 256 stands before 1 x 2^16, by its bytes.
    let builder = StreamsBuilder::new();
    builder.stream(&IN).group_by_key().top_n(2, |_| 0).to_stream().to(&LISTS);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    driver.input(&IN).send("a", 65_536).send("a", 256);
    assert_eq!(lists(&mut driver).pop(), Some(Some(vec![256, 65_536])));
}

#[test]
fn rows_that_are_alike_count_each() {
    let mut driver = TestDriver::new(&to_lists());
    driver.input(&IN).send("a1", 15).send("a2", 15).send("a3", 15);
    assert_eq!(lists(&mut driver), [Some(vec![15]), Some(vec![15, 15])]);
    driver.input(&IN).send_null("a1");
    assert_eq!(lists(&mut driver), [], "there are still two");
    driver.input(&IN).send_null("a2");
    assert_eq!(lists(&mut driver), [Some(vec![15])]);
}

#[test]
fn groups_do_not_meet_even_if_one_begins_as_the_other() {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).group_by_key().top_n_with(&BEST, 2, rank);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    driver.input(&IN).send("a", 1).send("", 2).send("ab", 3).send("a", 4);
    assert_eq!(driver.store(&BEST).get("a"), Some(vec![4, 1]));
    assert_eq!((driver.store(&BEST).get(""), driver.store(&BEST).get("ab")), (Some(vec![2]), Some(vec![3])));
}

#[test]
fn a_stream_forgets_what_falls_behind() {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).group_by_key().top_n_with(&BEST, 2, rank).to_stream().to(&LISTS);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    for value in 1..100 {
        driver.input(&IN).at(100 - value).send("a", value);
    }
    assert_eq!(driver.store(&BEST).get("a"), Some(vec![9, 19]));
    assert_eq!(entries(&mut driver), 2);
    let records = driver.output(&LISTS).records();
    assert_eq!(records.len(), 10, "1 .. 9 and 19; the others change nothing");
    assert!(records.iter().all(|record| record.timestamp.as_millis() == 99), "the greatest time");
}

#[test]
fn changes_tell_of_each_entry_that_came_or_left() {
    let mut driver = TestDriver::new(&to_changes());
    driver.input(&IN).send("a1", 15).send("a2", 17).send("a3", 18).send("a3", 12).send_null("a1").send("b1", 11);
    let changes = driver.output(&OUT).key_values();
    let expected =
        [("a", 15), ("a", 17), ("a", -15), ("a", 18), ("a", -18), ("a", 15), ("a", -15), ("a", 12), ("b", 11)];
    assert_eq!(changes, expected.map(|(key, value)| (key.to_owned(), value)));
}

#[test]
fn a_record_that_fails_below_is_not_in_the_ranking() {
    let builder = StreamsBuilder::new();
    let best = builder.stream(&IN).group_by_key().top_n_with(&BEST, 2, rank);
    best.to_stream()
        .try_map_values(|_, list| match list {
            Some(list) if list.contains(&99) => Err("99"),
            list => Ok(list.clone().unwrap_or_default()),
        })
        .to(&LISTS);
    let mut driver = TestDriver::new(&builder.build().unwrap()).errors(ErrorSettings::all(ErrorHandler::skip()));
    driver.input(&IN).send("a", 1).send("a", 2).send("a", 99).send("a", 3);
    assert_eq!(driver.output(&LISTS).values(), [vec![1], vec![2, 1], vec![3, 2]]);
    assert_eq!(entries(&mut driver), 2);
}

#[test]
fn no_entries_are_a_fault() {
    let builder = StreamsBuilder::new();
    let _ = builder.stream(&IN).group_by_key().top_n(0, rank).named("none");
    let faults = builder.build().unwrap_err().to_string();
    assert!(faults.contains("node `none` cannot work: it is to keep the first 0 entries"), "{faults}");
}

const ROWS: [Sent; 8] = [
    (9, "a1", 15),
    (5, "a2", 17),
    (7, "b1", 3),
    (8, "a3", 18),
    (2, "a2", 12),
    (3, "a3", 11),
    (1, "b2", 4),
    (4, "a1", 1),
];

#[test]
fn a_copy_goes_on_as_the_original() {
    assert_copies_go_on(&to_changes(), &ROWS);
}

#[tokio::test]
async fn a_restart_loses_no_entry() {
    let expected = [
        ("a", 15),
        ("a", 17),
        ("b", 3),
        ("a", -15),
        ("a", 18),
        ("a", -17),
        ("a", 15),
        ("a", -18),
        ("a", 12),
        ("b", 4),
        ("a", -15),
        ("a", 1),
    ];
    // The groups' records go through a topic, and the two groups into one partition of it.
    assert_restarts_do_not_show(&to_changes(), &ROWS, &expected).await;
}

/// A value, or a deletion, of a row of a group.
fn any_change() -> impl Strategy<Value = (&'static str, Option<i64>)> {
    (prop::sample::select(vec!["a1", "a2", "a3", "a4", "b1", "b2"]), prop::option::weighted(0.8, 0_i64..40))
}

proptest! {
    #[test]
    fn the_list_is_what_sorting_all_rows_gives(changes in prop::collection::vec(any_change(), 0..60)) {
        let mut driver = TestDriver::new(&to_lists()).partitions("in", 3);
        let mut rows = BTreeMap::new();
        let mut told = BTreeMap::new();
        for (key, value) in changes {
            match value {
                Some(value) => {
                    driver.input(&IN).send(key, value);
                    rows.insert(key, value);
                }
                None => {
                    driver.input(&IN).send_null(key);
                    rows.remove(key);
                }
            }
            let of_group = rows.iter().filter(|(row, _)| row[..1] == key[..1]).map(|(_, value)| *value);
            let mut best: Vec<i64> = of_group.collect();
            best.sort_by_key(|value| Reverse(rank(value)));
            best.truncate(2);
            let before = told.insert(key[..1].to_owned(), best.clone()).unwrap_or_default();
            let expected = if before == best { vec![] } else { vec![(!best.is_empty()).then_some(best)] };
            prop_assert_eq!(lists(&mut driver), expected);
        }
    }
}
