//! Topologies of the golden recordings, with a few of their recorded records, under crashes and rebalances at every moment.
//! `EXPLORE=all` takes all recordings, `EXPLORE=NAME` those with this in their name.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use tidemill::Topic;
use tidemill::serde::SerdeRef;
use tidemill::state::Changelog;
use tidemill::topology::TaskSettings;
use tidemill_testkit::explorer::{Backend, Explorer, Kafka};

use crate::given;
use crate::scenarios::{self, Scenario};
use crate::vector::{self, Piped, Role, Vector};

/// A scenario that has more worlds than this is explored with fewer records.
const STATES: usize = 60_000;

/// They emit when an interval of the wall clock is over, which a restart begins anew: so a crash shows in when results come.
const BY_THE_CLOCK: [&str; 2] = ["tumbling_emit_final_throttled", "stream_stream_left_throttled"];

/// One for each kind of operator that keeps something.
const CHOSEN: [&str; 21] = [
    "aggregate_json_stats",
    "bank_account",
    "cache_count_plain",
    "cache_suppress",
    "cogroup_two",
    "deduplication",
    "emit_final_in_memory",
    "global_table",
    "hopping_sum",
    "reduce_sum",
    "session_count",
    "sliding_count",
    "stream_stream_inner",
    "stream_stream_left",
    "stream_table_left",
    "suppress_window_close",
    "table_groupby_count",
    "table_table_outer",
    "topology_word_count",
    "tumbling_count",
    "versioned_stream_table_join",
];

fn is_chosen(scenario: &str) -> bool {
    match std::env::var("EXPLORE").as_deref() {
        Ok("all") => !BY_THE_CLOCK.contains(&scenario),
        Ok(part) => scenario.contains(part),
        Err(_) => CHOSEN.contains(&scenario),
    }
}

fn vectors() -> Vec<Vector> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "golden", "vectors"].iter().collect();
    let mut scenarios = BTreeSet::new();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("the folder lists it");
        Vector::parse(&text).unwrap_or_else(|error| panic!("`{}` {error}", path.display()))
    };
    let all = vector::files(&folder).into_iter().map(read);
    // One case of each: the first is the one that was written by hand.
    let chosen = all.filter(|vector| vector.start_error.is_none() && is_chosen(&vector.scenario));
    chosen.filter(|vector| scenarios.insert(vector.scenario.clone())).collect()
}

/// The first record of each input, then the first ones, in the order of the file. Those that fail are left out.
fn records(vector: &Vector, count: usize) -> Vec<&Piped> {
    let piped: Vec<&Piped> =
        vector.steps.iter().filter(|step| step.error.is_none()).filter_map(|step| step.pipe.as_ref()).collect();
    let mut topics = BTreeSet::new();
    let mut chosen: BTreeSet<usize> = (0..piped.len()).filter(|place| topics.insert(&piped[*place].topic)).collect();
    for place in 0..piped.len() {
        if chosen.len() >= count {
            break;
        }
        chosen.insert(place);
    }
    chosen.into_iter().take(count).map(|place| piped[place]).collect()
}

fn explorer(vector: &Vector, scenario: &Scenario, count: usize) -> Explorer {
    let topology = scenario.build().unwrap();
    let settings = given::settings(vector, scenario).unwrap();
    let settings = TaskSettings { changelog: Changelog::LastPerCommit, ..settings };
    let mut explorer = Explorer::new(&topology).settings(settings).states_max(STATES);
    for (name, _) in vector.topics.iter().filter(|(_, types)| types.role != Role::Internal) {
        let topic: Topic<String, String> = Topic::new(name.as_str(), SerdeRef::of(), SerdeRef::of());
        explorer = explorer.partitions(&topic, 1);
    }
    for piped in records(vector, count) {
        let record = given::record(vector, piped).unwrap();
        explorer = explorer.input_raw(
            &piped.topic,
            record.key.as_deref(),
            record.value.as_deref(),
            record.at,
            &record.headers,
        );
    }
    explorer
}

struct Faults {
    backend: Backend,
    crashes: u8,
    rebalances: u8,
    records: usize,
}

/// What was explored.
#[derive(Debug, Default)]
struct Counted {
    scenarios: usize,
    states: usize,
    transitions: u64,
    /// Scenarios with more worlds than fit, by how many records they were explored with instead.
    with_fewer: Vec<(String, usize)>,
}

fn every_scenario(faults: &Faults) {
    let (scenarios, mut counted) = (scenarios::all(), Counted::default());
    let (mut wrong, mut refused, mut too_many) = (Vec::new(), Vec::new(), Vec::new());
    for vector in vectors() {
        let Some(scenario) = scenarios.get(vector.scenario.as_str()) else { continue };
        let mut explored = false;
        for count in (1..=faults.records).rev() {
            let explorer = explorer(&vector, scenario, count).on(faults.backend).crashes(faults.crashes);
            let explorer = explorer.rebalances(faults.rebalances).refines_crash_free();
            let Ok(report) = catch_unwind(AssertUnwindSafe(|| explorer.explore())) else {
                // It keeps state in the fields of a processor, which has no copy; among those that were chosen there is none.
                refused.push(vector.scenario.clone());
                break;
            };
            counted.states += report.states();
            counted.transitions += report.transitions();
            if report.is_complete() {
                let stories = report.answers().filter_map(|(name, verdict)| Some((name, verdict.story()?)));
                let told = |(name, story)| format!("{}, {count} records: not `{name}`\n{story}", vector.scenario);
                wrong.extend(stories.map(told));
                if count < faults.records {
                    counted.with_fewer.push((vector.scenario.clone(), count));
                }
                explored = true;
                break;
            }
        }
        counted.scenarios += usize::from(explored);
        if !explored && refused.last() != Some(&vector.scenario) {
            too_many.push(vector.scenario.clone());
        }
    }
    let Faults { backend, crashes, rebalances, records } = faults;
    println!(
        "{backend}, {crashes} crashes, {rebalances} rebalances, {records} records: {counted:?}; refused: {refused:?}; more than \
         {STATES} worlds with one record: {too_many:?}"
    );
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(counted.scenarios > 0, "nothing was explored");
    let chosen_by_hand = std::env::var_os("EXPLORE").is_none();
    assert!(!chosen_by_hand || refused.is_empty() && too_many.is_empty(), "refused: {refused:?}, {too_many:?}");
}

const KAFKA: Backend = Backend::Kafka(Kafka::exactly_once());

#[test]
fn a_crash_leaves_no_trace_in_recorded_scenarios_on_kafka() {
    every_scenario(&Faults { backend: KAFKA, crashes: 1, rebalances: 0, records: 2 });
}

#[test]
fn two_crashes_leave_no_trace_in_recorded_scenarios_on_kafka() {
    every_scenario(&Faults { backend: KAFKA, crashes: 2, rebalances: 0, records: 1 });
}

#[test]
fn crashes_leave_no_trace_in_recorded_scenarios_on_the_embedded_log() {
    every_scenario(&Faults { backend: Backend::Embedded, crashes: 1, rebalances: 0, records: 3 });
    every_scenario(&Faults { backend: Backend::Embedded, crashes: 2, rebalances: 0, records: 2 });
}

#[test]
fn a_rebalance_leaves_no_trace_in_recorded_scenarios() {
    every_scenario(&Faults { backend: KAFKA, crashes: 0, rebalances: 1, records: 1 });
}
