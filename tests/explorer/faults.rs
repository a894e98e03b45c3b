//! Crashes and rebalances at every moment.

use tidemill::Topic;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill_testkit::explorer::{Backend, Explorer, Kafka, Report};

const WORDS: Topic<String, String> = Topic::of("words");
const COUNTED: Topic<String, i64> = Topic::of("counted");
const COUNTS: Store<String, i64> = Store::of("counts");

fn count() -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream(&WORDS).group_by_key().count_with(&COUNTS).to_stream().map_values(|n| n.unwrap_or(0)).to(&COUNTED);
    builder.build().unwrap()
}

/// By a repartition topic: two tasks in a row.
fn count_by_word() -> Topology {
    let builder = StreamsBuilder::new();
    let by_word = builder.stream(&WORDS).group_by(|_, word| word.clone()).named("by-word");
    by_word.count_with(&COUNTS).to_stream().map_values(|n| n.unwrap_or(0)).to(&COUNTED);
    builder.build().unwrap()
}

fn copy() -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream(&WORDS).map_values(|word| i64::try_from(word.len()).unwrap()).to(&COUNTED);
    builder.build().unwrap()
}

fn explorer(topology: &Topology, backend: impl Into<Backend>) -> Explorer {
    Explorer::new(topology)
        .on(backend)
        .input(&WORDS, [("a", "x"), ("a", "x")])
        .never_output(&COUNTED, |_, count| *count > 2)
        .refines_crash_free()
}

fn show(what: &str, report: &Report) {
    println!(
        "{what}: {} states, {} transitions, {} outcomes",
        report.states(),
        report.transitions(),
        report.ends().len()
    );
}

#[test]
fn exactly_once_leaves_what_a_run_without_faults_leaves() {
    for topology in [count(), count_by_word(), copy()] {
        for (crashes, rebalances) in [(1, 0), (2, 0), (0, 1), (1, 1)] {
            let explorer = explorer(&topology, Kafka::exactly_once()).crashes(crashes).rebalances(rebalances);
            let report = explorer.explore();
            show(&format!("exactly-once, {crashes} crashes, {rebalances} rebalances"), &report);
            report.assert_holds();
        }
    }
}

#[test]
fn an_epoch_of_the_embedded_log_leaves_what_a_run_without_faults_leaves() {
    for topology in [count(), count_by_word(), copy()] {
        for crashes in [1, 2] {
            let report = explorer(&topology, Backend::Embedded).crashes(crashes).explore();
            show(&format!("embedded, {crashes} crashes"), &report);
            report.assert_holds();
        }
    }
}

#[test]
fn at_least_once_counts_twice_and_may_lose_a_result_on_the_way() {
    let report = explorer(&count(), Kafka::at_least_once()).crashes(1).explore();
    show("at-least-once, 1 crash", &report);
    assert_eq!(report.verdict("never counted").name(), "Fails", "a word is counted twice: {report}");
    assert_eq!(report.verdict("refines crash-free").name(), "Fails", "a result is never sent: {report}");
}

#[test]
fn at_least_once_without_state_repeats_results_and_loses_none() {
    for (crashes, rebalances) in [(1, 0), (2, 0), (0, 1)] {
        let explorer = explorer(&copy(), Kafka::at_least_once()).crashes(crashes).rebalances(rebalances);
        let report = explorer.explore();
        show(&format!("at-least-once, {crashes} crashes, {rebalances} rebalances"), &report);
        assert_eq!(report.verdict("refines crash-free").name(), "Holds", "{report}");
        assert!(report.ends().len() > 1, "results are repeated");
    }
}

/// Two tasks that do the same with different topics: their states are equal as long as neither has done anything.
#[test]
fn tasks_with_equal_states_are_not_taken_for_each_other() {
    let builder = StreamsBuilder::new();
    for (from, to) in [("a", "copy-of-a"), ("b", "copy-of-b")] {
        let (from, to): (Topic<String, String>, Topic<String, String>) = (Topic::of(from), Topic::of(to));
        builder.stream(&from).to(&to);
    }
    let explorer = Explorer::new(&builder.build().unwrap()).crashes(2).refines_crash_free();
    let report = explorer.input(&Topic::<String, String>::of("b"), [("k", "b1")]).explore();
    report.assert_holds();
    let ends: Vec<_> = report.ends().iter().map(|end| end.records["copy-of-b-0"].clone()).collect();
    assert_eq!(ends, [["k = b1 (1 ms)"]], "the task that reads `b` goes on with it after any crash");
}
