//! Whole applications at random: many records, several partitions, crashes and rebalances, and an oracle that recomputes what
//! has to come out. `SIM_SEED=7` begins with another seed, `SIM_RUNS=10000` makes more runs.

use std::collections::BTreeMap;

use tidemill::Topic;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill_testkit::explorer::{Backend, Explorer, Kafka, Report, Verdict};

const WORDS: Topic<String, String> = Topic::of("words");
const COUNTED: Topic<String, i64> = Topic::of("counted");
const COUNTS: Store<String, i64> = Store::of("counts");
const SEED: u64 = 1;
const RUNS: usize = 60;

fn of_environment<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// By a repartition topic of two partitions.
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let by_word = builder.stream(&WORDS).group_by(|_, word| word.clone()).named("by-word");
    by_word.count_with(&COUNTS).to_stream().map_values(|n| n.unwrap_or(0)).to(&COUNTED);
    builder.build().unwrap()
}

fn words() -> Vec<(String, String)> {
    (0..20).map(|n| (format!("line-{n}"), format!("word-{}", n * n % 7))).collect()
}

fn explorer(backend: impl Into<Backend>, crashes: u8, rebalances: u8) -> Explorer {
    let topology = topology();
    let explorer = Explorer::new(&topology).on(backend).partitions(&WORDS, 2).partitions(&COUNTED, 2);
    explorer.crashes(crashes).rebalances(rebalances).input(&WORDS, words())
}

/// The counts of each word, as they come: one after another, none twice.
fn oracle() -> BTreeMap<String, Vec<i64>> {
    let mut counts: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (_, word) in words() {
        let of_word = counts.entry(word).or_default();
        of_word.push(i64::try_from(of_word.len()).unwrap() + 1);
    }
    counts
}

fn by_word(counted: Vec<(String, i64)>) -> BTreeMap<String, Vec<i64>> {
    let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    counted.into_iter().for_each(|(word, count)| found.entry(word).or_default().push(count));
    found
}

fn run(explorer: &Explorer) -> Report {
    let (seed, runs) = (of_environment("SIM_SEED", SEED), of_environment("SIM_RUNS", RUNS));
    let report = explorer.sample(seed, runs);
    println!("SIM_SEED={seed} SIM_RUNS={runs}: {} steps", report.transitions());
    report
}

const RIGHT: &str = "every word is counted once";

#[test]
fn exactly_once_counts_every_word_once_whatever_happens() {
    let backends: [(Backend, u8, u8); 3] = [
        (Kafka::exactly_once().into(), 4, 3),
        (Kafka::exactly_once().without_idling().into(), 0, 4),
        (Backend::Embedded, 6, 0),
    ];
    for (backend, crashes, rebalances) in backends {
        let right = |look: &mut tidemill_testkit::explorer::Look<'_, '_>| by_word(look.output(&COUNTED)) == oracle();
        let report = run(&explorer(backend, crashes, rebalances).at_quiescence(RIGHT, right));
        assert_eq!(report.verdict(RIGHT), &Verdict::Bounded, "{report}");
        assert_eq!(report.verdict("no task fails"), &Verdict::Bounded, "{report}");
    }
}

#[test]
fn at_least_once_is_caught_counting_twice() {
    let right = |look: &mut tidemill_testkit::explorer::Look<'_, '_>| by_word(look.output(&COUNTED)) == oracle();
    let explorer = explorer(Kafka::at_least_once(), 4, 3).at_quiescence(RIGHT, right);
    let report = run(&explorer);
    let story = report.verdict(RIGHT).story().unwrap_or_else(|| panic!("{report}"));
    assert_eq!(&explorer.replay(&story.token()).unwrap(), story);
}

#[test]
fn a_seed_gives_the_same_runs_every_time() {
    let explorer = explorer(Kafka::exactly_once(), 2, 2);
    let [one, other] = [(); 2].map(|()| explorer.sample(3, 5));
    assert_eq!(one.to_json(), other.to_json());
    let ends = |report: &Report| report.ends().iter().map(|end| end.story.token()).collect::<Vec<_>>();
    assert_eq!(ends(&one), ends(&other));
    assert_ne!(ends(&one), ends(&explorer.sample(4, 5)), "another seed, other runs");
}
