//! How many runs there are, where a closed form says it: so the search leaves none out and makes none up.

use tidemill::Topic;
use tidemill::record::Timestamp;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill_testkit::explorer::{Backend, Explorer, Kafka, Report};

const NUMBERS: Topic<String, i64> = Topic::of("numbers");
const EVENTS: Topic<String, i64> = Topic::of("events");
const SEEN: Topic<String, i64> = Topic::of("seen");
const SUM: Store<String, i64> = Store::of("sum");
const LEFT: Topic<String, i64> = Topic::of("left");
const RIGHT: Topic<String, i64> = Topic::of("right");
const BOTH: Topic<String, i64> = Topic::of("both");

/// Every number becomes an event, and says which events it sees in the table that they make.
fn loop_back() -> Topology {
    let builder = StreamsBuilder::new();
    let sum = builder.stream(&EVENTS).group_by_key().reduce_with(&SUM, |sum, number| sum + number);
    let numbers = builder.stream(&NUMBERS);
    numbers.left_join(&sum, |_, sum| sum.copied().unwrap_or(0)).to(&SEEN);
    numbers.to(&EVENTS);
    builder.build().unwrap()
}

fn explore(backend: impl Into<Backend>, count: u32) -> Report {
    // Sums of powers of two say which of them they have.
    Explorer::new(&loop_back()).on(backend).input(&NUMBERS, (0..count).map(|n| ("a", 1 << n))).explore()
}

#[test]
fn a_loop_has_as_many_histories_as_catalan_says() {
    for (count, catalan) in [(1, 1), (2, 2), (3, 5), (4, 14), (5, 42)] {
        for kafka in [Kafka::at_least_once(), Kafka::exactly_once()] {
            assert_eq!(explore(kafka, count).ends().len(), catalan, "{count} numbers, {kafka:?}");
        }
        assert_eq!(explore(Backend::Embedded, count).ends().len(), 1);
    }
}

/// Two topics into one.
fn merged() -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream(&LEFT).merge(&builder.stream(&RIGHT)).to(&BOTH);
    builder.build().unwrap()
}

fn merge(left: u32, right: u32, time: impl Fn(u32) -> i64) -> usize {
    let mut explorer = Explorer::new(&merged()).on(Kafka::at_least_once().without_idling());
    for n in 0..left {
        explorer = explorer.input_at(&LEFT, time(n), "l", i64::from(n));
    }
    for n in 0..right {
        explorer = explorer.input_at(&RIGHT, time(n), "r", i64::from(n));
    }
    explorer.explore().ends().len()
}

#[test]
fn two_topics_are_mixed_in_as_many_ways_as_there_are_when_nothing_is_waited_for() {
    // All orders of l records of one and r of the other: (l + r)! / (l! r!).
    for ((left, right), ways) in [((1, 1), 2), ((2, 1), 3), ((2, 2), 6), ((3, 2), 10), ((3, 3), 20)] {
        assert_eq!(
            merge(left, right, |n| Timestamp::from_millis(i64::from(n)).as_millis()),
            ways,
            "{left} and {right}"
        );
        assert_eq!(merge(left, right, |_| 7), ways, "{left} and {right} at the same time");
    }
}
