//! Rules about applications that are told how far they are.

use tidemill::log::{InputProgress, Log, LogErrorKind, Notes, Progress};
use tidemill::record::{Offset, Timestamp, TopicPartition};

use super::{append, kind, partition, with_topic};

fn at(next: u64) -> InputProgress {
    InputProgress { next: Offset::new(next), partition_time: Some(Timestamp::from_millis(5)) }
}

/// Both partitions read, and a note left.
fn read_all(log: &dyn Log, application: &str) -> (TopicPartition, TopicPartition) {
    let (t0, t1) = with_topic(log);
    append(log, &t0, &["a", "b", "c"]);
    append(log, &t1, &["d"]);
    let notes = Notes::from([(tidemill::log::note_name("times", &t0), b"5".to_vec())]);
    let progress = Progress { inputs: [(t0.clone(), at(3)), (t1.clone(), at(1))].into(), notes };
    log.session(application).unwrap().commit(&progress).unwrap();
    (t0, t1)
}

/// While a session is open its application has a member.
pub fn who_works_for_an_application_is_known(log: &dyn Log) {
    assert!(log.members("app").unwrap().is_empty());
    let session = log.session("app").unwrap();
    assert_eq!(log.members("app").unwrap().len(), 1);
    assert!(log.members("other").unwrap().is_empty());
    drop(session);
    assert!(log.members("app").unwrap().is_empty());
}

/// What an application is told replaces all that was known of it, and nothing of others.
pub fn an_application_is_as_far_as_it_is_told(log: &dyn Log) {
    let (t0, _) = read_all(log, "app");
    log.session("other")
        .unwrap()
        .commit(&Progress { inputs: [(t0.clone(), at(2))].into(), notes: Notes::new() })
        .unwrap();
    let told = Progress {
        inputs: [(t0.clone(), InputProgress { partition_time: None, ..at(1) })].into(),
        notes: Notes::new(),
    };
    log.set_progress("app", &told).unwrap();
    assert_eq!(log.progress("app").unwrap(), told);
    assert_eq!(log.session("app").unwrap().progress().unwrap(), told);
    assert_eq!(log.progress("other").unwrap().inputs[&t0], at(2));
    log.set_progress("app", &Progress::default()).unwrap();
    assert_eq!(log.progress("app").unwrap(), Progress::default());
    assert_eq!(log.applications().unwrap(), ["other"]);
    let unknown = Progress { inputs: [(partition("none", 0), at(1))].into(), notes: Notes::new() };
    assert_eq!(kind(log.set_progress("other", &unknown)), Some(LogErrorKind::UnknownTopic));
    assert_eq!(log.progress("other").unwrap().inputs[&t0], at(2), "as a whole or not at all");
}

/// A session would undo with its next commit what its application was told.
pub fn a_running_application_is_not_told_how_far_it_is(log: &dyn Log) {
    let (t0, t1) = read_all(log, "app");
    let session = log.session("app").unwrap();
    assert_eq!(kind(log.set_progress("app", &Progress::default())), Some(LogErrorKind::Invalid));
    assert_eq!(log.progress("app").unwrap().inputs, [(t0, at(3)), (t1, at(1))].into());
    drop(session);
    log.set_progress("app", &Progress::default()).unwrap();
}

/// Nothing of what an application was before it was reset comes back.
pub fn an_opened_log_has_forgotten_what_was_reset(open: &dyn Fn() -> Box<dyn Log>) {
    let log = open();
    let (_, t1) = read_all(&*log, "app");
    let told = Progress { inputs: [(t1, at(0))].into(), notes: Notes::new() };
    log.set_progress("app", &told).unwrap();
    drop(log);
    for _ in 0..2 {
        assert_eq!(open().progress("app").unwrap(), told);
    }
}
