//! Whole applications on a log that fails, step by step from a seed: whatever happens, every word is counted once, and what is
//! counted is summed up once. What has to come out is computed from what went in.
//!
//! `SIM_SEED=7` begins with another seed, `SIM_RUNS=100000` makes more runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tidemill::exec::{Executor, Settings};
use tidemill::log::Session;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{ErrorKind, Topic};

use super::chance::Chance;
use super::flaky_session::{Fault, FlakySession};
use super::house::{House, SeededChooser, run};

const WORDS: Topic<String, String> = Topic::of("words");
const COUNTED: Topic<String, i64> = Topic::of("counted");
const SUMMED: Topic<String, i64> = Topic::of("summed");
const COUNTS: Store<String, i64> = Store::of("counts");
const SUMS: Store<String, i64> = Store::of("sums");
const SEED: u64 = 1;
const RUNS: u64 = 3_000;

fn of_environment<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Three tasks in a row, each in two partitions: lines by word behind a repartition topic, and what comes out summed up again.
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let by_word = builder.stream(&WORDS).group_by(|_, word| word.clone()).named("by-word");
    by_word.count_with(&COUNTS).to_stream().map_values(|n| n.unwrap_or(0)).to(&COUNTED);
    let sums = builder.stream(&COUNTED).group_by_key().reduce_with(&SUMS, |sum, count| sum + count);
    sums.to_stream().map_values(|sum| sum.unwrap_or(0)).to(&SUMMED);
    builder.build().unwrap()
}

fn words(chance: &mut Chance) -> Vec<(String, String)> {
    let count = 4 + chance.below(12);
    (0..count).map(|line| (format!("line-{line}"), format!("word-{}", chance.below(4)))).collect()
}

/// Values of each key, in their order.
type ByKey = BTreeMap<String, Vec<i64>>;

/// Of each word: one, two, three; and their sums.
fn oracle(words: &[(String, String)]) -> [ByKey; 2] {
    let [mut counted, mut summed] = [ByKey::new(), ByKey::new()];
    for (_, word) in words {
        let counts = counted.entry(word.clone()).or_default();
        counts.push(i64::try_from(counts.len()).unwrap() + 1);
        summed.entry(word.clone()).or_default().push(counts.iter().sum());
    }
    [counted, summed]
}

fn found(house: &House, topic: &str) -> ByKey {
    let mut found = ByKey::new();
    for (key, value) in house.records(topic).into_iter().flatten() {
        let value = i64::from_be_bytes(value.unwrap().try_into().unwrap());
        found.entry(String::from_utf8(key).unwrap()).or_default().push(value);
    }
    found
}

/// What a run met and left, for comparing it with another of the same seed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    /// How often each fault happened.
    faults: BTreeMap<Fault, u32>,
    crashes: u32,
    steps: u64,
    /// All that executors did, in words.
    trace: Vec<String>,
    /// What chance would have said next.
    next: u64,
}

fn settings(chance: &mut Chance) -> Settings {
    // Stores are written down at every commit or never, so what lies on the disk lags by as much as there is.
    let flush_rows = if chance.below(2) == 0 { 1 } else { usize::MAX };
    Settings { flush_rows, step_records: 1 + u32::try_from(chance.below(3)).unwrap(), ..Settings::default() }
}

/// An executor on a log where each call fails once in `rarely` times.
fn flaky(
    house: &House,
    settings: Settings,
    seed: u64,
    rarely: u64,
    faults: &Arc<Mutex<BTreeMap<Fault, u32>>>,
) -> (Executor, super::house::Events) {
    let (mut chance, faults) = (Chance::new(seed), faults.clone());
    let decide = move |possible: &[Fault]| {
        let fault = (chance.below(rarely) == 0)
            .then(|| possible[usize::try_from(chance.below(possible.len() as u64)).unwrap()]);
        fault.inspect(|fault| *faults.lock().unwrap().entry(*fault).or_insert(0) += 1)
    };
    let session: Arc<dyn Session> = Arc::new(FlakySession::new(house.session(), decide));
    house.executor_on(session.clone(), Arc::new(session), settings)
}

