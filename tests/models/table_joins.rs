//! Joins with tables: of a stream, as it is now or as it was, of two tables, and by a foreign key.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidemill::Topic;
use tidemill::state::VersionedStore;
use tidemill::stream::{Joined, StreamsBuilder, Table};

use crate::input::{Key, LEFT, Sent, came, driver, records, send};

/// The same topics, of tables.
const LEFT_ROWS: Topic<String, i64> = Topic::of("left");
const RIGHT_ROWS: Topic<String, i64> = Topic::of("right");
const OUT: Topic<Key, String> = Topic::of("out");
const CHANGES: Topic<String, Option<String>> = Topic::of("out");
/// Kept longer than any input reaches back.
const VERSIONS: VersionedStore<String, i64> = VersionedStore::of("versions", Duration::from_secs(10_000));

fn text(value: Option<&i64>) -> String {
    value.map_or("-".to_owned(), ToString::to_string)
}

/// The rows of both sides, each with its time.
#[derive(Default)]
struct Rows {
    left: BTreeMap<String, (i64, i64)>,
    right: BTreeMap<String, (i64, i64)>,
}

impl Rows {
    fn change(&mut self, sent: &Sent) {
        let Some(key) = sent.key.clone() else { return };
        let side = if sent.to_left { &mut self.left } else { &mut self.right };
        match sent.value {
            Some(value) => side.insert(key, (value, sent.time)),
            None => side.remove(&key),
        };
    }
}

/// What a stream record comes out with, given the row that it meets.
fn joined(sent: &Sent, row: Option<i64>, left_join: bool) -> Option<(Key, Option<String>, i64)> {
    let value = sent.value?;
    let out = row.is_some() || left_join;
    out.then(|| (sent.key.clone(), Some(format!("{value} {}", text(row.as_ref()))), sent.time))
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Inner,
    Left,
    Outer,
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![Kind::Inner, Kind::Left, Kind::Outer])
}

fn tables(b: &StreamsBuilder, kind: Kind) {
    let (left, right) = (b.table(&LEFT_ROWS), b.table(&RIGHT_ROWS));
    let joined: Table<'_, String, String> = match kind {
        Kind::Inner => left.join(&right, |l, r| format!("{l} {r}")),
        Kind::Left => left.left_join(&right, |l, r| format!("{l} {}", text(r))),
        Kind::Outer => left.outer_join(&right, |l, r| format!("{} {}", text(l), text(r))),
    };
    joined.to_stream().to(&CHANGES);
}

impl Kind {
    /// The result of two rows, if there is one.
    fn result(self, left: Option<i64>, right: Option<i64>) -> Option<String> {
        let there = match self {
            Kind::Inner => left.is_some() && right.is_some(),
            Kind::Left => left.is_some(),
            Kind::Outer => left.is_some() || right.is_some(),
        };
        there.then(|| format!("{} {}", text(left.as_ref()), text(right.as_ref())))
    }

