//! Retention removes whole segments from the front, never a record that must stay.

use std::time::Duration;

use tidemill::log::{
    Append, Cleanup, Durability, EmbeddedLog, InputProgress, Log, LogErrorKind, Notes, Progress, TopicConfig, TopicSpec,
};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill_testkit::fault::SimulatedFiles;

use super::workload::open;

const RETENTION: Duration = Duration::from_millis(1000);

fn append(log: &EmbeddedLog, to: &TopicPartition, at: i64) {
    let mut builder = BatchBuilder::default();
    builder.push(Timestamp::from_millis(at), None, Some(&[7; 500]), &Headers::NONE);
    let append = Append { to: to.clone(), records: builder.finish(Offset::ZERO) };
    log.append(vec![append], "scope", Notes::from([("at".to_owned(), at.to_le_bytes().to_vec())])).unwrap();
}

fn create(log: &EmbeddedLog, name: &str, cleanup: Cleanup, retention: Option<Duration>) -> TopicPartition {
    log.create_topic(&TopicSpec {
        config: TopicConfig { cleanup, retention, ..TopicConfig::default() },
        ..TopicSpec::new(name, 1)
    })
    .unwrap();
    TopicPartition::new(name, 0)
}

fn start(log: &EmbeddedLog, partition: &TopicPartition) -> u64 {
    log.bounds(partition).unwrap().start.get()
}

#[test]
fn expired_segments_go_and_everything_else_stays() {
    let files = SimulatedFiles::new();
    let log = open(&files, Durability::Never).unwrap();
    let short = create(&log, "short", Cleanup::Delete, Some(RETENTION));
    let session = log.session("app").unwrap();
    let reached = InputProgress { next: Offset::new(3), partition_time: Some(Timestamp::ZERO) };
    let notes = Notes::from([("time".to_owned(), vec![1])]);
    let progress = Progress { inputs: [(short.clone(), reached)].into(), notes: notes.clone() };
    session.commit(&progress).unwrap();
    log.append(Vec::new(), "importer", notes.clone()).unwrap();
    (0..40).for_each(|at| append(&log, &short, at * 100));
    assert_eq!(log.clean(Timestamp::from_millis(1000)).unwrap().segments, 0);

    let expired = log.clean(Timestamp::from_millis(3000)).unwrap();
    assert!(expired.segments >= 2 && expired.bytes > 8000, "{expired:?}");
    let first = start(&log, &short);
    assert!((1..=20).contains(&first), "records younger than 2000 stay, this begins with {}", first * 100);
    let too_old = log.read(&short, Offset::ZERO, 1).unwrap_err();
    assert_eq!(too_old.kind(), LogErrorKind::OutOfRange);
    assert_eq!(log.read(&short, Offset::new(first), 1).unwrap()[0].base().get(), first);

    drop((session, log));
    for files in [files.after_kill(), files.crash(files.operations(), 3)] {
        let log = open(&files, Durability::Never).unwrap();
        assert_eq!((start(&log, &short), log.bounds(&short).unwrap().end.get()), (first, 40));
        assert_eq!(log.notes("scope").unwrap()["at"], 3900_i64.to_le_bytes());
        assert_eq!(log.notes("importer").unwrap(), notes, "their segment is gone");
        assert_eq!(log.session("app").unwrap().progress().unwrap(), progress, "its segment is gone");
        assert_eq!(log.topics().unwrap()[0].config.retention, Some(RETENTION));
    }
}

#[test]
fn a_topic_that_keeps_its_records_loses_none_to_another_ones_retention() {
    for (cleanup, retention) in [(Cleanup::Delete, None), (Cleanup::Compact, Some(RETENTION))] {
        let files = SimulatedFiles::new();
        let log = open(&files, Durability::Never).unwrap();
        let short = create(&log, "short", Cleanup::Delete, Some(RETENTION));
        let kept = create(&log, "kept", cleanup, retention);
        append(&log, &kept, 0);
        (0..40).for_each(|at| append(&log, &short, at * 100));
        let cleaned = log.clean(Timestamp::from_millis(1_000_000)).unwrap();
        assert!(cleaned.rewritten > 0, "what lies between two records that stay gives its room back: {cleaned:?}");
        assert_eq!((start(&log, &kept), start(&log, &short)), (0, 40));
        drop(log);
        let log = open(&files, Durability::Never).unwrap();
        assert_eq!((start(&log, &kept), start(&log, &short)), (0, 40));
        assert_eq!(log.read(&kept, Offset::ZERO, 1).unwrap().len(), 1);
    }
}

