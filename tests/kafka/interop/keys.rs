//! Keys of every built-in serde have the bytes that Kafka's serializers give them, and lie where Kafka's clients put them.

use std::collections::BTreeMap;

use tidemill::record::{Timestamp, partition_of};
use tidemill::serde::{Serde, SerdeRef};
use tidemill::window::{SessionWindowed, TimeWindowed, Window, Windowed};
use uuid::Uuid;

use crate::support::{Names, Reader, brokers, create_topic, write_keys};

const PARTITIONS: u32 = 13;
/// As many as `tests/kafka/java` writes of each kind.
const COUNT: usize = 50;
const KINDS: usize = 14;

/// A key's bytes, and its partition.
fn placed<K>(serde: &impl Serde<K>, key: &K) -> (Vec<u8>, u32) {
    let mut bytes = Vec::new();
    serde.write(key, &mut bytes).unwrap();
    let partition = partition_of(serde.placing(&bytes), PARTITIONS);
    (bytes, partition)
}

fn windowed(number: i64, start: i64, end: i64) -> Windowed<String> {
    let window = Window { start: Timestamp::from_millis(start), end: Timestamp::from_millis(end) };
    Windowed { key: format!("key-{}", number % 7), window }
}

/// Key number `i` of a kind, as `tests/kafka/java` makes it.
fn expected(kind: &str, i: i64) -> (Vec<u8>, u32) {
    let v = i * 7919 - 30000;
    let text = SerdeRef::<String>::of;
    match kind {
        "String" => placed(&text(), &format!("ключ-{v}")),
        "Short" => placed(&SerdeRef::of(), &(v as i16)),
        "Integer" => placed(&SerdeRef::of(), &((v * 65537) as i32)),
        "Long" => placed(&SerdeRef::of(), &(v * 4294967311)),
        "Float" => placed(&SerdeRef::of(), &(v as f32 / 8.0)),
        "Double" => placed(&SerdeRef::of(), &(v as f64 / 7.0)),
        "Boolean" => placed(&SerdeRef::of(), &(i % 2 == 0)),
        "UUID" => placed(&SerdeRef::of(), &Uuid::from_u64_pair(v.cast_unsigned(), (!v).cast_unsigned())),
        "ByteArray" | "Bytes" => placed(&SerdeRef::of(), &format!("b{v}").into_bytes()),
        "List<Long>" => placed(&SerdeRef::of(), &vec![v, v + 1]),
        "List<String>" => placed(&SerdeRef::of(), &vec![format!("a{v}"), String::new()]),
        "TimeWindowed" => {
            let serde = TimeWindowed::new(text(), std::time::Duration::from_secs(10));
            placed(&serde, &windowed(i, i * 10_000, i * 10_000 + 10_000))
        }
        "SessionWindowed" => placed(&SessionWindowed::new(text()), &windowed(i, i * 1_000, i * 1_000 + 500)),
        other => panic!("there is no kind `{other}`"),
    }
}

#[test]
fn keys_of_every_serde_have_kafkas_bytes_and_places() {
    let topic = Names::of("keys").topic("in");
    create_topic(brokers(), &topic, PARTITIONS, &[]);
    write_keys(brokers(), &topic);
    let found = Reader::new(brokers(), &topic).until("all keys", |found| found.len() == KINDS * COUNT);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for record in found {
        let told = String::from_utf8(record.value.unwrap()).unwrap();
        let (kind, number) = told.split_once(' ').unwrap();
        let (bytes, partition) = expected(kind, number.parse().unwrap());
        assert_eq!(record.key.as_ref(), Some(&bytes), "{told}");
        assert_eq!(record.partition.cast_unsigned(), partition, "{told}");
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
    assert_eq!((counts.len(), counts.values().min()), (KINDS, Some(&COUNT)));
    println!("keys: {} of {KINDS} serdes, in {PARTITIONS} partitions", KINDS * COUNT);
}
