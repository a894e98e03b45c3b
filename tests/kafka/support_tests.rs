//! The support that all tests here stand on: what is written is read, faults are real, and the verifier sees what is wrong.

use std::time::Duration;

use crate::support::{
    ByKey, Child, Input, Names, OwnBroker, Producer, Reader, at_least_once, brokers, by_key, committed, create_topic,
    exactly_once, itself, read_all, topic_config, topic_names, wait_until,
};

fn inputs(count: i64) -> Vec<Input> {
    (0..count).map(|n| Input::long(&format!("key-{}", n % 7), n, 1_700_000_000_000 + n)).collect()
}

fn expected(count: i64) -> ByKey<i64> {
    let mut expected = ByKey::new();
    (0..count).for_each(|n| expected.entry(format!("key-{}", n % 7)).or_insert_with(Vec::new).push(n));
    expected
}

fn longs(found: &[crate::support::Output]) -> ByKey<i64> {
    by_key(found, |record| record.long().unwrap())
}

#[test]
fn what_is_written_is_read_in_order_of_its_keys() {
    let names = Names::of("support");
    let topic = names.topic("in");
    create_topic(brokers(), &topic, 3, &[("retention.ms", "-1")]);
    assert_eq!(topic_names(brokers(), names.prefix()), [(topic.clone(), 3)].into());
    assert_eq!(topic_config(brokers(), &topic)["retention.ms"], "-1");
    Producer::new(brokers()).write(&topic, &inputs(500));
    let reader = Reader::new(brokers(), &topic);
    let found = reader.to_the_end();
    assert_eq!(exactly_once(&expected(500), &longs(&found)), 500);
    assert_eq!(found[0].timestamp.map(|time| time / 1_000_000_000), Some(1_700));
    assert!(found.iter().any(|record| record.partition > 0), "keys are spread");
    assert!(reader.to_the_end().is_empty(), "it goes on where it was");
    Producer::new(brokers()).write(&topic, &[Input::long("key-0", 500, 1)]);
    assert_eq!(reader.to_the_end().len(), 1);
    assert!(committed(brokers(), &names.application(), &topic, 3).is_empty());
}

#[test]
fn a_killed_broker_comes_back_with_what_it_had() {
    let broker = OwnBroker::start(&["message.max.bytes=2000000"]);
    create_topic(broker.address(), "kept", 1, &[]);
    let producer = Producer::new(broker.address());
    producer.write("kept", &inputs(100));
    broker.kill();
    inputs(200)[100..].iter().for_each(|input| producer.send("kept", input));
    broker.resume();
    producer.flush();
    assert_eq!(exactly_once(&expected(200), &longs(&read_all(broker.address(), "kept"))), 200);
    broker.stop();
    broker.resume();
    let again = Reader::new(broker.address(), "kept").until("all of it", |found| found.len() == 200);
    exactly_once(&expected(200), &longs(&again));
}

const CHILD: &str = "TIDEMILL_KAFKA_CHILD";

#[test]
fn a_child_writes_when_told() {
    let Ok(topic) = std::env::var(CHILD) else { return };
    let producer = Producer::new(brokers());
    for input in inputs(10_000) {
        producer.write_slowly(&topic, &[input], Duration::from_millis(5));
    }
}

#[test]
fn a_process_is_paused_goes_on_and_is_killed() {
    let topic = Names::of("child").topic("in");
    create_topic(brokers(), &topic, 1, &[]);
    let mut child = Child::start(&mut itself("support_tests::a_child_writes_when_told", CHILD, &topic));
    let reader = Reader::new(brokers(), &topic);
    reader.until("the first records", |found| !found.is_empty());
    child.pause();
    wait_until("a child that stands still", || reader.to_the_end().is_empty());
    assert!(child.is_there());
    child.go_on();
    reader.until("more records", |found| !found.is_empty());
    child.kill();
    assert!(!child.is_there());
    let found = longs(&read_all(brokers(), &topic));
    let count = i64::try_from(found.values().map(Vec::len).sum::<usize>()).unwrap();
    assert!(count < 10_000, "it was killed before its end");
    exactly_once(&expected(count), &found);
}

#[test]
fn a_child_that_is_asked_to_end_ends() {
    let topic = Names::of("child").topic("in");
    create_topic(brokers(), &topic, 1, &[]);
    let mut child = Child::start(&mut itself("support_tests::a_child_writes_when_told", CHILD, &topic));
    child.terminate();
    assert!(!child.wait().success(), "a signal ended it");
}

#[test]
fn the_verifier_sees_what_is_lost_twice_or_out_of_order() {
    let of = |values: &[i64]| ByKey::from([("k".to_owned(), values.to_vec())]);
    let fails = |check: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err();
    let right = of(&[1, 2, 3]);
    assert_eq!((exactly_once(&right, &right), at_least_once(&right, &right)), (3, 3));
    for wrong in [of(&[1, 3]), of(&[1, 2]), of(&[1, 3, 2]), of(&[]), ByKey::new()] {
        assert!(fails(&|| _ = exactly_once(&right, &wrong)), "{wrong:?}");
        assert!(fails(&|| _ = at_least_once(&right, &wrong)), "{wrong:?}");
    }
    for twice in [of(&[1, 1, 2, 3]), of(&[1, 2, 3, 2, 3]), of(&[1, 2, 1, 2, 3])] {
        assert!(fails(&|| _ = exactly_once(&right, &twice)), "{twice:?}");
        assert_eq!(at_least_once(&right, &twice), 3);
    }
    let mut more = right.clone();
    more.insert("other".to_owned(), vec![1]);
    assert!(fails(&|| _ = exactly_once(&right, &more)), "a key that should not be there");
}
