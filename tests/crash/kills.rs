//! A bank that is killed again and again while it works has, in the end, applied every operation exactly once.
//!
//! The file grows before each round, so every round has work to do: what the killed one left, and new lines.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tidemill::log::{EmbeddedLog, Log, LogSettings};
use tidemill::record::TopicPartition;

use crate::chance::{Chance, SEED};
use crate::inputs::Scene;
use crate::model::Books;
use crate::process::{bank, pause, succeed};
use crate::rounds::{Tally, rounds};

const LINES_PER_ROUND: usize = 12_000;
const ROUNDS_PER_FOLDER: u32 = 6;
/// Less than a batch of operations has, and more than anything else that is written before it.
const BATCH_BYTES: u64 = 50_000;
/// Often, so that kills meet commits.
const COMMIT_EVERY: [&str; 2] = ["--commit-every", "3"];

#[test]
fn the_join_survives_kills() {
    survives("join", ["bank-join-operations", "bank-join-movements"]);
}

#[test]
fn the_event_sourced_bank_survives_kills() {
    survives("event-sourced", ["bank-operations-commands", "bank-movements-events"]);
}

fn survives(form: &str, topics: [&str; 2]) {
    let seed = Chance::seed();
    let repeat = format!("repeat: {SEED}={seed} cargo test --test crash kills");
    let mut chance = Chance::new(seed);
    let whole = time_of_a_whole_run(form, &mut chance);
    println!("{form}: seed {seed}; a run that is left alone takes {whole:?}");
    let mut tally = Tally::default();
    while tally.kills < rounds() {
        // A fresh folder now and then: a first start can be killed too, and books stay small enough to compare.
        let mut scene = Scene::new();
        for _ in 0..ROUNDS_PER_FOLDER {
            tally.begin(&repeat);
            scene.grow(LINES_PER_ROUND, &mut chance);
            // Most kills strike when the bank has stored something and works on it, some at any time: while it starts, too.
            let at_work = chance.below(4) > 0;
            let moment = whole.mul_f64(chance.below(1_000) as f64 / if at_work { 2_000.0 } else { 1_000.0 });
            tally.count(run_and_kill(form, &scene, at_work, moment));
            let (stored, decided) = progress(&scene.data(), topics);
            assert!(decided <= stored && stored <= scene.operations.len() as u64, "{repeat}");
            tally.amid += u32::from(decided < stored);
            tally.records += stored;
            // A start that is given nothing new finishes what was stored, and has exactly that.
            let ended = succeed(bank(&scene.data(), form).arg("/dev/null"));
            let stored = usize::try_from(stored).unwrap();
            Books::printed(&ended.stdout).assert_equal(&Books::of(&scene.operations[..stored], form), &repeat);
        }
        let ended = succeed(bank(&scene.data(), form).arg(scene.file()));
        Books::printed(&ended.stdout).assert_equal(&Books::of(&scene.operations, form), &repeat);
    }
    assert!(tally.amid > 0, "no kill struck between storing and deciding; {repeat}");
    println!("bank, {form}: {tally}");
}

/// How long a round takes that nobody kills; measured behind another one, so that building and first loading are left out.
#[allow(clippy::disallowed_methods, reason = "another process is timed")]
fn time_of_a_whole_run(form: &str, chance: &mut Chance) -> Duration {
    let mut scene = Scene::new();
    let mut run = || {
        scene.grow(LINES_PER_ROUND, chance);
        let begin = Instant::now();
        succeed(bank(&scene.data(), form).args(COMMIT_EVERY).arg(scene.file()));
        begin.elapsed()
    };
    run();
    run()
}

/// Starts the bank and kills it after some time, or so long after it stored its first batch; `false` when it was done before.
fn run_and_kill(form: &str, scene: &Scene, at_work: bool, moment: Duration) -> bool {
    let before = bytes(&scene.data());
    let mut command = bank(&scene.data(), form);
    let mut bank =
        command.args(COMMIT_EVERY).arg(scene.file()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while at_work && bytes(&scene.data()) < before + BATCH_BYTES && bank.try_wait().unwrap().is_none() {
        pause(Duration::from_millis(1));
    }
    pause(moment);
    // SIGKILL where there are signals.
    bank.kill().unwrap();
    !bank.wait().unwrap().success()
}

/// How many bytes the log has.
pub(crate) fn bytes(data: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(data) else { return 0 };
    let segments = entries.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "segment"));
    segments.filter_map(|segment| segment.metadata().ok()).map(|meta| meta.len()).sum()
}

/// How many operations are stored, and how many are decided; nothing is when the log was not made yet.
fn progress(data: &Path, [operations, movements]: [&str; 2]) -> (u64, u64) {
    let log = EmbeddedLog::open(data, LogSettings::default()).unwrap();
    let records = |topic: &str| {
        let partitions = log.topic(topic).unwrap().map_or(0, |spec| spec.partitions);
        let all =
            (0..partitions).map(|partition| log.bounds(&TopicPartition::new(topic, partition)).unwrap().end.get());
        all.sum()
    };
    (records(operations), records(movements))
}
