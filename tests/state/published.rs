//! What readers in other threads get is what the last commit left, and stays so while they hold it.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use proptest::prelude::*;
use tidemill::state::{Changelog, Changes, CommittedRows, Direction, KeyRange, Lagged, PublishedRows, Watcher};

use super::home::{Below, Home};
use super::rows::{Kind, Life};

type Rows = BTreeMap<String, (i64, i64)>;

/// A published store, what it should say, and what readers hold of it.
struct Published {
    life: Life,
    timestamped: bool,
    part: Arc<PublishedRows>,
    commits: u64,
    rows: Rows,
    committed: Rows,
    held: Vec<(CommittedRows, Rows)>,
    /// A watcher and the rows that it made up from what it saw.
    watching: Option<(Watcher, Rows)>,
}

impl Published {
    /// Publishes a store that has these rows, some of them written down.
    fn new(kind: Kind, below: Below, before: &[(String, i64)]) -> Published {
        let mut life = Life::new(kind, Home::new(below));
        let (mut rows, half) = (Rows::new(), before.len() / 2);
        for (place, (key, value)) in before.iter().enumerate() {
            life.command(key, &format!("put|{value}"), 7);
            rows.insert(key.clone(), (*value, if kind.timestamped { 7 } else { 0 }));
            if place == half {
                life.flush();
            }
        }
        life.commit();
        let part = life.publish();
        let (committed, timestamped) = (rows.clone(), kind.timestamped);
        Published { life, timestamped, part, commits: 0, rows, committed, held: Vec::new(), watching: None }
    }

    fn set(&mut self, key: &str, value: Option<i64>, at: i64) {
        match value {
            Some(value) => {
                self.life.command(key, &format!("put|{value}"), at);
                self.rows.insert(key.to_owned(), (value, if self.timestamped { at } else { 0 }));
            }
            None => {
                self.life.command(key, "delete", at);
                self.rows.remove(key);
            }
        }
    }

    fn commit(&mut self, flush: bool) {
        self.life.commit();
        assert_eq!(all(&self.part.rows().unwrap()), self.committed, "prepared is not committed");
        self.commits += 1;
        drop(self.part.commit(self.commits));
        self.committed = self.rows.clone();
        if flush {
            self.life.flush();
        }
        self.follow();
    }

    fn hold(&mut self) {
        self.held.push((self.part.rows().unwrap(), self.committed.clone()));
    }

    fn watch(&mut self) {
        let (rows, watcher) = self.part.watch(usize::MAX).unwrap();
        self.watching = Some((watcher, all(&rows)));
    }

    fn follow(&mut self) {
        if let Some((watcher, seen)) = &mut self.watching {
            let mut changes = Vec::new();
            watcher.take(&mut changes).unwrap();
            changes.iter().for_each(|changes| apply(seen, changes));
            assert_eq!(seen, &self.committed);
        }
    }

    fn check(&self) {
        assert_eq!(all(&self.part.rows().unwrap()), self.committed);
        for (rows, expected) in &self.held {
            assert_eq!(&all(rows), expected, "a version that somebody holds was changed");
        }
    }

    /// A page of the committed rows is that of the model's, and so is each row.
    fn check_page(&self, range: &KeyRange, direction: Direction, limit: usize) {
        let rows = self.part.rows().unwrap();
        let found: Vec<_> = rows.page(range, direction, limit).unwrap().into_iter().map(row).collect();
        let within = |key: &str| {
            let key = key.as_bytes();
            let from = match &range.from {
                Bound::Included(from) => key >= from.as_slice(),
                Bound::Excluded(from) => key > from.as_slice(),
                Bound::Unbounded => true,
            };
            from && match &range.to {
                Bound::Included(to) => key <= to.as_slice(),
                Bound::Excluded(to) => key < to.as_slice(),
                Bound::Unbounded => true,
            }
        };
        let inside = self.committed.iter().filter(|(key, _)| within(key)).map(|(key, row)| (key.clone(), *row));
        let expected: Vec<_> = match direction {
            Direction::Forward => inside.take(limit).collect(),
            Direction::Backward => inside.rev().take(limit).collect(),
        };
        assert_eq!(found, expected, "{range:?} {direction:?} {limit}");
    }

    fn check_get(&self, key: &str) {
        let mut bytes = Vec::new();
        let found = self.part.rows().unwrap().get(key.as_bytes(), &mut bytes).unwrap();
        let found = found.map(|time| (value(&bytes), time.as_millis()));
        assert_eq!(found, self.committed.get(key).copied(), "{key}");
    }
}

fn value(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(bytes.try_into().unwrap())
}

fn row(row: tidemill::state::RowBytes) -> (String, (i64, i64)) {
    (String::from_utf8(row.key).unwrap(), (value(&row.value), row.timestamp.as_millis()))
}

fn all(rows: &CommittedRows) -> Rows {
    rows.page(&KeyRange::ALL, Direction::Forward, usize::MAX).unwrap().into_iter().map(row).collect()
}

fn apply(rows: &mut Rows, changes: &Changes) {
    changes.visit(&KeyRange::ALL, |change| {
        let key = String::from_utf8(change.key.to_vec()).unwrap();
        match change.value {
            Some(bytes) => rows.insert(key, (value(bytes), change.timestamp.as_millis())),
            None => rows.remove(&key),
        };
        ControlFlow::Continue(())
    });
}

#[derive(Clone, Debug)]
enum Op {
    Set(u32, Option<i64>, i64),
    Commit { flush: bool },
    Hold,
    Watch,
    Page { from: Bound<u32>, to: Bound<u32>, back: bool, limit: usize },
}

