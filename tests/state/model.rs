//! Random operations on a store and on a map, side by side.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidemill::state::Changelog;

use super::home::{Below, Home};
use super::rows::{Kind, Life, Row};

/// Prefixes of each other, longer than a cell has room for, and more than ASCII.
const KEYS: [&str; 9] = ["", "a", "aa", "ab", "abc", "b", "b-and-more-than-sixteen-bytes", "\u{7f}", "\u{e9}"];

#[derive(Clone, Debug)]
enum Op {
    Put(&'static str, i64, i64),
    Delete(&'static str, i64),
    /// Puts, or deletes where there is no value, and fails.
    Fail(Vec<(&'static str, Option<i64>)>, i64),
    Get(&'static str),
    Look(&'static str),
    Walk {
        what: &'static str,
        from: &'static str,
        to: &'static str,
        back: bool,
        limit: usize,
    },
    Commit,
    Flush,
    Reopen,
    Copy,
}

/// The rows as they are now, as the last commit had them, and as they were last written down.
#[derive(Default)]
struct Model {
    rows: BTreeMap<String, (i64, i64)>,
    committed: BTreeMap<String, (i64, i64)>,
    flushed: BTreeMap<String, (i64, i64)>,
}

fn rows(map: &BTreeMap<String, (i64, i64)>) -> Vec<Row> {
    map.iter().map(|(key, (value, time))| (key.clone(), *value, *time)).collect()
}

impl Model {
    fn walk(&self, what: &str, from: &str, to: &str, back: bool, limit: usize) -> String {
        let inside = |key: &str| match what {
            "range" => from <= key && key <= to,
            "from" => from <= key,
            "to" => key <= from,
            "prefix" => key.starts_with(from),
            _ => true,
        };
        let mut seen: Vec<(&String, i64)> =
            self.rows.iter().filter(|(key, _)| inside(key)).map(|(key, row)| (key, row.0)).collect();
        if back {
            seen.reverse();
        }
        seen.truncate(limit);
        format!("{seen:?}")
    }

    fn commit(&mut self) {
        self.committed = self.rows.clone();
    }
}

/// A store and its model.
struct Pair {
    kind: Kind,
    below: Below,
    life: Life,
    model: Model,
}

impl Pair {
    fn new(kind: Kind, below: Below) -> Pair {
        Pair { kind, below, life: Life::new(kind, Home::new(below)), model: Model::default() }
    }

    fn time(&self, at: i64) -> i64 {
        if self.kind.timestamped { at } else { 0 }
    }

    /// Does both and compares what they say.
    fn apply(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match *op {
            Op::Put(key, value, at) => {
                self.life.command(key, &format!("put|{value}"), at);
                let time = self.time(at);
                self.model.rows.insert(key.to_owned(), (value, time));
            }
            Op::Delete(key, at) => {
                let expected = self.model.rows.remove(key).map(|(value, _)| value);
                prop_assert_eq!(self.life.command(key, "delete", at), format!("{expected:?}"));
            }
            Op::Fail(ref steps, at) => {
                let value = |value: &Option<i64>| value.map_or_else(String::new, |value| value.to_string());
                let steps: Vec<String> = steps.iter().map(|(key, new)| format!("{key}={}", value(new))).collect();
                if self.kind.skips {
                    self.life.fail(&steps.join(","), at);
                }
            }
            Op::Get(key) => {
                prop_assert_eq!(self.life.command(key, "get", 0), format!("{:?}", self.model.rows.get(key)))
            }
            Op::Look(key) => prop_assert_eq!(self.life.look(key), self.model.rows.get(key).copied()),
            Op::Walk { what, from, to, back, limit } => {
                let command = format!("{what}|{to}|{}|{limit}", if back { "back" } else { "forward" });
                prop_assert_eq!(self.life.command(from, &command, 0), self.model.walk(what, from, to, back, limit));
            }
            Op::Commit => {
                self.life.commit();
                self.model.commit();
            }
            Op::Flush => {
                self.life.flush();
                self.model.commit();
                self.model.flushed = self.model.rows.clone();
            }
            Op::Reopen => {
                self.life.reopen();
                self.model.rows = match (self.kind.changelog, self.below) {
                    (Changelog::Off, Below::Nothing) => BTreeMap::new(),
                    (Changelog::Off, _) => self.model.flushed.clone(),
                    _ => self.model.committed.clone(),
                };
            }
            Op::Copy => {
                self.life.copy(Home::new(self.below));
                // The other bytes have nothing yet.
                self.model.flushed.clear();
            }
        }
        Ok(())
    }

    fn check(kind: Kind, below: Below, ops: &[Op]) -> Result<(), TestCaseError> {
        let mut pair = Pair::new(kind, below);
        for op in ops {
            pair.apply(op)?;
        }
        prop_assert_eq!(pair.life.rows(), rows(&pair.model.rows));
        KEYS.iter().try_for_each(|key| pair.apply(&Op::Get(key)))?;
        pair.apply(&Op::Commit)?;
        if kind.changelog == Changelog::Off {
            prop_assert_eq!(pair.life.changelog_records(), 0);
        } else {
            // The changelog tells the same story.
            prop_assert_eq!(pair.life.replayed(), rows(&pair.model.rows));
        }
        pair.apply(&Op::Reopen)?;
        prop_assert_eq!(pair.life.rows(), rows(&pair.model.rows));
        KEYS.iter().try_for_each(|key| pair.apply(&Op::Get(key)))
    }
}

fn any_op() -> impl Strategy<Value = Op> {
    let key = || prop::sample::select(KEYS.to_vec());
    let walk = (
        prop::sample::select(vec!["range", "from", "to", "prefix", "all"]),
        key(),
        key(),
        any::<bool>(),
        prop_oneof![Just(100_usize), 1_usize..4],
    );
    let steps = prop::collection::vec((key(), prop::option::of(0_i64..100)), 1..6);
    prop_oneof![
        8 => (key(), 0_i64..100, 0_i64..1_000).prop_map(|(key, value, at)| Op::Put(key, value, at)),
        4 => (key(), 0_i64..1_000).prop_map(|(key, at)| Op::Delete(key, at)),
        3 => (steps, 0_i64..1_000).prop_map(|(steps, at)| Op::Fail(steps, at)),
        4 => key().prop_map(Op::Get),
        1 => key().prop_map(Op::Look),
        4 => walk.prop_map(|(what, from, to, back, limit)| Op::Walk { what, from, to, back, limit }),
        2 => Just(Op::Commit),
        2 => Just(Op::Flush),
        1 => Just(Op::Reopen),
        1 => Just(Op::Copy),
    ]
}

fn any_kind() -> impl Strategy<Value = Kind> {
    let changelog = prop::sample::select(vec![Changelog::EveryUpdate, Changelog::LastPerCommit, Changelog::Off]);
    let rows_in_memory = prop::sample::select(vec![0, 2, 100_000]);
    // No cache, one for two or three rows, and one for all.
    let cache_bytes = prop::sample::select(vec![0, 200, 1_000_000]);
    let kind = (changelog, any::<bool>(), rows_in_memory, any::<bool>(), any::<bool>(), cache_bytes);
    kind.prop_map(|(changelog, timestamped, rows_in_memory, skips, headers, cache_bytes)| Kind {
        changelog,
        timestamped,
        rows_in_memory,
        skips,
        headers,
        cache_bytes,
    })
}

fn any_ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(any_op(), 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_store_in_memory_is_a_map(kind in any_kind(), ops in any_ops()) {
        Pair::check(kind, Below::Nothing, &ops)?;
    }

    #[test]
    fn a_store_over_a_map_is_a_map(kind in any_kind(), ops in any_ops()) {
        Pair::check(kind, Below::Memory, &ops)?;
    }
}

proptest! {
    // Each opens a folder several times.
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_store_on_disk_is_a_map(kind in any_kind(), ops in any_ops()) {
        Pair::check(kind, Below::Fjall, &ops)?;
    }
}

fn kind(changelog: Changelog, rows_in_memory: usize) -> Kind {
    Kind { changelog, timestamped: true, rows_in_memory, skips: false, headers: false, cache_bytes: 0 }
}

#[test]
fn rows_that_left_memory_are_read_from_below() {
    for below in [Below::Memory, Below::Fjall] {
        let mut pair = Pair::new(kind(Changelog::LastPerCommit, 10), below);
        let keys: Vec<String> = (0..200).map(|number| format!("key {number:03}")).collect();
        for (number, key) in (0_i64..).zip(&keys) {
            pair.life.command(key, &format!("put|{number}"), number);
            if number % 20 == 19 {
                // Each flush lets go what was not used since the one before.
                pair.life.flush();
            }
        }
        pair.life.flush();
        pair.life.flush();
        for (number, key) in (0_i64..).zip(&keys) {
            assert_eq!(pair.life.command(key, "get", 0), format!("Some(({number}, {number}))"));
        }
        // A change above hides the row below, a deletion too.
        assert_eq!(pair.life.command(&keys[7], "delete", 500), "Some(7)");
        pair.life.command(&keys[8], "put|-8", 500);
        let window = format!("range|{}|forward|9", keys[10]);
        let seen = "[(\"key 006\", 6), (\"key 008\", -8), (\"key 009\", 9), (\"key 010\", 10)]";
        assert_eq!(pair.life.command(&keys[6], &window, 0), seen);
        assert_eq!(pair.life.rows().len(), 199);
        pair.life.commit();
        assert_eq!(pair.life.replayed(), pair.life.rows());
    }
}

#[test]
fn the_changelog_has_every_update_or_the_last_of_each_row() {
    for (changelog, records) in [(Changelog::EveryUpdate, 6), (Changelog::LastPerCommit, 3), (Changelog::Off, 0)] {
        let mut life = Life::new(kind(changelog, 10), Home::new(Below::Nothing));
        for (key, command) in [("a", "put|1"), ("b", "put|1"), ("a", "put|2"), ("c", "put|1"), ("b", "delete")] {
            life.command(key, command, 1);
        }
        life.command("a", "put|3", 2);
        life.commit();
        assert_eq!(life.changelog_records(), records, "{changelog:?}");
        life.commit();
        assert_eq!(life.changelog_records(), records, "{changelog:?}: a commit without changes owes nothing");
        let expected = [("a".to_owned(), 3, 2), ("c".to_owned(), 1, 1)];
        assert_eq!(life.rows(), expected);
        let replayed = life.replayed();
        assert_eq!(replayed, if changelog == Changelog::Off { &[][..] } else { &expected });
    }
}

#[test]
fn a_row_that_was_only_looked_for_leaves_nothing() {
    let mut life = Life::new(kind(Changelog::LastPerCommit, 10), Home::new(Below::Memory));
    assert_eq!(life.look("nobody"), None);
    assert_eq!(life.rows(), []);
    life.flush();
    assert_eq!(life.changelog_records(), 0);
    assert_eq!(life.rows(), []);
}
