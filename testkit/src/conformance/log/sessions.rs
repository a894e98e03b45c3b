//! Rules about epochs, visibility and fencing.

use tidemill::log::{InputProgress, Log, LogErrorKind, OwnRecords, Progress};
use tidemill::record::{Offset, Timestamp};

use super::{append, kind, own_values, partition, records, stage, to, values, with_topic};

fn progress(input: &tidemill::record::TopicPartition, next: u64, note: &str) -> Progress {
    let reached = InputProgress { next: Offset::new(next), partition_time: Some(Timestamp::from_millis(5)) };
    Progress { inputs: [(input.clone(), reached)].into(), notes: [("note".to_owned(), note.into())].into() }
}

/// Before the commit nobody else sees what was staged; its own session does where the log says so.
pub fn staged_records_are_seen_by_their_session_only(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    append(log, &t0, &["a"]);
    let (session, other) = (log.session("app").unwrap(), log.session("other").unwrap());
    stage(&*session, &t0, &["b"]);
    assert_eq!(values(log, &t0), ["a"]);
    assert_eq!(own_values(&*other, &t0), ["a"]);
    match session.own_records() {
        OwnRecords::AtOnce => assert_eq!(own_values(&*session, &t0), ["a", "b"]),
        OwnRecords::AtCommit => assert_eq!(own_values(&*session, &t0), ["a"]),
        OwnRecords::OnceWritten => panic!("without transactions nobody can say who sees it"),
    }
}

/// A commit shows records of all partitions, progress and notes, in one step.
pub fn a_commit_shows_everything_at_once(log: &dyn Log) {
    let (t0, t1) = with_topic(log);
    let session = log.session("app").unwrap();
    let promised = stage(&*session, &t1, &["b", "c"]);
    stage(&*session, &t0, &["a"]);
    assert_eq!(session.progress().unwrap(), Progress::default());
    assert_eq!(log.progress("app").unwrap(), Progress::default());
    session.commit(&progress(&t0, 1, "x")).unwrap();
    assert_eq!(log.progress("app").unwrap(), progress(&t0, 1, "x"));
    // Once its progress can be seen: a log elsewhere may tell of it a moment later.
    assert_eq!(log.applications().unwrap(), ["app"]);
    assert_eq!((values(log, &t0), values(log, &t1)), (vec!["a".to_owned()], vec!["b".to_owned(), "c".to_owned()]));
    let (first, value) = records(&|from| log.read(&t1, from, 1)).swap_remove(0);
    assert_eq!(value, "b");
    assert!(promised.is_none_or(|promised| promised.get() == first), "{promised:?}");
    assert_eq!(session.progress().unwrap(), progress(&t0, 1, "x"));
    drop(session);
    assert_eq!(log.session("app").unwrap().progress().unwrap(), progress(&t0, 1, "x"));
    assert_eq!(log.session("other").unwrap().progress().unwrap(), Progress::default());
}

/// A session reads committed and own records in the order of offsets, wherever it begins, and stays in bounds.
pub fn own_records_are_read_in_their_place(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    append(log, &t0, &["0", "1"]);
    let session = log.session("app").unwrap();
    if session.own_records() != OwnRecords::AtOnce {
        return;
    }
    for (at, value) in ["2", "3", "4", "5"].into_iter().enumerate() {
        assert_eq!(stage(&*session, &t0, &[value]), Some(Offset::new(2 + at as u64)));
        assert_eq!(session.end(&t0).unwrap(), Offset::new(3 + at as u64));
        for from in 0..=(at as u64 + 2) {
            let read = session.read(&t0, Offset::new(from), usize::MAX).unwrap();
            assert!(read[0].base().get() <= from && from < read[0].end().get());
            assert!(read.windows(2).all(|pair| pair[0].end() == pair[1].base()), "no hole and no repetition: {read:?}");
            assert_eq!(read.last().unwrap().end(), session.end(&t0).unwrap());
        }
    }
    let beyond = session.end(&t0).unwrap().next();
    assert_eq!(kind(session.read(&t0, beyond, 1)), Some(LogErrorKind::OutOfRange));
    let before = own_values(&*session, &t0);
    session.commit(&Progress::default()).unwrap();
    assert_eq!(own_values(&*session, &t0), before);
    assert_eq!(values(log, &t0), before);
}

/// What an epoch stages record by record is stored in large pieces.
pub fn many_small_stages_become_few_batches(log: &dyn Log) {
    const RECORDS: usize = 2000;
    let (t0, _) = with_topic(log);
    let session = log.session("app").unwrap();
    let expected: Vec<String> = (0..RECORDS).map(|number| number.to_string()).collect();
    for value in &expected {
        stage(&*session, &t0, &[value]);
    }
    session.commit(&Progress::default()).unwrap();
    assert_eq!(values(log, &t0), expected);
    let batches = log.read(&t0, Offset::ZERO, usize::MAX).unwrap();
    assert!(batches.len() <= RECORDS / 100, "{} batches", batches.len());
}

