//! After a loss of power at any moment the log opens, has everything it promised, and nothing by halves.

use tidemill::log::{Append, Durability, Log, Notes};
use tidemill::record::TopicPartition;
use tidemill_testkit::fault::SimulatedFiles;

use super::workload::{Contents, History, Run, batch, open};

const ROUNDS: u64 = 30;
const SEEDS: u64 = 12;

fn run(durability: Durability) -> (SimulatedFiles, History) {
    let files = SimulatedFiles::new();
    let log = open(&files, durability).unwrap();
    let mut run = Run::new(&files, &log, durability);
    run.run(ROUNDS).unwrap();
    let history = std::mem::take(&mut run.history);
    assert_eq!(history.states.last(), Some(&Contents::of(&log)));
    (files, history)
}

/// The state that a log opened on this image has, as a number of the history.
fn state(image: &SimulatedFiles, durability: Durability, history: &History, story: &str) -> usize {
    let log = open(image, durability).unwrap_or_else(|error| panic!("{story}: does not open: {error}"));
    let contents = Contents::of(&log);
    let state = history.states.iter().position(|state| *state == contents);
    state.unwrap_or_else(|| panic!("{story}: half a change is there: {contents:#?}"))
}

fn check(durability: Durability) -> usize {
    let (files, history) = run(durability);
    let mut images = 0;
    for operation in 0..=files.operations() {
        for seed in 0..SEEDS {
            let story = format!("{durability:?}, crash before operation {operation}, seed {seed}");
            let image = files.crash(operation, seed * 7919 + operation as u64);
            let state = state(&image, durability, &history, &story);
            let possible = history.possible(operation);
            assert!(possible.contains(&state), "{story}: state {state} is not in {possible:?}");
            images += 1;
        }
    }
    println!("{images} crash images, {} syncs, {durability:?}", files.syncs().len());
    images
}

#[test]
fn no_crash_loses_what_was_promised_when_every_commit_is_synced() {
    assert!(check(Durability::EveryCommit) >= 1000);
}

#[test]
fn no_crash_loses_what_was_synced_or_leaves_a_hole_when_commits_are_not_synced() {
    assert!(check(Durability::Never) >= 1000);
}

/// Opening after a crash writes too: it cuts, removes and begins segments.
#[test]
fn a_crash_while_the_log_recovers_loses_nothing_more() {
    let (files, history) = run(Durability::Never);
    let mut images = 0;
    for operation in (0..=files.operations()).step_by(3) {
        let image = files.crash(operation, operation as u64);
        let begun = image.operations();
        let story = format!("crash before operation {operation}");
        let before = state(&image, Durability::Never, &history, &story);
        for again in begun..=image.operations() {
            for seed in 0..4 {
                let story = format!("{story}, again before operation {again} of the recovery, seed {seed}");
                let after = state(&image.crash(again, seed), Durability::Never, &history, &story);
                assert_eq!(after, before, "{story}");
                images += 1;
            }
        }
    }
    println!("{images} crash images of recoveries");
    assert!(images >= 500);
}

/// After a crash the log goes on, and a second crash keeps what was added since.
#[test]
fn what_is_appended_after_a_crash_survives_the_next_one() {
    let (files, history) = run(Durability::Never);
    let b0 = TopicPartition::new("b", 0);
    let mut images = 0;
    for operation in (20..=files.operations()).step_by(3) {
        let image = files.crash(operation, operation as u64);
        let before = state(&image, Durability::EveryCommit, &history, "the first crash");
        let mut expected = history.states[before].clone();
        if !expected.records.contains_key(&b0) {
            continue;
        }
        let log = open(&image, Durability::EveryCommit).unwrap();
        log.append(vec![Append { to: b0.clone(), records: batch(&[b"new".to_vec()]) }], "", Notes::new()).unwrap();
        expected.records.get_mut(&b0).unwrap().push(b"new".to_vec());
        for seed in 0..8 {
            let log = open(&image.crash(image.operations(), seed), Durability::EveryCommit).unwrap();
            assert_eq!(Contents::of(&log), expected, "operation {operation}, seed {seed}");
            images += 1;
        }
    }
    println!("{images} second crashes");
    assert!(images >= 100);
}

/// Damage to what was durable is no crash: the log refuses to open, and says where.
#[test]
fn damage_before_the_durable_end_is_reported_and_not_cut_off() {
    let (files, _) = run(Durability::EveryCommit);
    let names = tidemill::log::Files::list(&files).unwrap();
    let segments: Vec<_> = names.iter().filter(|name| name.ends_with(".segment")).collect();
    assert!(segments.len() > 2, "{segments:?}");
    let mut damages = 0;
    for (at, name) in segments.iter().enumerate() {
        let mut length = 0;
        files.after_kill().damage(name, |bytes| length = bytes.len());
        // The last frame of the last segment cannot be told from one that a crash broke.
        let until = if at + 1 == segments.len() { length / 2 } else { length };
        for byte in (0..until).step_by(41) {
            let image = files.after_kill();
            image.damage(name, |bytes| bytes[byte] ^= 0x10);
            let error = open(&image, Durability::EveryCommit).expect_err(&format!("byte {byte} of `{name}`"));
            assert_eq!(error.kind(), tidemill::log::LogErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains(*name), "{error}");
            damages += 1;
        }
    }
    println!("{damages} damaged bytes found");
}
