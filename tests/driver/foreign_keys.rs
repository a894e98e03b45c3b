//! Foreign-key joins over several partitions, where the two tables lie in different tasks.

use std::collections::BTreeMap;

use tidemill::Topic;
use tidemill::processor::DropReason;
use tidemill::record::Partitions;
use tidemill::state::Store;
use tidemill::stream::{Produced, StreamsBuilder};
use tidemill::topology::Topology;
use tidemill_testkit::TestDriver;

const ORDERS: Topic<String, String> = Topic::of("orders");
const CUSTOMERS: Topic<String, String> = Topic::of("customers");
const OUT: Topic<String, String> = Topic::of("out");
const INNER: Store<String, String> = Store::of("inner");
const LEFT: Store<String, String> = Store::of("left");

const NAMES: [&str; 5] = ["ada", "bob", "cyd", "dan", "eve"];

/// Order -> customer, or "-" for none; customer -> city.
fn both_joins() -> Topology {
    let builder = StreamsBuilder::new();
    let (orders, customers) = (builder.table(&ORDERS), builder.table(&CUSTOMERS));
    let _inner = orders
        .join_on_with(&customers, &INNER, |_, name| named(name), |name, city| format!("{name} in {city}"))
        .named("inner-join");
    let _left = orders
        .left_join_on_with(&customers, &LEFT, |_, name| named(name), |name, city| format!("{name} in {city:?}"))
        .named("left-join");
    builder.build().unwrap()
}

fn named(name: &str) -> Option<String> {
    Some(name.to_owned()).filter(|name| name != "-")
}

fn dropped(driver: &mut TestDriver, reason: DropReason) -> u64 {
    driver.dropped().iter().map(|counts| counts.get(reason)).sum()
}

/// One of so many choices, by chance.
fn chance(seed: &mut u64, choices: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % choices
}

#[test]
fn every_row_meets_the_row_that_it_points_to_wherever_that_lies() {
    for (orders, customers) in [(3, 3), (3, 2), (1, 4)] {
        let mut driver = TestDriver::new(&both_joins()).partitions("orders", orders).partitions("customers", customers);
        let (mut rows, mut cities) = (BTreeMap::new(), BTreeMap::new());
        let mut seed = 3;
        for step in 0..400 {
            let (order, name) = (format!("order-{}", chance(&mut seed, 12)), NAMES[chance(&mut seed, 5) as usize]);
            match chance(&mut seed, 6) {
                0 => {
                    driver.input(&ORDERS).send_null(order.as_str());
                    rows.remove(&order);
                }
                1 => {
                    driver.input(&ORDERS).send(order.as_str(), "-");
                    rows.insert(order, "-");
                }
                2 | 3 => {
                    driver.input(&ORDERS).send(order.as_str(), name);
                    rows.insert(order, name);
                }
                4 => {
                    driver.input(&CUSTOMERS).send(name, format!("city-{step}"));
                    cities.insert(name, format!("city-{step}"));
                }
                _ => {
                    driver.input(&CUSTOMERS).send_null(name);
                    cities.remove(name);
                }
            }
        }
        for number in 0..12 {
            let order = format!("order-{number}");
            let row = rows.get(&order);
            let city = row.and_then(|name| cities.get(name));
            let inner = row.zip(city).map(|(name, city)| format!("{name} in {city}"));
            let left = row.map(|name| format!("{name} in {city:?}"));
            assert_eq!(driver.store(&INNER).get(order.as_str()), inner, "{order}, {orders} and {customers} partitions");
            assert_eq!(driver.store(&LEFT).get(order.as_str()), left, "{order}, {orders} and {customers} partitions");
        }
    }
}

