//! Each durability setting keeps its promise, and nobody waits for a disk that failed.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tidemill::log::{Append, Durability, EmbeddedLog, Log, LogErrorKind, Notes, Progress, TopicSpec};
use tidemill::record::{Offset, TopicPartition};
use tidemill_testkit::fault::{Fault, SimulatedFiles};

use super::workload::{batch, open};

const SOON: Durability = Durability::Interval(Duration::from_millis(1));
const NOT_BY_ITSELF: Durability = Durability::Interval(Duration::from_secs(3600));

fn with_topic(durability: Durability) -> (SimulatedFiles, EmbeddedLog, TopicPartition) {
    let files = SimulatedFiles::new();
    // An append waits for the interval, so the topic is made in a log that does not.
    open(&files, Durability::Never).unwrap().create_topic(&TopicSpec::new("t", 1)).unwrap();
    let log = open(&files, durability).unwrap();
    (files, log, TopicPartition::new("t", 0))
}

fn one(to: &TopicPartition) -> Append {
    Append { to: to.clone(), records: batch(&[vec![7; 100]]) }
}

fn records_after_crash(files: &SimulatedFiles, seed: u64) -> u64 {
    let image = files.crash(files.operations(), seed);
    open(&image, Durability::Never).unwrap().bounds(&TopicPartition::new("t", 0)).unwrap().end.get()
}

#[test]
fn an_append_that_returned_is_durable_with_an_interval() {
    let (files, log, t0) = with_topic(SOON);
    for count in 1..=20 {
        log.append(vec![one(&t0)], "", Notes::new()).unwrap();
        for seed in 0..8 {
            assert_eq!(records_after_crash(&files, seed), count, "seed {seed}");
        }
    }
}

#[test]
fn a_commit_does_not_wait_for_the_interval_and_closing_syncs_it() {
    let (files, log, t0) = with_topic(NOT_BY_ITSELF);
    let syncs = files.syncs().len();
    let session = log.session("app").unwrap();
    session.stage(one(&t0)).unwrap();
    session.commit(&Progress::default()).unwrap();
    assert_eq!(files.syncs().len(), syncs);
    assert!((0..20).any(|seed| records_after_crash(&files, seed) == 0), "nothing promised it yet");
    drop((session, log));
    assert!((0..20).all(|seed| records_after_crash(&files, seed) == 1));
}

#[test]
fn a_failed_sync_reaches_all_who_wait_for_it() {
    for durability in [SOON, Durability::EveryCommit] {
        let (files, log, t0) = with_topic(durability);
        files.fail(files.operations() + 1, Fault::Error);
        let error = log.append(vec![one(&t0)], "", Notes::new()).unwrap_err();
        assert_eq!(error.kind(), LogErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("simulated error"), "{error}");
        let again = log.append(vec![one(&t0)], "", Notes::new()).unwrap_err();
        assert!(again.to_string().contains("simulated error"), "every call names the cause: {again}");
    }
}

#[test]
fn an_append_behind_an_epoch_hears_that_the_log_broke() {
    let (files, log, t0) = with_topic(Durability::EveryCommit);
    let session = log.session("app").unwrap();
    session.stage(one(&t0)).unwrap();
    let (answer, answered) = mpsc::channel();
    thread::scope(|scope| {
        let (log, t0) = (&log, &t0);
        scope.spawn(move || answer.send(log.append(vec![one(t0)], "", Notes::new()).unwrap_err().kind()));
        assert!(answered.recv_timeout(Duration::from_millis(50)).is_err(), "it waits for the epoch");
        files.fail(files.operations(), Fault::ShortWrite);
        assert_eq!(session.commit(&Progress::default()).unwrap_err().kind(), LogErrorKind::Unavailable);
        assert_eq!(answered.recv_timeout(Duration::from_secs(60)), Ok(LogErrorKind::Unavailable));
    });
    assert!(log.read(&t0, Offset::ZERO, 1).unwrap().is_empty());
}
