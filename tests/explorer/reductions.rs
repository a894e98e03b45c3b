//! What the search leaves out makes no difference: random small topologies end in the same ways with it and without.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tidemill::Topic;
use tidemill::state::Store;
use tidemill::stream::{Stream, StreamsBuilder};
use tidemill::topology::Topology;
use tidemill_testkit::explorer::{Backend, Explorer, Kafka};

const INPUTS: [Topic<String, i64>; 3] = [Topic::of("a"), Topic::of("b"), Topic::of("c")];
const LOOP: Topic<String, i64> = Topic::of("loop");
const OUT: Topic<String, i64> = Topic::of("out");
const SUMS: Store<String, i64> = Store::of("sums");
const ROWS: Store<String, i64> = Store::of("rows");

/// What becomes of the inputs.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// All in one.
    Merge,
    /// The first is joined with a table of the second.
    Join,
    /// The first is joined with sums that are made of what the join gives.
    Loop,
    /// Counted by value, behind a repartition topic.
    Regroup,
    /// The others are joined with a global table of the first.
    Global,
    /// Each in a task of its own, the first by way of another topic: one writes that topic, and all the last one.
    Apart,
}

fn topology(shape: Shape, inputs: usize) -> Topology {
    let builder = StreamsBuilder::new();
    let merged = |from: usize| -> Stream<'_, String, i64> {
        let first = builder.stream(&INPUTS[from]);
        INPUTS[from + 1..inputs].iter().fold(first, |merged, input| merged.merge(&builder.stream(input)))
    };
    match shape {
        Shape::Apart => {
            builder.stream(&INPUTS[0]).to(&LOOP);
            builder.stream(&LOOP).map_values(|value| value * 10).to(&OUT);
            INPUTS[1..inputs].iter().for_each(|input| {
                builder.stream(input).to(&OUT);
            });
        }
        Shape::Merge => {
            merged(0).to(&OUT);
        }
        Shape::Join if inputs > 1 => {
            let rows = builder.table_with(&INPUTS[0], &ROWS);
            merged(1).left_join(&rows, |value, row| value * 100 + row.copied().unwrap_or(0)).to(&OUT);
        }
        Shape::Global if inputs > 1 => {
            let rows = builder.global_table(&INPUTS[0]);
            let key = |key: &String, _: &i64| key.clone();
            merged(1).left_join_global(&rows, key, |value, row| value * 100 + row.copied().unwrap_or(0)).to(&OUT);
        }
        Shape::Join | Shape::Global | Shape::Loop => {
            let sums = builder.stream(&LOOP).group_by_key().reduce_with(&SUMS, |sum, value| sum + value);
            let decided = merged(0).left_join(&sums, |value, sum| value + 10 * sum.copied().unwrap_or(0));
            decided.to(&LOOP);
            decided.to(&OUT);
        }
        Shape::Regroup => {
            let by_value = merged(0).group_by(|_, value| (value % 2).to_string()).named("by-value");
            by_value
                .reduce_with(&SUMS, |sum, value| sum * 10 + value)
                .to_stream()
                .map_values(|sum| sum.unwrap_or(0))
                .to(&OUT);
        }
    }
    builder.build().unwrap()
}

/// A record: which input, its time, its value.
type Sent = (usize, i64, i64);

fn ends(explorer: &Explorer) -> (BTreeSet<BTreeMap<String, Vec<String>>>, usize) {
    let report = explorer.explore();
    assert!(report.is_complete(), "{report}");
    (report.ends().iter().map(|end| end.records.clone()).collect(), report.states())
}

fn same_ends(shape: Shape, inputs: usize, sent: &[Sent], backend: Backend, crashes: u8) -> Result<(), TestCaseError> {
    let topology = topology(shape, inputs);
    let mut explorer = Explorer::new(&topology).on(backend).crashes(crashes);
    for (input, time, value) in sent {
        explorer = explorer.input_at(&INPUTS[input % inputs], *time, "k", *value);
    }
    let ((reduced, few), (all, many)) = (ends(&explorer), ends(&explorer.clone().without_reductions()));
    prop_assert_eq!(reduced, all);
    prop_assert!(few <= many, "{} states with reductions, {} without", few, many);
    Ok(())
}

fn shape() -> impl Strategy<Value = Shape> {
    let shapes = [Shape::Merge, Shape::Join, Shape::Loop, Shape::Regroup, Shape::Global, Shape::Apart];
    proptest::sample::select(shapes.to_vec())
}

fn backend() -> impl Strategy<Value = Backend> {
    let kafka = [
        Kafka::at_least_once(),
        Kafka::at_least_once().without_idling(),
        Kafka::exactly_once(),
        Kafka::exactly_once().without_idling(),
    ];
    prop_oneof![4 => proptest::sample::select(kafka.map(Backend::from).to_vec()), 1 => Just(Backend::Embedded)]
}

/// Times that are often equal.
fn sent(records: usize) -> impl Strategy<Value = Vec<Sent>> {
    proptest::collection::vec((0..3_usize, 1..4_i64, 1..10_i64), 1..=records)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn runs_end_in_the_same_ways(shape in shape(), inputs in 1..=3_usize, sent in sent(3), backend in backend()) {
        same_ends(shape, inputs, &sent, backend, 0)?;
    }

    #[test]
    fn runs_with_a_crash_end_in_the_same_ways(shape in shape(), inputs in 1..=2_usize, sent in sent(2), exactly_once: bool) {
        let kafka = if exactly_once { Kafka::exactly_once() } else { Kafka::at_least_once() };
        same_ends(shape, inputs, &sent, kafka.into(), 1)?;
    }
}
