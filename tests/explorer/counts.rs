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

/// Deposits and at last a withdrawal: the lowest bit of a number says which of them it is, the others the amount, each one more
/// than all before. A decision adds whether the table had everything before; a withdrawal that it refuses makes no event.
fn decided() -> Topology {
    let builder = StreamsBuilder::new();
    let sum = builder.stream(&EVENTS).group_by_key().reduce_with(&SUM, |sum, number| sum + number);
    let decide = |number: &i64, sum: Option<&i64>| number * 2 + i64::from(sum.copied().unwrap_or(0) == number / 2 - 1);
    let decisions = builder.stream(&NUMBERS).left_join(&sum, decide);
    decisions.to(&SEEN);
    decisions.filter(|_, decision| decision & 3 != 2).map_values(|decision| decision / 4).to(&EVENTS);
    builder.build().unwrap()
}

/// The same question was counted before by another program, a model of a few lines that has tasks, windows, transactions and ends
/// as numbers. All inputs are there from the beginning in it, and what a task knows of ends is exact or nothing.
#[test]
fn an_independent_model_has_as_many_worlds() {
    let alos = Kafka::at_least_once();
    let eos = Kafka::exactly_once();
    let both = alos.assuming_exact_ends().assuming_instant_appends();
    // Worlds and steps for three operations, worlds for eight, outcomes of both.
    let counted = [
        (alos.without_idling(), (38, 46), 1_754, (4, 128)),
        (both, (15, 16), 40, (1, 1)),
        (alos.assuming_exact_ends(), (51, 64), 3_239, (4, 128)),
        (eos.without_idling(), (93, 145), 7_767, (4, 128)),
        (eos.assuming_exact_ends(), (62, 77), 3_570, (4, 128)),
    ];
    for (kafka, three, eight, outcomes) in counted {
        let explore = |count: u32| {
            let numbers = (0..count).map(|n| ("a", (1 << n) * 2 + i64::from(n + 1 == count)));
            Explorer::new(&decided()).on(kafka).given(&NUMBERS, numbers).explore()
        };
        let (of_three, of_eight) = (explore(3), explore(8));
        assert_eq!((of_three.states(), of_three.transitions()), three, "{of_three}");
        assert_eq!(of_eight.states(), eight, "{of_eight}");
        assert_eq!((of_three.ends().len(), of_eight.ends().len()), outcomes, "{of_eight}");
    }
}

/// Counts of so many topics, which have nothing to do with each other.
fn apart(topics: usize) -> Explorer {
    const FROM: [Topic<String, String>; 3] = [Topic::of("a"), Topic::of("b"), Topic::of("c")];
    const TO: [Topic<String, i64>; 3] = [Topic::of("count-a"), Topic::of("count-b"), Topic::of("count-c")];
    let builder = StreamsBuilder::new();
    for (from, to) in FROM.iter().zip(&TO).take(topics) {
        builder.stream(from).group_by_key().count().to_stream().map_values(|n| n.unwrap_or(0)).to(to);
    }
    let explorer = Explorer::new(&builder.build().unwrap());
    FROM.iter().take(topics).fold(explorer, |explorer, from| explorer.input(from, [("k", "1"), ("k", "2"), ("k", "3")]))
}

#[test]
fn worlds_of_tasks_that_have_nothing_in_common_multiply() {
    let worlds = |topics| apart(topics).explore().states();
    let one = worlds(1);
    println!("one topic: {one} worlds; two: {}; three: {}", worlds(2), worlds(3));
    assert_eq!((worlds(2), worlds(3)), (one * one, one * one * one));
}