    /// Whether a change of one side is passed over: the other side has to have a row and has none, or, where it need not,
    /// nothing was there before nor is now.
    fn is_silent(self, of_left: bool, was: bool, is: bool, other: bool) -> bool {
        let needs_other = match self {
            Kind::Inner => true,
            Kind::Left => !of_left,
            Kind::Outer => false,
        };
        !other && (needs_other || (!was && !is))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_stream_meets_the_row_of_the_moment(left_join: bool, sent in records(60, 100)) {
        let mut driver = driver(|b| {
            let (stream, table) = (b.stream(&LEFT), b.table(&RIGHT_ROWS));
            match left_join {
                true => stream.left_join(&table, |l, r| format!("{l} {}", text(r))).to(&OUT),
                false => stream.join(&table, |l, r| format!("{l} {r}")).to(&OUT),
            };
        });
        let mut rows = Rows::default();
        for sent in &sent {
            send(&mut driver, sent);
            let row = sent.key.as_ref().and_then(|key| rows.right.get(key)).map(|(value, _)| *value);
            let expected = sent.to_left.then(|| joined(sent, row, left_join)).flatten();
            prop_assert_eq!(came(&mut driver, &OUT), Vec::from_iter(expected), "{:?}", sent);
            rows.change(sent);
        }
    }

    #[test]
    fn with_a_grace_period_a_stream_meets_the_row_of_its_time(left_join: bool, grace in 0..120_i64, sent in records(60, 150)) {
        let mut driver = driver(|b| {
            let (stream, table) = (b.stream(&LEFT), b.table_with(&RIGHT_ROWS, &VERSIONS));
            let waits = Joined::grace(Duration::from_millis(grace.unsigned_abs()));
            match left_join {
                true => stream.left_join_with(&table, waits, |l, r| format!("{l} {}", text(r))).to(&OUT),
                false => stream.join_with(&table, waits, |l, r| format!("{l} {r}")).to(&OUT),
            };
        });
        // A left join that waits fails on a record without key.
        let sent: Vec<Sent> = sent.into_iter().filter(|sent| sent.key.is_some()).collect();
        let mut versions: Vec<Sent> = Vec::new();
        let (mut waiting, mut last) = (Vec::<Sent>::new(), 0);
        for sent in &sent {
            send(&mut driver, sent);
            let as_of = |versions: &[Sent], one: &Sent| {
                let of_key = versions.iter().filter(|row| row.key == one.key && row.time <= one.time);
                // Of equal times the one that came last.
                of_key.max_by_key(|row| row.time).and_then(|row| row.value)
            };
            let mut out = Vec::new();
            if !sent.to_left {
                versions.push(sent.clone());
            } else if sent.value.is_some() {
                if sent.time < last - grace {
                    out.push(sent.clone());
                } else {
                    waiting.push(sent.clone());
                    last = last.max(sent.time);
                    waiting.sort_by_key(|one| (one.time, one.key.clone()));
                    let closed = waiting.iter().take_while(|one| one.time <= last - grace).count();
                    out.extend(waiting.drain(..closed));
                }
            }
            let expected: Vec<_> = out.iter().filter_map(|one| joined(one, as_of(&versions, one), left_join)).collect();
            prop_assert_eq!(came(&mut driver, &OUT), expected, "{:?}", sent);
        }
    }

    #[test]
    fn two_tables_have_the_results_of_the_rows_that_they_have(kind in any_kind(), sent in records(60, 100)) {
        let mut driver = driver(|b| tables(b, kind));
        let mut rows = Rows::default();
        for sent in &sent {
            let Some(key) = sent.key.clone() else {
                send(&mut driver, sent);
                prop_assert_eq!(came(&mut driver, &CHANGES), vec![]);
                continue;
            };
            let row = |rows: &Rows, of_left: bool| if of_left { &rows.left } else { &rows.right }.get(&key).copied();
            let (was, other) = (row(&rows, sent.to_left), row(&rows, !sent.to_left));
            rows.change(sent);
            send(&mut driver, sent);
            let silent = kind.is_silent(sent.to_left, was.is_some(), sent.value.is_some(), other.is_some());
            let value = |row: Option<(i64, i64)>| row.map(|(value, _)| value);
            let (left, right) = (value(row(&rows, true)), value(row(&rows, false)));
            let time = other.map_or(sent.time, |(_, time)| time.max(sent.time));
            let expected = (!silent).then(|| (Some(key.clone()), kind.result(left, right), time));
            prop_assert_eq!(came(&mut driver, &CHANGES), Vec::from_iter(expected), "{:?}", sent);
        }
    }

    #[test]
    fn a_foreign_key_leads_to_the_row_of_the_other_table(left_join: bool, sent in records(60, 100)) {
        // A row of the left table points to the right one's key that its value chooses, or to none.
        fn points_to(value: i64) -> Option<String> {
            ["a", "b", "cc"].get(usize::try_from(value % 4).unwrap()).map(|key| (*key).to_owned())
        }
        let mut driver = driver(|b| {
            let (left, right) = (b.table(&LEFT_ROWS), b.table(&RIGHT_ROWS));
            let joined = match left_join {
                true => left.left_join_on(&right, |_, value| points_to(*value), |l, r| format!("{l} {}", text(r))),
                false => left.join_on(&right, |_, value| points_to(*value), |l, r| format!("{l} {r}")),
            };
            joined.to_stream().to(&CHANGES);
        });
        let (mut rows, mut results) = (Rows::default(), BTreeMap::new());
        for sent in &sent {
            rows.change(sent);
            send(&mut driver, sent);
            for (key, result, _) in came(&mut driver, &CHANGES) {
                let key = key.unwrap();
                match result {
                    Some(result) => results.insert(key, result),
                    None => results.remove(&key),
                };
            }
            let pointed = |value: i64| points_to(value).and_then(|key| rows.right.get(&key)).map(|(value, _)| *value);
            let result = |value: i64| match (pointed(value), left_join) {
                (None, false) => None,
                (right, _) => Some(format!("{value} {}", text(right.as_ref()))),
            };
            let expected: BTreeMap<_, _> =
                rows.left.iter().filter_map(|(key, (value, _))| Some((key.clone(), result(*value)?))).collect();
            prop_assert_eq!(&results, &expected, "{:?}", sent);
        }
    }
}
