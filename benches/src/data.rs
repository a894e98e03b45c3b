//! The input, made from nothing but positions, so that any record can be made without those before it.
//!
//! Rule: the bytes are those of the benchmark of Kafka Streams that this one is compared with, bit for bit.

use std::borrow::Cow;

/// The time of the first record, in milliseconds.
pub(crate) const FIRST_TIME: i64 = 1_700_000_000_000;
/// How much earlier the rows of a joined table are.
const TABLE_AHEAD: i64 = 1_000_000_000;
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
const WORDS: u64 = 10;

/// The finish of splitmix64.
pub(crate) fn mix64(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Output `i`, from 0, of splitmix64 with this seed.
pub(crate) fn random(seed: u64, i: u64) -> u64 {
    mix64(seed.wrapping_add((i + 1).wrapping_mul(GAMMA)))
}

/// A random word brought below `n`.
pub(crate) fn below(random: u64, n: u64) -> u64 {
    (random >> 1) % n
}

/// The eight bytes at `at`, big-endian.
pub(crate) fn word(bytes: &[u8], at: usize) -> i64 {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    i64::from_be_bytes(*word.expect("values of a benchmark have at least 16 bytes"))
}

/// Two words as bytes.
pub(crate) fn words(first: i64, second: i64) -> Vec<u8> {
    [first.to_be_bytes(), second.to_be_bytes()].concat()
}

/// Appends a value of `bytes` bytes: two words, then words made of the second.
pub(crate) fn blob(first: u64, second: u64, bytes: usize, out: &mut Vec<u8>) {
    let end = out.len() + bytes;
    out.extend(first.to_be_bytes());
    out.extend(second.to_be_bytes());
    let mut number = 2;
    while out.len() < end {
        out.extend(mix64(second.wrapping_add(number)).to_be_bytes());
        number += 1;
    }
    out.truncate(end);
}

/// What a set of records holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Random keys; the seed tells sets apart.
    KeyValue { seed: u64 },
    /// Each key once, in order, some milliseconds before the others.
    Sequence { seed: u64, before: i64 },
    /// Lines of ten words.
    Text,
    /// Amounts by account, as JSON.
    Json,
    /// Rows with a foreign key that changes every four versions.
    ForeignKeyed,
    /// Amounts by account, which may be negative.
    Operations,
}

/// Records of one input topic.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) topic: &'static str,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) keys: u64,
    pub(crate) value_bytes: usize,
    /// Records per second of event time.
    pub(crate) rate: u64,
}

impl Set {
    /// Whether it is there before the others.
    pub(crate) fn comes_first(&self) -> bool {
        matches!(self.kind, Kind::Sequence { before, .. } if before > 0)
    }

    /// The key of record `i` as a number, where keys are numbers.
    pub(crate) fn key_number(&self, i: u64) -> u64 {
        match self.kind {
            Kind::KeyValue { seed } => below(random(seed, i), self.keys),
            Kind::Sequence { .. } | Kind::Text => i,
            Kind::Json => below(random(5, i), self.keys),
            Kind::ForeignKeyed => i % self.keys,
            Kind::Operations => below(random(8, i), self.keys),
        }
    }

    /// Appends the key of record `i`.
    pub(crate) fn key(&self, i: u64, out: &mut Vec<u8>) {
        let key = self.key_number(i);
        match self.kind {
            Kind::Json => out.extend(account(key).as_bytes()),
            _ => out.extend(key.to_be_bytes()),
        }
    }

    /// Appends the value of record `i`.
    pub(crate) fn value(&self, i: u64, out: &mut Vec<u8>) {
        match self.kind {
            Kind::KeyValue { seed } | Kind::Sequence { seed, .. } => blob(i, random(seed, i), self.value_bytes, out),
            Kind::Text => text(i, self.keys, out),
            Kind::Json => {
                let (account, amount) = (account(self.key_number(i)), self.amount(i));
                out.extend(format!("{{\"account\":\"{account}\",\"amount\":{amount}}}").as_bytes());
            }
            Kind::ForeignKeyed => {
                let version = i / self.keys + 1;
                let foreign = mix64((i % self.keys).wrapping_mul(31).wrapping_add(version >> 2));
                blob(version, below(foreign, foreign_rows(self.keys)), self.value_bytes, out);
            }
            Kind::Operations => {
                out.extend(i.to_be_bytes());
                out.extend((below(mix64(random(8, i)), 2001) as i64 - 1000).to_be_bytes());
            }
        }
    }

