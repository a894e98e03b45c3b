//! What a run must put out, and whether it did.
//!
//! Rule: a goal is reached exactly, and only when every input record has been applied.

use std::collections::HashMap;

use crate::data::{Kind, Set, below, random, word};
use crate::options::{Options, Workload};
use crate::topologies::JOIN_NEAR;

/// What the output must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// So many records.
    Count(u64),
    /// The sum of the last measure of every key: the first eight bytes of its value, or the balance in its JSON; 0 for a
    /// tombstone.
    Last(u64),
}

impl Goal {
    /// The goal of the workload whose topology runs, after so many records of the main stream.
    pub(crate) fn of(options: &Options, sets: &[Set], records: u64) -> Goal {
        match options.topology() {
            Workload::Passthrough | Workload::StreamTableJoin | Workload::Append => Goal::Count(records),
            Workload::Reduce if options.once_by_key() => Goal::Count(options.keys()),
            Workload::Reduce if options.cache > 0 => Goal::Last(last_numbers(&sets[0], records)),
            Workload::Reduce => Goal::Count(records),
            Workload::Stateless => Goal::Count(2 * (0..records).filter(|i| random(1, *i) & 3 != 0).count() as u64),
            Workload::Wordcount | Workload::HoppingWindowCount => Goal::Last(10 * records),
            Workload::StreamStreamJoin => Goal::Count(pairs(&sets[0], &sets[1], records / 2)),
            Workload::AggregateJson => Goal::Last((0..records).map(|i| sets[0].amount(i)).sum()),
            _ => Goal::Last(records),
        }
    }

    /// The number that has to be reached.
    pub(crate) fn target(self) -> u64 {
        match self {
            Goal::Count(target) | Goal::Last(target) => target,
        }
    }

    /// As the line says it.
    pub(crate) fn name(self) -> String {
        match self {
            Goal::Count(target) => format!("count:{target}"),
            Goal::Last(target) => format!("last:{target}"),
        }
    }
}

/// How many records of two sides, the first so many of each, have one key and are near enough.
fn pairs(left: &Set, right: &Set, of_each: u64) -> u64 {
    let near = i64::try_from(JOIN_NEAR.as_millis()).expect("a second has few milliseconds");
    let mut times: HashMap<u64, Vec<i64>> = HashMap::new();
    (0..of_each).for_each(|i| times.entry(left.key_number(i)).or_default().push(left.time(i)));
    let meets = |i: u64| {
        let (time, times) = (right.time(i), times.get(&right.key_number(i)).map_or(&[][..], Vec::as_slice));
        times.partition_point(|left| *left <= time + near) - times.partition_point(|left| *left < time - near)
    };
    (0..of_each).map(|i| meets(i) as u64).sum()
}

/// The sum of the last record numbers of all keys.
fn last_numbers(set: &Set, records: u64) -> u64 {
    assert!(matches!(set.kind, Kind::KeyValue { seed: 1 }), "the reduction reads the main set");
    let last: HashMap<u64, u64> = (0..records).map(|i| (below(random(1, i), set.keys), i)).collect();
    last.values().sum()
}

/// Takes the output, record by record.
pub(crate) struct Check {
    counts: bool,
    is_json: bool,
    is_joined: bool,
    last: HashMap<Box<[u8]>, i64>,
    pub(crate) outputs: u64,
    /// Stream records that found no row of the table.
    pub(crate) misses: u64,
    reached: i64,
}

impl Check {
    pub(crate) fn new(options: &Options) -> Self {
        let (topology, is_count) =
            (options.topology(), matches!(Goal::of(options, &options.sets(), 0), Goal::Count(_)));
        Check {
            counts: is_count,
            is_json: topology == Workload::AggregateJson,
            is_joined: topology == Workload::StreamTableJoin,
            last: HashMap::new(),
            outputs: 0,
            misses: 0,
            reached: 0,
        }
    }

    pub(crate) fn take(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), serde_json::Error> {
        self.outputs += 1;
        if self.counts {
            self.reached += 1;
            self.misses += u64::from(self.is_joined && value.is_some_and(|value| word(value, 8) == -1));
            return Ok(());
        }
        let measure = match value {
            None => 0,
            Some(value) if self.is_json => balance(value)?,
            Some(value) => word(value, 0),
        };
        let before = match self.last.get_mut(key) {
            Some(last) => std::mem::replace(last, measure),
            None => self.last.insert(key.into(), measure).unwrap_or(0),
        };
        self.reached += measure - before;
        Ok(())
    }

    /// How far the goal was reached.
    pub(crate) fn reached(&self) -> i64 {
        self.reached
    }

    /// Whether the output is not what it must be.
    pub(crate) fn is_wrong(&self, goal: Goal) -> bool {
        u64::try_from(self.reached) != Ok(goal.target()) || self.misses > 0
    }
}

fn balance(json: &[u8]) -> Result<i64, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Balance {
        balance: i64,
    }
    Ok(serde_json::from_slice::<Balance>(json)?.balance)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn options(workload: &str) -> Options {
        Options::try_parse_from(["tidemill-bench", "--records", "3", "--workload", workload]).unwrap()
    }

    /// What is reached, and whether that is wrong after three records.
    fn check(workload: &str, outputs: &[(&str, Option<i64>)]) -> (i64, bool) {
        let options = options(workload);
        let mut check = Check::new(&options);
        for (key, value) in outputs {
            let value = value.map(|value| crate::data::words(value, -1));
            check.take(key.as_bytes(), value.as_deref()).unwrap();
        }
        (check.reached(), check.is_wrong(Goal::of(&options, &options.sets(), 3)))
    }

    #[test]
    fn the_last_values_of_all_keys_are_summed() {
        assert_eq!(check("count", &[("a", Some(1)), ("b", Some(1)), ("a", Some(2))]), (3, false));
        assert_eq!(check("count", &[("a", Some(1)), ("a", Some(2))]), (2, true));
        assert_eq!(check("session_count", &[("a1", Some(1)), ("a1", None), ("a2", Some(3))]), (3, false));
    }

    #[test]
    fn one_output_too_many_is_wrong() {
        let outputs = [("a", Some(1)); 4];
        assert_eq!([2, 3, 4].map(|count| check("passthrough", &outputs[..count]).1), [true, false, true]);
    }

    #[test]
    fn pairs_are_those_of_one_key_that_are_near_enough() {
        let set =
            |seed, rate| Set { topic: "in", kind: Kind::KeyValue { seed }, size: 40, keys: 3, value_bytes: 16, rate };
        let (left, right) = (set(1, 10), set(6, 10));
        let near =
            |l: u64, r: u64| left.key_number(l) == right.key_number(r) && left.time(l).abs_diff(right.time(r)) <= 1_000;
        let all = (0..40).flat_map(|l| (0..40).map(move |r| (l, r))).filter(|(l, r)| near(*l, *r)).count();
        assert!(all > 100);
        assert_eq!(pairs(&left, &right, 40), all as u64);
    }

    #[test]
    fn a_row_that_was_not_found_is_wrong() {
        assert_eq!(check("stream_table_join", &[("a", Some(1)); 3]), (3, true));
    }
}
