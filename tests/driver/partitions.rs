//! Several partitions: a record lies where its key's hash says, and each task has its own part of a store.

use tidemill::Topic;
use tidemill::record::partition_of;
use tidemill::serde::SerdeRef;
use tidemill::state::Store;
use tidemill::stream::{Produced, StreamsBuilder};
use tidemill_testkit::{DriverError, TestDriver};

use super::bank::{self, MOVEMENTS, Movement, OPERATIONS};

const ORDERS: Topic<String, i64> = Topic::of("orders");
const PRICES: Topic<String, i64> = Topic::of("prices");
const COSTS: Topic<String, i64> = Topic::of("costs");
const COUNTS: Store<i64, i64> = Store::of("counts");

const KEYS: [&str; 8] = ["apple", "pear", "plum", "fig", "grape", "melon", "cherry", "lemon"];

fn passing() -> TestDriver {
    let builder = StreamsBuilder::new();
    builder.stream(&ORDERS).to(&COSTS);
    TestDriver::new(&builder.build().unwrap()).partitions("orders", 3).partitions("costs", 5)
}

#[test]
fn records_land_where_the_hash_of_their_key_says() {
    let mut driver = passing();
    driver.input(&ORDERS).send_all(KEYS.map(|key| (key, 1)));
    for (topic, partitions) in [("orders", 3), ("costs", 5)] {
        let records = driver.take_raw(topic);
        assert_eq!(records.len(), KEYS.len());
        let mut ends = vec![0; usize::try_from(partitions).unwrap()];
        for record in &records {
            let partition = partition_of(record.key.as_deref().unwrap(), partitions);
            assert_eq!(record.partition, partition, "{topic}");
            let end = &mut ends[usize::try_from(partition).unwrap()];
            assert_eq!(record.offset.get(), *end, "offsets are counted by partition");
            *end += 1;
        }
        assert!(ends.iter().filter(|end| **end > 0).count() > 1, "the keys scatter: {ends:?}");
    }
}

#[test]
fn known_keys_lie_where_kafka_puts_them() {
    // Of 10 partitions, as Kafka's own partitioner says.
    let mut driver = passing().partitions("orders", 10);
    driver.input(&ORDERS).send_all([("21", 1), ("foobar", 1), ("abc", 1)]);
    let partitions: Vec<u32> = driver.take_raw("orders").iter().map(|record| record.partition).collect();
    assert_eq!(partitions, [0, 6, 7]);
}

#[test]
fn a_partitioner_of_ones_own_decides() {
    let builder = StreamsBuilder::new();
    let by_amount = |_: Option<&[u8]>, _: &String, amount: &i64, count: u32| {
        tidemill::record::Partitions::one(u32::try_from(*amount).unwrap() % count)
    };
    builder.stream(&ORDERS).to_with(&COSTS, Produced::partitioner(by_amount));
    let mut driver = TestDriver::new(&builder.build().unwrap()).partitions("costs", 4);
    driver.input(&ORDERS).send_all([("a", 1), ("a", 6), ("a", 3)]);
    let partitions: Vec<u32> = driver.take_raw("costs").iter().map(|record| record.partition).collect();
    assert_eq!(partitions, [1, 2, 3]);
}

#[test]
fn a_join_finds_the_row_in_the_partition_of_the_key() {
    let builder = StreamsBuilder::new();
    let prices = builder.table(&PRICES);
    builder.stream(&ORDERS).join(&prices, |count, price| count * price).to(&COSTS);
    let mut driver = TestDriver::new(&builder.build().unwrap()).partitions("orders", 4).partitions("prices", 4);
    driver.input(&PRICES).send_all((1..).zip(KEYS).map(|(price, key)| (key, price)));
    driver.input(&ORDERS).send_all(KEYS.map(|key| (key, 10)));
    let expected: Vec<(String, i64)> = (1..).zip(KEYS).map(|(price, key)| (key.into(), price * 10)).collect();
    assert_eq!(driver.output(&COSTS).key_values(), expected);
}

#[test]
fn records_cross_over_to_other_partitions_through_a_repartition_topic() {
    let builder = StreamsBuilder::new();
    builder.stream(&ORDERS).group_by(|_, value| value % 3).named("by-rest").count_with(&COUNTS);
    let mut driver = TestDriver::new(&builder.build().unwrap()).partitions("orders", 4);
    driver.input(&ORDERS).send_all((0..).zip(KEYS).map(|(value, key)| (key, value)));
    for (rest, count) in [(0, 3), (1, 3), (2, 2)] {
        assert_eq!(driver.store(&COUNTS).get(rest), Some(count));
    }
    let before: std::collections::BTreeSet<u32> = driver.take_raw("orders").iter().map(|r| r.partition).collect();
    let between = driver.take_raw("test-by-rest-repartition");
    assert!(before.len() > 1, "the records came from several partitions");
    for record in &between {
        assert_eq!(record.partition, partition_of(record.key.as_deref().unwrap(), 4));
    }
    for record in driver.take_raw("test-counts-changelog") {
        assert_eq!(
            record.partition,
            partition_of(record.key.as_deref().unwrap(), 4),
            "the row lies where its key does"
        );
    }
}

#[test]
fn the_bank_works_on_any_number_of_partitions() {
    for partitions in [1, 2, 7] {
        let mut driver = TestDriver::new(&bank::join());
        for topic in ["operations", "movements"] {
            driver = driver.partitions(topic, partitions);
        }
        for key in KEYS {
            driver.input(&OPERATIONS).send_all([(key, 10), (key, 10), (key, -20), (key, -1)]);
        }
        let mut refused = Vec::new();
        for (key, movement) in driver.output(&MOVEMENTS).key_values() {
            if movement != Movement::accepted(movement.amount) {
                refused.push((key, movement));
            }
        }
        assert_eq!(refused, KEYS.map(|key| (key.into(), Movement::refused(-1))), "{partitions} partitions");
    }
}

#[test]
fn sources_choose_topics_by_pattern() {
    let builder = StreamsBuilder::new();
    let all = builder.stream_matching("orders-.*", &SerdeRef::<String>::of(), &SerdeRef::<i64>::of());
    all.to(&COSTS);
    let mut driver =
        TestDriver::new(&builder.build().unwrap()).partitions("orders-east", 2).partitions("orders-west", 1);
    for topic in ["orders-east", "orders-west"] {
        let topic = Topic::new(topic, SerdeRef::<String>::of(), SerdeRef::<i64>::of());
        driver.input(&topic).send_all([("apple", 1), ("pear", 2), ("plum", 3)]);
    }
    assert_eq!(driver.output(&COSTS).values(), [1, 2, 3, 1, 2, 3]);
}

#[test]
fn partitions_that_do_not_fit_are_refused_at_the_start() {
    let mut driver = TestDriver::new(&bank::join()).partitions("operations", 2).partitions("movements", 3);
    let error = driver.start().unwrap_err();
    assert!(matches!(error, DriverError::Topology(_)));
    assert_eq!(
        error.to_string(),
        "the topology is wrong: cannot join `operations` (2 partitions) with `movements` (3 partitions): equal keys would \
         live in different tasks; repartition one side like the other"
    );
}