    /// The amount of record `i` of the JSON set.
    pub(crate) fn amount(&self, i: u64) -> u64 {
        1 + below(mix64(random(5, i)), 1000)
    }

    /// The time of record `i`, in milliseconds.
    pub(crate) fn time(&self, i: u64) -> i64 {
        match self.kind {
            Kind::Sequence { before, .. } => FIRST_TIME - before + (i / 1000) as i64,
            _ => FIRST_TIME + (i * 1000 / self.rate) as i64,
        }
    }
}

/// How many rows the right side of the join by foreign key has.
pub(crate) fn foreign_rows(keys: u64) -> u64 {
    (keys / 10).max(1)
}

fn account(key: u64) -> Cow<'static, str> {
    format!("acc-{key}").into()
}

/// Small numbers are frequent: a skewed vocabulary.
fn text(i: u64, vocabulary: u64, out: &mut Vec<u8>) {
    let random = random(4, i);
    for number in 0..WORDS {
        let x = mix64(random.wrapping_add(number + 1));
        let (a, b) = ((x >> 33) % vocabulary, (x & 0x7fff_ffff) % vocabulary);
        let space = if number > 0 { " " } else { "" };
        out.extend(format!("{space}w{}", a * b / vocabulary).as_bytes());
    }
}

/// The input sets of a topology; the first is the main one.
pub(crate) fn sets(
    workload: &str,
    topology: &str,
    (records, keys): (u64, u64),
    value_bytes: usize,
    rate: u64,
) -> Vec<Set> {
    let set = |topic, kind, size, keys| Set { topic, kind, size, keys, value_bytes, rate };
    let table = |rows| set("in-table", Kind::Sequence { seed: 3, before: TABLE_AHEAD }, rows, rows);
    match (workload, topology) {
        ("restore", _) => vec![set("in", Kind::Sequence { seed: 2, before: 0 }, keys, keys)],
        (_, "wordcount") => vec![set("in", Kind::Text, records, keys)],
        (_, "aggregate_json") => vec![set("in", Kind::Json, records, keys)],
        (_, "bank_account" | "bank_step") => vec![set("in", Kind::Operations, records, keys)],
        (_, "stream_table_join") => vec![set("in", Kind::KeyValue { seed: 1 }, records, keys), table(keys)],
        (_, "stream_stream_join") => {
            let side = |topic, seed| set(topic, Kind::KeyValue { seed }, records / 2, keys);
            vec![side("in", 1), side("in-right", 6)]
        }
        (_, "fk_join") => vec![set("in", Kind::ForeignKeyed, records, keys), table(foreign_rows(keys))],
        _ => vec![set("in", Kind::KeyValue { seed: 1 }, records, keys)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: Kind, i: u64, keys: u64) -> (Vec<u8>, Vec<u8>) {
        let set = Set { topic: "in", kind, size: 10, keys, value_bytes: 20, rate: 10_000 };
        let (mut key, mut value) = (Vec::new(), Vec::new());
        set.key(i, &mut key);
        set.value(i, &mut value);
        (key, value)
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // The reference's first outputs for seed 1234567.
        let outputs: Vec<u64> = (0..3).map(|i| random(1_234_567, i)).collect();
        assert_eq!(outputs, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_value_begins_with_its_number_and_is_cut_to_size() {
        let (key, value) = record(Kind::KeyValue { seed: 1 }, 7, 100);
        assert_eq!((key.len(), value.len()), (8, 20));
        assert_eq!((word(&value, 0), word(&value, 8) as u64), (7, random(1, 7)));
        assert_eq!(value[16..], mix64(random(1, 7).wrapping_add(2)).to_be_bytes()[..4]);
    }

    #[test]
    fn lines_have_ten_words_and_accounts_are_json() {
        let (_, line) = record(Kind::Text, 3, 50_000);
        let line = String::from_utf8(line).unwrap();
        assert_eq!(line.split(' ').filter(|word| word.starts_with('w')).count(), 10);
        let (key, json) = record(Kind::Json, 3, 100);
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["account"].as_str().unwrap().as_bytes(), key);
        assert!((1..=1000).contains(&json["amount"].as_u64().unwrap()));
    }

    #[test]
    fn a_foreign_key_stays_for_four_versions() {
        let foreign = |version: u64| word(&record(Kind::ForeignKeyed, (version - 1) * 10 + 4, 10).1, 8);
        assert_eq!(foreign(4), foreign(7));
        assert_eq!(word(&record(Kind::ForeignKeyed, 34, 10).1, 0), 4);
    }
}
