//! Runs that really happened are among those that are explored: an application on a log, its steps chosen by a seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tidemill::Topic;
use tidemill::exec::{Settings, TraceEvent};
use tidemill::record::TopicPartition;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill_testkit::explorer::{Backend, Explorer, Kafka, RealRun};

use crate::bank::{self, OPERATIONS};
use crate::chance::Chance;
use crate::house::{APPLICATION, House, SeededChooser, run};

const RUNS: u64 = 40;
/// How many runs are made in search of an end, at most.
const SEEDS: u64 = 20_000;
const IN: Topic<String, i64> = Topic::of("in");
const OTHER: Topic<String, i64> = Topic::of("other");
const OUT: Topic<String, i64> = Topic::of("out");
const SUMS: Store<String, i64> = Store::of("sums");

/// Records, those of a topic in the order in which they are sent: topic, time, key, value.
type Script = Vec<(Topic<String, i64>, i64, &'static str, i64)>;

struct Case {
    topology: Topology,
    topics: Vec<(&'static str, u32)>,
    script: Script,
    outputs: Vec<&'static str>,
}

/// Operations against a table that is made of what they become.
fn looped() -> Case {
    let script = [10, 10, -20].into_iter().enumerate();
    Case {
        topology: bank::join(),
        topics: vec![("operations", 1), ("movements", 1), ("accounts", 1)],
        script: script.map(|(time, amount)| (OPERATIONS, i64::try_from(time).unwrap(), "alice", amount)).collect(),
        outputs: vec!["movements", "accounts"],
    }
}

/// Two topics into one, summed by another key: two tasks in a row, two partitions.
fn regrouped() -> Case {
    let builder = StreamsBuilder::new();
    let merged = builder.stream(&IN).merge(&builder.stream(&OTHER));
    let sums =
        merged.group_by(|_, value| (value % 2).to_string()).named("by-rest").reduce_with(&SUMS, |sum, n| sum * 10 + n);
    sums.to_stream().map_values(|sum| sum.unwrap_or(0)).to(&OUT);
    Case {
        topology: builder.build().unwrap(),
        topics: vec![("in", 2), ("other", 2), ("out", 2)],
        script: vec![(IN, 1, "a", 1), (OTHER, 1, "a", 2), (IN, 2, "b", 3)],
        outputs: vec!["out"],
    }
}

/// Joined with a table that another topic makes.
fn joined() -> Case {
    let builder = StreamsBuilder::new();
    let rows = builder.table(&OTHER);
    builder.stream(&IN).left_join(&rows, |n, row| n * 100 + row.copied().unwrap_or(0)).to(&OUT);
    Case {
        topology: builder.build().unwrap(),
        topics: vec![("in", 1), ("other", 1), ("out", 1)],
        script: vec![(OTHER, 1, "a", 1), (IN, 2, "a", 2), (OTHER, 2, "a", 3), (IN, 1, "a", 4)],
        outputs: vec!["out"],
    }
}

/// The records of a script, those of different topics in any order.
fn mixed(script: &Script, chance: &mut Chance) -> Script {
    let mut left: BTreeMap<&str, VecDeque<_>> = BTreeMap::new();
    script.iter().for_each(|record| left.entry(record.0.name()).or_default().push_back(record.clone()));
    let mut next = || {
        let topics = left.values_mut().filter(|records| !records.is_empty()).collect::<Vec<_>>();
        let chosen = chance.below(topics.len().max(1) as u64);
        topics.into_iter().nth(usize::try_from(chosen).unwrap())?.pop_front()
    };
    std::iter::from_fn(&mut next).collect()
}

/// Runs a case on a log: records are sent at any moment, steps are taken as the seed has it, and the application may crash.
/// Gives the trace of the last executor too, and the log.
fn really(case: &Case, seed: u64, crashes: u8) -> (RealRun, Vec<TraceEvent>, House) {
    let house = House::new(&case.topology, &case.topics);
    let (mut chance, mut chooser) = (Chance::new(seed), SeededChooser(seed));
    let (mut happened, mut sent, mut left) = (RealRun::new(APPLICATION), 0, crashes);
    let script = mixed(&case.script, &mut chance);
    let last = loop {
        let (mut executor, events) = house.executor(Settings::default());
        let is_over = loop {
            if sent < script.len() && chance.below(4) == 0 {
                let (topic, time, key, value) = &script[sent];
                house.send(topic, *key, *value, *time);
                sent += 1;
            } else if left > 0 && chance.below(12) == 0 {
                left -= 1;
                break false;
            } else if executor.step(&mut chooser).unwrap().is_none() && sent == script.len() {
                break true;
            }
        };
        if is_over {
            run(&mut executor, &mut chooser);
            executor.commit().unwrap();
        }
        drop(executor);
        let trace = std::mem::take(&mut *events.lock().unwrap());
        happened = happened.executor(trace.clone());
        if is_over {
            break trace;
        }
    };
    for topic in &case.outputs {
        for (partition, records) in house.records(topic).into_iter().enumerate() {
            let partition = TopicPartition::new(*topic, u32::try_from(partition).unwrap());
            happened = happened.output(partition, records.into_iter().map(|(key, value)| (Some(key), value)));
        }
    }
    (happened, last, house)
}

fn explorer(case: &Case, backend: impl Into<Backend>) -> Explorer {
    let mut explorer = Explorer::new(&case.topology).on(backend);
    for (topic, partitions) in &case.topics {
        explorer = explorer.partitions(&Topic::<String, i64>::of(topic), *partitions);
    }
    let send = |explorer: Explorer, (topic, time, key, value): &(Topic<String, i64>, i64, &str, i64)| {
        explorer.input_at(topic, *time, *key, *value)
    };
    case.script.iter().fold(explorer, send)
}

#[test]
fn what_an_application_does_is_among_what_is_explored() {
    for (name, case) in [("looped", looped()), ("regrouped", regrouped()), ("joined", joined())] {
        let mut different = BTreeMap::new();
        for crashes in [0, 1, 2] {
            let explorer = explorer(&case, Backend::Embedded).crashes(crashes);
            for seed in 0..RUNS {
                let (happened, ..) = really(&case, seed, crashes);
                explorer
                    .accepts(&happened)
                    .unwrap_or_else(|error| panic!("{name}, seed {seed}, {crashes} crashes: {error}\n{happened:?}"));
                *different.entry(format!("{happened:?}")).or_insert(0) += 1;
            }
        }
        println!("{name}: {} runs, {} different ones, all of them explored", 3 * RUNS, different.len());
        assert!(different.len() > 20, "{name}: {} different runs", different.len());
    }
}

/// What lies in the output topics, each record in the explorer's words without its time.
type Ended = BTreeMap<String, Vec<String>>;

fn words(bytes: &[u8]) -> String {
    let number = |bytes: [u8; 8]| i64::from_be_bytes(bytes).to_string();
    bytes.try_into().map_or_else(|_| String::from_utf8(bytes.to_vec()).unwrap(), number)
}

fn really_ended(case: &Case, seed: u64) -> Ended {
    let (.., house) = really(case, seed, 0);
    let in_words = |(key, value): (Vec<u8>, Option<Vec<u8>>)| format!("{} = {}", words(&key), words(&value.unwrap()));
    let of_topic = |topic: &&str| {
        let records = house.records(topic).into_iter().enumerate();
        records
            .map(|(n, records)| (format!("{topic}-{n}"), records.into_iter().map(in_words).collect()))
            .collect::<Vec<_>>()
    };
    case.outputs.iter().flat_map(of_topic).collect()
}

/// Alarms are never false: an application can be led into every end that the explorer tells of.
#[test]
fn every_end_that_is_told_of_really_happens() {
    let at_once =
        || Case { script: looped().script.into_iter().map(|(to, _, key, n)| (to, 1, key, n)).collect(), ..looped() };
    for (name, case) in
        [("looped", looped()), ("looped, at once", at_once()), ("regrouped", regrouped()), ("joined", joined())]
    {
        let without_time = |text: &String| text.rsplit_once(" (").unwrap().0.to_owned();
        let report = explorer(&case, Backend::Embedded).explore();
        let of_end = |end: &tidemill_testkit::explorer::End| -> Ended {
            let outputs = end.records.iter().filter(|(to, _)| case.outputs.iter().any(|topic| to.starts_with(topic)));
            outputs.map(|(to, records)| (to.clone(), records.iter().map(without_time).collect())).collect()
        };
        let told: BTreeSet<Ended> = report.ends().iter().map(of_end).collect();
        let mut happened = BTreeSet::new();
        let mut seeds = 0;
        while happened.len() < told.len() && seeds < SEEDS {
            happened.insert(really_ended(&case, seeds));
            seeds += 1;
        }
        println!("{name}: {} ends, all of them reached by {seeds} seeds", told.len());
        assert_eq!(happened, told, "{name}, after {seeds} seeds");
    }
}

#[test]
fn what_cannot_have_happened_is_refused() {
    let case = looped();
    let (happened, trace, _) = really(&case, 1, 0);
    let embedded = explorer(&case, Backend::Embedded);
    assert_eq!(embedded.accepts(&happened), Ok(()));

    // A record that overtakes the one before it.
    let of_operations =
        |event: &TraceEvent| matches!(event, TraceEvent::Processed { input, .. } if *input.topic == *"operations");
    let places: Vec<usize> = (0..trace.len()).filter(|place| of_operations(&trace[*place])).collect();
    let mut overtaken = trace.clone();
    overtaken.swap(places[0], places[1]);
    let error = embedded.accepts(&RealRun::new(APPLICATION).executor(overtaken)).unwrap_err();
    assert!(error.next.contains("processed operations-0@1"), "{error}");

    // One that is processed twice.
    let mut twice = trace.clone();
    twice.push(trace[places[0]].clone());
    assert!(embedded.accepts(&RealRun::new(APPLICATION).executor(twice)).is_err());

    // A crash that was not allowed, and one that is forgotten.
    let crashed = RealRun::new(APPLICATION).executor([]).executor(trace.clone());
    assert!(embedded.accepts(&crashed).is_err());
    assert_eq!(embedded.clone().crashes(1).accepts(&crashed), Ok(()));

    // Another output.
    let movements = TopicPartition::new("movements", 0);
    let error = embedded.accepts(&happened.clone().output(movements, [])).unwrap_err();
    assert_eq!(error.next, "what can be read in the end");

    // On Kafka the movement would not be there before the commit.
    let error = explorer(&case, Kafka::exactly_once()).accepts(&really_without_commits(&case)).unwrap_err();
    assert!(error.next.contains("processed movements-0@0"), "{error}");
}

/// A run that commits at its end only.
fn really_without_commits(case: &Case) -> RealRun {
    let house = House::new(&case.topology, &case.topics);
    let (mut executor, events) = house.executor(Settings::default());
    case.script.iter().for_each(|(topic, time, key, value)| house.send(topic, *key, *value, *time));
    run(&mut executor, &mut tidemill::exec::EagerChooser::default());
    executor.commit().unwrap();
    let trace = std::mem::take(&mut *events.lock().unwrap());
    RealRun::new(APPLICATION).executor(trace)
}