/// Lets executors work one after another until everything was sent and a last one had nothing left to do.
fn simulate(seed: u64) -> (Told, [ByKey; 2], [ByKey; 2]) {
    let mut chance = Chance::new(seed);
    let (words, mut chooser) = (words(&mut chance), SeededChooser(seed));
    let house = House::new(&topology(), &[("words", 2), ("counted", 2), ("summed", 2)]);
    let (mut told, mut sent, faults) = (Told::default(), 0, Arc::default());
    for life in 0.. {
        // After some lives the log is mended.
        let rarely = if life < 6 { 10 + chance.below(60) } else { u64::MAX };
        let (mut executor, events) = flaky(&house, settings(&mut chance), chance.below(u64::MAX), rarely, &faults);
        let ended = loop {
            house.clock.advance(std::time::Duration::from_millis(chance.below(20)));
            if sent < words.len() && chance.below(3) == 0 {
                let (line, word) = &words[sent];
                house.send(&WORDS, line.as_str(), word.clone(), i64::try_from(sent).unwrap());
                sent += 1;
            }
            if life < 6 && chance.below(80) == 0 {
                told.crashes += 1;
                break None;
            }
            told.steps += 1;
            match executor.step(&mut chooser) {
                Err(error) => break Some(Err(error)),
                Ok(None) if sent == words.len() => break Some(executor.commit()),
                Ok(_) => {}
            }
        };
        told.trace.extend(events.lock().unwrap().iter().map(|event| format!("{event:?}")));
        match ended {
            None => {}
            Some(Err(error)) => assert_eq!(error.kind(), ErrorKind::Unavailable, "seed {seed}: {error}"),
            Some(Ok(())) => break,
        }
    }
    // One more, to see that nothing was left and nothing is done again.
    let ends = house.ends();
    let (mut executor, _) = house.executor(Settings::default());
    run(&mut executor, &mut chooser);
    executor.commit().unwrap();
    assert_eq!(house.ends(), ends, "seed {seed}: something was left to do");
    (told.faults, told.next) = (std::mem::take(&mut *faults.lock().unwrap()), chance.below(u64::MAX));
    (told, oracle(&words), ["counted", "summed"].map(|topic| found(&house, topic)))
}

#[test]
fn every_word_is_counted_once_whatever_the_log_does() {
    let (first, runs) = (of_environment("SIM_SEED", SEED), of_environment("SIM_RUNS", RUNS));
    let mut all = Told::default();
    for seed in first..first + runs {
        let (told, expected, found) = simulate(seed);
        assert_eq!(
            found, expected,
            "seed {seed}: {told:?}\nrepeat: SIM_SEED={seed} SIM_RUNS=1 cargo test --test seams simulation"
        );
        told.faults.into_iter().for_each(|(fault, times)| *all.faults.entry(fault).or_insert(0) += times);
        all.crashes += told.crashes;
        all.steps += told.steps;
    }
    println!("SIM_SEED={first} SIM_RUNS={runs}: {} steps, {} crashes, {:?}", all.steps, all.crashes, all.faults);
    if runs >= RUNS {
        assert_eq!(all.faults.len(), 5, "each fault happens: {:?}", all.faults);
    }
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    let first = of_environment("SIM_SEED", SEED);
    for seed in first..first + 20 {
        assert_eq!(simulate(seed), simulate(seed), "seed {seed}");
    }
    assert_ne!(simulate(first).0, simulate(first + 1).0, "another seed, another run");
}

/// The calls of a run, one after another, each with each fault that it knows: so a crash comes at every point of every commit.
#[test]
fn a_fault_at_any_call_of_the_log_loses_nothing() {
    let words: Vec<(String, String)> =
        (0..6).map(|line| (format!("line-{line}"), format!("word-{}", line % 2))).collect();
    let (mut met, mut place) = (0, 0);
    loop {
        let mut more = false;
        for which in 0..2 {
            let house = House::new(&topology(), &[("words", 2), ("counted", 2), ("summed", 2)]);
            let (mut calls, struck) = (0, Arc::new(Mutex::new(None)));
            let strikes = struck.clone();
            let decide = move |possible: &[Fault]| {
                calls += 1;
                let fault = (calls == place + 1).then(|| possible[which]);
                let mut strikes = strikes.lock().unwrap();
                *strikes = strikes.or(fault);
                fault
            };
            let session: Arc<dyn Session> = Arc::new(FlakySession::new(house.session(), decide));
            let settings = Settings { flush_rows: 1, step_records: 2, ..Settings::default() };
            let (mut executor, _) = house.executor_on(session.clone(), Arc::new(session), settings);
            let mut chooser = SeededChooser(3);
            let mut work = || {
                for (line, word) in &words {
                    house.send(&WORDS, line.as_str(), word.clone(), 1);
                    while executor.step(&mut chooser)?.is_some() {}
                }
                executor.commit()
            };
            let ended = work();
            drop(executor);
            let fault = *struck.lock().unwrap();
            assert!(ended.is_ok() || fault.is_some(), "{ended:?}");
            more |= fault.is_some();
            met += u32::from(fault.is_some());
            let left = words.len()
                - usize::try_from(
                    house
                        .ends()
                        .iter()
                        .filter(|((topic, _), _)| **topic == *"words")
                        .map(|(_, end)| end.get())
                        .sum::<u64>(),
                )
                .unwrap();
            words[words.len() - left..]
                .iter()
                .for_each(|(line, word)| house.send(&WORDS, line.as_str(), word.clone(), 1));
            let (mut executor, _) = house.executor(settings);
            run(&mut executor, &mut SeededChooser(4));
            executor.commit().unwrap();
            assert_eq!(
                ["counted", "summed"].map(|topic| found(&house, topic)),
                oracle(&words),
                "{fault:?} at call {place}"
            );
        }
        if !more {
            break;
        }
        place += 1;
    }
    println!("{met} faults at {place} calls");
    assert!(place > 50, "{place} calls");
}