/// A commit names only what changed.
pub fn progress_is_merged_by_commits(log: &dyn Log) {
    let (t0, t1) = with_topic(log);
    let session = log.session("app").unwrap();
    session.commit(&progress(&t0, 1, "x")).unwrap();
    session.commit(&progress(&t1, 2, "y")).unwrap();
    session.commit(&Progress::default()).unwrap();
    let mut both = progress(&t0, 1, "y");
    both.inputs.extend(progress(&t1, 2, "y").inputs);
    assert_eq!(session.progress().unwrap(), both);
}

/// An abort takes everything back; the next epoch begins in the same place.
pub fn an_abort_drops_what_was_staged(log: &dyn Log) {
    let (t0, t1) = with_topic(log);
    let session = log.session("app").unwrap();
    stage(&*session, &t0, &["a", "b"]);
    stage(&*session, &t1, &["c"]);
    session.abort().unwrap();
    assert!(own_values(&*session, &t0).is_empty());
    stage(&*session, &t0, &["d"]);
    session.commit(&Progress::default()).unwrap();
    assert_eq!(values(log, &t0), ["d"]);
    assert!(values(log, &t1).is_empty());
}

/// A session that is dropped never commits.
pub fn dropping_a_session_drops_what_was_staged(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    let session = log.session("app").unwrap();
    stage(&*session, &t0, &["a"]);
    drop(session);
    assert!(values(log, &t0).is_empty());
    append(log, &t0, &["b"]);
    assert_eq!(values(log, &t0), ["b"]);
}

/// A commit that names an unknown partition does nothing; the epoch can still be committed.
pub fn a_failed_commit_check_leaves_the_epoch_open(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    let session = log.session("app").unwrap();
    stage(&*session, &t0, &["a"]);
    let wrong = progress(&partition("missing", 0), 1, "x");
    assert_eq!(kind(session.commit(&wrong)), Some(LogErrorKind::UnknownTopic));
    assert!(values(log, &t0).is_empty());
    session.commit(&progress(&t0, 1, "x")).unwrap();
    assert_eq!(values(log, &t0), ["a"]);
}

/// Of an application's sessions only the last one works.
pub fn a_new_session_fences_the_old_one(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    let old = log.session("app").unwrap();
    old.commit(&progress(&t0, 1, "x")).unwrap();
    stage(&*old, &t0, &["zombie"]);
    let new = log.session("app").unwrap();
    assert_eq!(new.progress().unwrap(), progress(&t0, 1, "x"));
    let fenced = Some(LogErrorKind::Fenced);
    assert_eq!(kind(old.stage(to(&t0, &["zombie"]))), fenced);
    assert_eq!(kind(old.commit(&progress(&t0, 9, "zombie"))), fenced);
    assert_eq!(kind(old.abort()), fenced);
    assert_eq!(kind(old.progress()), fenced);
    assert_eq!(kind(old.read(&t0, Offset::ZERO, 1)), fenced);
    assert_eq!(kind(old.end(&t0)), fenced);
    assert_eq!(kind(old.follow(&t0, Offset::ZERO)), fenced);
    new.commit(&Progress::default()).unwrap();
    assert!(values(log, &t0).is_empty());
    assert_eq!(new.progress().unwrap(), progress(&t0, 1, "x"));
}

/// What a fenced session still does, dropping it included, leaves the new one alone.
pub fn a_fenced_session_cannot_hurt_its_successor(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    let old = log.session("app").unwrap();
    stage(&*old, &t0, &["zombie"]);
    let new = log.session("app").unwrap();
    stage(&*new, &t0, &["a"]);
    assert_eq!(kind(old.abort()), Some(LogErrorKind::Fenced));
    drop(old);
    stage(&*new, &t0, &["b"]);
    new.commit(&Progress::default()).unwrap();
    assert_eq!(values(log, &t0), ["a", "b"]);
}

/// The epochs of two applications end each by itself. Where own records are seen at once, a partition takes staged records
/// of one of them at a time, because both would be promised the same offsets.
pub fn two_applications_do_not_share_an_epoch(log: &dyn Log) {
    let (t0, t1) = with_topic(log);
    let (one, two) = (log.session("one").unwrap(), log.session("two").unwrap());
    stage(&*one, &t0, &["a"]);
    stage(&*two, &t1, &["b"]);
    if one.own_records() == OwnRecords::AtOnce {
        assert_eq!(kind(two.stage(to(&t0, &["c"]))), Some(LogErrorKind::Invalid));
    }
    one.abort().unwrap();
    stage(&*two, &t0, &["d"]);
    two.commit(&Progress::default()).unwrap();
    assert_eq!((values(log, &t0), values(log, &t1)), (vec!["d".to_owned()], vec!["b".to_owned()]));
}