#[test]
fn a_quiet_topic_expires_too() {
    let files = SimulatedFiles::new();
    let log = open(&files, Durability::Never).unwrap();
    let short = create(&log, "short", Cleanup::Delete, Some(RETENTION));
    append(&log, &short, 5);
    assert_eq!(log.clean(Timestamp::from_millis(2000)).unwrap().segments, 1);
    assert_eq!(start(&log, &short), 1);
    append(&log, &short, 2000);
    assert_eq!(log.read(&short, Offset::new(1), 1).unwrap()[0].base().get(), 1);
}

#[test]
fn a_crash_while_records_expire_leaves_a_log_without_a_hole() {
    let files = SimulatedFiles::new();
    let log = open(&files, Durability::Never).unwrap();
    let short = create(&log, "short", Cleanup::Delete, Some(RETENTION));
    (0..40).for_each(|at| append(&log, &short, at * 100));
    log.sync().unwrap();
    let before = files.operations();
    log.clean(Timestamp::from_millis(3000)).unwrap();
    let mut images = 0;
    for operation in before..=files.operations() {
        for seed in 0..20 {
            let log = open(&files.crash(operation, seed), Durability::Never).unwrap();
            let bounds = log.bounds(&short).unwrap();
            assert_eq!(bounds.end.get(), 40);
            let mut next = bounds.start;
            for batch in log.read(&short, next, usize::MAX).unwrap() {
                assert_eq!(batch.base(), next);
                next = batch.end();
            }
            assert_eq!(next, bounds.end);
            images += 1;
        }
    }
    println!("{images} crash images of an expiry");
    assert!(images >= 100);
}

#[test]
fn a_changelog_of_windows_is_compacted_and_forgets_by_the_time_of_its_youngest_record() {
    let files = SimulatedFiles::new();
    let log = open(&files, Durability::Never).unwrap();
    let windows = create(&log, "windows", Cleanup::CompactAndDelete, Some(RETENTION));
    let put = |time: i64, key: &str| {
        let mut builder = BatchBuilder::default();
        builder.push(Timestamp::from_millis(time), Some(key.as_bytes()), Some(&[7; 500]), &Headers::NONE);
        let append = Append { to: windows.clone(), records: builder.finish(Offset::ZERO) };
        log.append(vec![append], "", Notes::new()).unwrap();
    };
    let count = || -> u32 {
        let batches = log.read(&windows, Offset::new(start(&log, &windows)), usize::MAX).unwrap();
        batches.iter().map(|batch| batch.count()).sum()
    };
    // Old data that is processed today: no window is as old as the retention, seen from the youngest.
    let today = Timestamp::from_millis(1_700_000_000_000);
    (0..40).for_each(|n| put(n * 20, &format!("window-{n}")));
    log.clean(today).unwrap();
    assert_eq!((start(&log, &windows), count()), (0, 40));
    // The same rows again and again are compacted.
    (0..80).for_each(|n| put(900, &format!("window-{}", n % 2)));
    log.clean(today).unwrap();
    assert!((40..80).contains(&count()), "{} records", count());
    // Later windows: the first ones leave.
    (0..40).for_each(|n| put(2_000 + n * 20, &format!("later-{n}")));
    log.clean(today).unwrap();
    assert!(start(&log, &windows) >= 40, "{} is the first", start(&log, &windows));
    assert!(count() >= 40, "all later ones are there");
    assert_eq!(log.topics().unwrap()[0].config.cleanup, Cleanup::CompactAndDelete);
}