#[test]
fn topics_follow_the_table_that_they_lead_to() {
    let mut driver = TestDriver::new(&both_joins()).partitions("orders", 3).partitions("customers", 7);
    driver.input(&CUSTOMERS).send_all(NAMES.map(|name| (name, "here")));
    driver.input(&ORDERS).send_all((0..30).map(|number| (format!("order-{number}"), NAMES[number % 5])));
    let spread = |driver: &mut TestDriver, topic: &str| {
        let mut partitions: Vec<u32> = driver.take_raw(topic).iter().map(|record| record.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        partitions
    };
    let registered = spread(&mut driver, "test-inner-join-subscription-registration-topic");
    assert!(registered.iter().any(|partition| *partition > 2), "{registered:?}");
    assert_eq!(spread(&mut driver, "test-inner-join-subscription-response-topic"), [0, 1, 2]);
}

#[test]
fn an_answer_goes_to_the_partition_that_the_row_came_from() {
    const RAW: Topic<String, String> = Topic::of("raw");
    let builder = StreamsBuilder::new();
    // By the length of the value: not where the keys' bytes would lead.
    let by_length =
        |_: Option<&[u8]>, _: &String, name: &String, count: u32| Partitions::one(name.len() as u32 % count);
    builder.stream(&RAW).to_with(&ORDERS, Produced::partitioner(by_length));
    let customers = builder.table(&CUSTOMERS);
    builder
        .table(&ORDERS)
        .join_on(&customers, |_, name| named(name), |name, city| format!("{name} {city}"))
        .to_stream()
        .to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).partitions("orders", 3).partitions("customers", 3);
    let names = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff"];
    driver.input(&CUSTOMERS).send_all(names.map(|name| (name, "here")));
    driver.input(&RAW).send_all(names.map(|name| (format!("order of {name}"), name)));
    driver.input(&CUSTOMERS).send_all(names.map(|name| (name, "there")));
    let mut results = driver.output(&OUT).values();
    results.sort();
    let mut expected: Vec<String> =
        names.iter().flat_map(|name| [format!("{name} here"), format!("{name} there")]).collect();
    expected.sort();
    assert_eq!(results, expected);
}

#[test]
fn an_answer_to_a_row_that_has_changed_since_is_dropped() {
    const LISTS: Topic<String, String> = Topic::of("lists");
    let builder = StreamsBuilder::new();
    let split = |names: &String| names.split(',').map(str::to_owned).collect::<Vec<_>>();
    builder.stream(&LISTS).flat_map_values(split).to(&ORDERS);
    let (orders, customers) = (builder.table(&ORDERS), builder.table(&CUSTOMERS));
    orders.join_on(&customers, |_, name| named(name), |name, city| format!("{name} in {city}")).to_stream().to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    driver.input(&CUSTOMERS).send_all([("ada", "London"), ("bob", "Paris")]);
    // Both rows lie in the topic at once, with one time, so the second is there before the first one's answer.
    driver.input(&LISTS).send("1", "ada,bob");
    assert_eq!(driver.output(&OUT).values(), ["bob in Paris"]);
    assert_eq!(dropped(&mut driver, DropReason::StaleAnswer), 1);
}

#[test]
fn rows_that_point_nowhere_are_dropped_by_an_inner_join_and_counted() {
    let mut driver = TestDriver::new(&both_joins());
    driver.input(&ORDERS).send("1", "-");
    driver.input(&ORDERS).send("1", "ada");
    driver.input(&ORDERS).send("1", "-");
    assert_eq!(dropped(&mut driver, DropReason::NullForeignKey), 2);
    assert_eq!(driver.store(&INNER).get("1"), None);
    assert_eq!(driver.store(&LEFT).get("1"), Some("- in None".into()));
}

#[test]
fn joins_without_names_are_listed_as_numbered() {
    let builder = StreamsBuilder::new();
    let (orders, customers) =
        (builder.table_with(&ORDERS, &Store::of("o")), builder.table_with(&CUSTOMERS, &Store::of("c")));
    let join = || orders.join_on_with(&customers, &INNER, |_, name| named(name), |_, city| city.clone());
    let _mine = join().named("mine");
    assert_eq!(builder.numbered_names().len(), 0);
    const OTHER: Store<String, String> = Store::of("other");
    orders.join_on_with(&customers, &OTHER, |_, name| named(name), |_, city| city.clone());
    let numbered: Vec<String> = builder.numbered_names().iter().map(ToString::to_string).collect();
    assert_eq!(
        numbered,
        [
            "KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000017",
            "KTABLE-FK-JOIN-SUBSCRIPTION-STATE-STORE-0000000021",
            "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-0000000025"
        ]
    );
}