fn key(number: u32) -> String {
    // Some as prefixes of others, and some longer than a cell has room for.
    match number % 3 {
        0 => format!("{number:x}"),
        1 => format!("{number:x}-and-more-than-sixteen-bytes"),
        _ => "k".repeat(number as usize % 7) + &number.to_string(),
    }
}

fn any_op() -> impl Strategy<Value = Op> {
    let bound = || {
        prop_oneof![
            Just(Bound::Unbounded),
            (0_u32..30).prop_map(Bound::Included),
            (0_u32..30).prop_map(Bound::Excluded)
        ]
    };
    prop_oneof![
        10 => (0_u32..30, any::<Option<i64>>(), 0_i64..99).prop_map(|(key, value, at)| Op::Set(key, value, at)),
        3 => any::<bool>().prop_map(|flush| Op::Commit { flush }),
        1 => Just(Op::Hold),
        1 => Just(Op::Watch),
        3 => (bound(), bound(), any::<bool>(), prop_oneof![Just(usize::MAX), 0_usize..5])
            .prop_map(|(from, to, back, limit)| Op::Page { from, to, back, limit }),
    ]
}

fn follow(kind: Kind, below: Below, before: &[u32], ops: &[Op]) {
    let before: Vec<(String, i64)> = before.iter().map(|number| (key(*number), i64::from(*number))).collect();
    let mut published = Published::new(kind, below, &before);
    published.check();
    for op in ops {
        match op {
            Op::Set(number, value, at) => published.set(&key(*number), *value, *at),
            Op::Commit { flush } => published.commit(*flush),
            Op::Hold => published.hold(),
            Op::Watch => published.watch(),
            Op::Page { from, to, back, limit } => {
                let bytes = |bound: &Bound<u32>| bound.map(|number| key(number).into_bytes());
                let direction = if *back { Direction::Backward } else { Direction::Forward };
                published.check_page(&KeyRange { from: bytes(from), to: bytes(to) }, direction, *limit);
            }
        }
        published.check();
    }
    (0..30).for_each(|number| published.check_get(&key(number)));
}

fn any_kind() -> impl Strategy<Value = Kind> {
    let changelog = prop::sample::select(vec![Changelog::EveryUpdate, Changelog::LastPerCommit, Changelog::Off]);
    let kind = (changelog, any::<bool>(), any::<bool>(), prop::sample::select(vec![0, 200]));
    kind.prop_map(|(changelog, timestamped, headers, cache_bytes)| Kind {
        changelog,
        timestamped,
        rows_in_memory: 2,
        skips: false,
        headers,
        cache_bytes,
    })
}

fn any_case() -> impl Strategy<Value = (Kind, Vec<u32>, Vec<Op>)> {
    (any_kind(), prop::collection::vec(0_u32..30, 0..20), prop::collection::vec(any_op(), 0..60))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn readers_of_a_store_in_memory_see_commits((kind, before, ops) in any_case()) {
        follow(kind, Below::Nothing, &before, &ops);
    }

    #[test]
    fn readers_of_a_store_over_bytes_without_snapshots_see_commits((kind, before, ops) in any_case()) {
        follow(kind, Below::Memory, &before, &ops);
    }
}

proptest! {
    // Each opens a folder.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn readers_of_a_store_on_disk_see_commits((kind, before, ops) in any_case()) {
        follow(kind, Below::Fjall, &before, &ops);
    }
}

const KIND: Kind = Kind {
    changelog: Changelog::LastPerCommit,
    timestamped: true,
    rows_in_memory: 1_000,
    skips: false,
    headers: false,
    cache_bytes: 0,
};

#[test]
fn many_rows_come_and_go() {
    let mut published = Published::new(KIND, Below::Nothing, &[]);
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    published.watch();
    for round in 0..40 {
        // At first most are added, in the end nearly all go.
        for _ in 0..1_000 {
            let (number, added) = (next(30_000), next(40) >= round);
            published.set(&format!("key {number}"), added.then(|| i64::try_from(number).unwrap()), 1);
        }
        published.commit(false);
        if round % 10 == 0 {
            published.hold();
        }
        let (from, to) = (format!("key {}", next(30_000)), format!("key {}", next(30_000)));
        let range = KeyRange { from: Bound::Included(from.into_bytes()), to: Bound::Excluded(to.into_bytes()) };
        published.check_page(&range, Direction::Forward, 300);
        published.check_page(&range, Direction::Backward, usize::MAX);
        assert_eq!(published.part.rows().unwrap().approximate_count(), published.committed.len() as u64);
        published.check_get(&format!("key {}", next(30_000)));
    }
    published.check();
    let keys: Vec<String> = published.rows.keys().cloned().collect();
    keys.iter().for_each(|key| published.set(key, None, 1));
    published.commit(false);
    assert_eq!(published.part.rows().unwrap().approximate_count(), 0);
    published.check();
}

#[test]
fn a_watcher_that_falls_too_far_behind_is_told() {
    let mut published = Published::new(KIND, Below::Nothing, &[]);
    let (_, mut slow) = published.part.watch(400).unwrap();
    let (_, mut quick) = published.part.watch(0).unwrap();
    let mut changes = Vec::new();
    for number in 0..30 {
        published.set("key", Some(number), number);
        published.commit(false);
        quick.take(&mut changes).unwrap();
    }
    assert_eq!(changes.iter().map(Changes::commit).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    assert_eq!(slow.take(&mut changes), Err(Lagged));
    assert_eq!(slow.take(&mut changes), Err(Lagged), "it does not go on with a gap");
    drop((slow, quick));
    // Whoever comes later begins anew.
    let (rows, mut later) = published.part.watch(0).unwrap();
    assert_eq!(all(&rows), published.committed);
    changes.clear();
    later.take(&mut changes).unwrap();
    assert!(changes.is_empty());
}
