//! After a failed write or sync the log stops, keeps serving what it has, and is whole when it is opened again.

use tidemill::log::{Append, Durability, EmbeddedLog, Log, LogErrorKind, Notes, TopicSpec};
use tidemill::record::{Offset, TopicPartition};
use tidemill_testkit::fault::{Fault, SimulatedFiles};

use super::workload::{Contents, History, Run, batch, open};

const ROUNDS: u64 = 6;

/// Runs the workload until it fails, checks that the log stopped, and gives its history.
fn run_until_broken(files: &SimulatedFiles, story: &str) -> Option<History> {
    let log = open(files, Durability::EveryCommit).ok()?;
    let mut run = Run::new(files, &log, Durability::EveryCommit);
    let error = run.run(ROUNDS).expect_err(story);
    assert_eq!(error.kind(), LogErrorKind::Unavailable, "{story}: {error}");
    assert!(error.to_string().contains("open"), "{story}: names no next step: {error}");
    stopped(&log, story);
    Some(std::mem::take(&mut run.history))
}

fn stopped(log: &EmbeddedLog, story: &str) {
    let unavailable = |error: tidemill::log::LogError| assert_eq!(error.kind(), LogErrorKind::Unavailable, "{story}");
    unavailable(log.create_topic(&TopicSpec::new("late", 1)).expect_err(story));
    unavailable(log.session("late").map(|_| ()).expect_err(story));
    for topic in log.topics().unwrap() {
        let partition = TopicPartition::new(topic.name.clone(), 0);
        let append = Append { to: partition.clone(), records: batch(&[b"late".to_vec()]) };
        unavailable(log.append(vec![append], "", Notes::new()).expect_err(story));
        log.read(&partition, Offset::ZERO, usize::MAX).expect(story);
    }
}

/// Opens the log again without faults: it must have all that was promised, and no half change.
fn reopened(files: &SimulatedFiles, history: Option<History>, story: &str) {
    let Some(history) = history else {
        open(files, Durability::EveryCommit).unwrap_or_else(|error| panic!("{story}: {error}"));
        return;
    };
    let log = open(files, Durability::EveryCommit).unwrap_or_else(|error| panic!("{story}: {error}"));
    let contents = Contents::of(&log);
    let state = history.states.iter().rposition(|state| *state == contents);
    let promised = history.promised.iter().rposition(Option::is_some).unwrap_or(0);
    assert!(state.is_some_and(|state| state >= promised), "{story}: {state:?}, promised {promised}: {contents:#?}");
}

#[test]
fn every_operation_may_fail_once() {
    let clean = SimulatedFiles::new();
    let log = open(&clean, Durability::EveryCommit).unwrap();
    Run::new(&clean, &log, Durability::EveryCommit).run(ROUNDS).unwrap();
    let mut faults = 0;
    for operation in 0..clean.operations() {
        for fault in [Fault::Error, Fault::ShortWrite] {
            let story = format!("operation {operation}: {fault:?}");
            let files = SimulatedFiles::new();
            files.fail(operation, fault);
            let history = run_until_broken(&files, &story);
            assert_eq!(files.faults_met(), 1, "{story}");
            reopened(&files, history, &story);
            faults += 1;
        }
    }
    println!("{faults} faults");
    assert!(faults >= 100);
}

#[test]
fn the_disk_may_be_full_at_any_byte() {
    let clean = SimulatedFiles::new();
    let log = open(&clean, Durability::EveryCommit).unwrap();
    Run::new(&clean, &log, Durability::EveryCommit).run(ROUNDS).unwrap();
    let bytes: u64 = tidemill::log::Files::list(&clean)
        .unwrap()
        .iter()
        .map(|name| tidemill::log::Files::open(&clean, name).unwrap().length().unwrap())
        .sum();
    let mut faults = 0;
    for capacity in (0..usize::try_from(bytes).unwrap()).step_by(53) {
        let story = format!("room for {capacity} bytes");
        let files = SimulatedFiles::new();
        files.limit(Some(capacity));
        let history = run_until_broken(&files, &story);
        files.limit(None);
        reopened(&files, history, &story);
        faults += files.faults_met();
    }
    println!("{faults} times full");
    assert!(faults >= 100);
}

#[test]
fn a_read_error_passes() {
    let files = SimulatedFiles::new();
    let log = open(&files, Durability::EveryCommit).unwrap();
    Run::new(&files, &log, Durability::EveryCommit).run(ROUNDS).unwrap();
    drop(log);
    let log = open(&files, Durability::EveryCommit).unwrap();
    let a0 = TopicPartition::new("a", 0);
    files.fail_reads(true);
    assert_eq!(log.read(&a0, Offset::ZERO, 1).unwrap_err().kind(), LogErrorKind::Unavailable);
    files.fail_reads(false);
    let whole = log.read(&a0, Offset::ZERO, 1).unwrap();
    // Stored bytes that changed since the log was opened are noticed when they are read.
    files.damage("00000000000000000000.segment", |bytes| {
        let at = bytes.windows(4).position(|window| window == b"0.0.").unwrap();
        bytes[at] ^= 1;
    });
    let error = log.read(&a0, Offset::ZERO, 1).unwrap_err();
    assert_eq!(error.kind(), LogErrorKind::Corrupt, "{error}");
    assert_eq!(whole[0].base(), Offset::ZERO);
}
