//! Random records, some of them late, some without key or value.

use proptest::prelude::*;
use tidemill::Topic;
use tidemill::serde::Data;
use tidemill::stream::StreamsBuilder;
use tidemill_testkit::{OutputRecord, TestDriver};

/// A key and a value that may be missing.
pub(crate) type Key = Option<String>;
pub(crate) type Value = Option<i64>;

pub(crate) const LEFT: Topic<Key, Value> = Topic::of("left");
pub(crate) const RIGHT: Topic<Key, Value> = Topic::of("right");

/// A record that is sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) to_left: bool,
    pub(crate) key: Key,
    pub(crate) value: Value,
    pub(crate) time: i64,
}

/// Up to `count` records. Their values count up, so each is known by its value; times move on by up to 30 ms, and a third of
/// the records is late by up to `late` ms.
pub(crate) fn records(count: usize, late: i64) -> impl Strategy<Value = Vec<Sent>> {
    let one = (any::<bool>(), 0..20_u8, 0..15_u8, 0..30_i64, 0..3 * late);
    prop::collection::vec(one, 0..count).prop_map(move |choices| {
        let mut now = 1_000;
        let sent = choices.into_iter().zip(0..).map(|((to_left, key, value, step, back), number)| {
            now += step;
            Sent {
                to_left,
                key: (key > 0).then(|| ["a", "b", "cc"][usize::from(key) % 3].to_owned()),
                value: (value > 0).then_some(number),
                time: if back < late { now - back } else { now },
            }
        });
        sent.collect()
    })
}

/// A driver of what `describe` writes down.
pub(crate) fn driver(describe: impl FnOnce(&StreamsBuilder)) -> TestDriver {
    let builder = StreamsBuilder::new();
    describe(&builder);
    TestDriver::new(&builder.build().unwrap())
}

pub(crate) fn send(driver: &mut TestDriver, sent: &Sent) {
    let topic = if sent.to_left { &LEFT } else { &RIGHT };
    driver.input(topic).at(sent.time).send(sent.key.clone(), sent.value);
}

/// A record that came out: key, value and time.
pub(crate) type Came<K, V> = (Option<<K as Data>::Plain>, Option<<V as Data>::Plain>, i64);

/// What came out since the last call.
pub(crate) fn came<K: Data, V: Data>(driver: &mut TestDriver, topic: &Topic<K, V>) -> Vec<Came<K, V>> {
    let records = driver.output(topic).records();
    let seen = |record: OutputRecord<K, V>| {
        let (key, value) = (record.key.and_then(K::into_plain), record.value.and_then(V::into_plain));
        (key, value, record.timestamp.as_millis())
    };
    records.into_iter().map(seen).collect()
}
