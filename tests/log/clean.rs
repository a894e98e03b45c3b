//! Cleaning gives room back and never takes the last record of a key, nor one of a topic that keeps its records; a crash at any
//! moment leaves either what was there or what is left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tidemill::log::{
    Append, Cleaned, Cleanup, Durability, EmbeddedLog, InputProgress, Log, LogErrorKind, LogSettings, Notes, Progress,
    TopicConfig, TopicSpec,
};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill_testkit::fault::{Fault, SimulatedFiles};

const TOMBSTONES: Duration = Duration::from_millis(100);

fn settings() -> LogSettings {
    LogSettings { durability: Durability::Never, segment_bytes: 2 << 10, recent_bytes: 512, clean_bytes: 400 }
}

fn open(files: &SimulatedFiles) -> EmbeddedLog {
    EmbeddedLog::open_on(Arc::new(files.clone()), settings()).unwrap()
}

fn rows() -> TopicPartition {
    TopicPartition::new("rows", 0)
}

fn kept() -> TopicPartition {
    TopicPartition::new("kept", 0)
}

fn work() -> TopicPartition {
    TopicPartition::new("work", 0)
}

/// `rows` is compacted, `kept` keeps everything, `work` is deleted up to some offset now and then.
fn with_topics(files: &SimulatedFiles) -> EmbeddedLog {
    let log = open(files);
    let config = TopicConfig { cleanup: Cleanup::Compact, tombstones: TOMBSTONES, ..TopicConfig::default() };
    log.create_topic(&TopicSpec { config, ..TopicSpec::new("rows", 1) }).unwrap();
    log.create_topic(&TopicSpec::new("kept", 1)).unwrap();
    log.create_topic(&TopicSpec::new("work", 1)).unwrap();
    log
}

fn append(log: &EmbeddedLog, to: &TopicPartition, key: Option<&str>, value: Option<&str>) {
    let mut builder = BatchBuilder::default();
    let headers = Headers::default().with("h", "1");
    builder.push(Timestamp::from_millis(7), key.map(str::as_bytes), value.map(str::as_bytes), &headers);
    let append = Append { to: to.clone(), records: builder.finish(Offset::ZERO) };
    log.append(vec![append], "scope", Notes::from([("last".to_owned(), value.unwrap_or("-").into())])).unwrap();
}

type Found = BTreeMap<u64, (Option<String>, Option<String>)>;

/// The records of a partition by their offsets, read a few bytes at a time.
fn read(log: &EmbeddedLog, partition: &TopicPartition) -> Found {
    let bounds = log.bounds(partition).unwrap();
    let (mut found, mut next) = (Found::new(), bounds.start);
    while next < bounds.end {
        let batches = log.read(partition, next, 100).unwrap();
        assert!(!batches.is_empty(), "there is something, or a batch that says that there is nothing");
        for batch in batches {
            assert!(batch.end() > next, "reading goes on");
            let mut records = batch.records();
            records.skip_to(next);
            while let Some(record) = records.peek() {
                let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
                found.insert(records.offset().get(), (text(record.key), text(record.value)));
                records.advance();
            }
            next = batch.end();
        }
    }
    assert_eq!(next, bounds.end);
    found
}

/// What a reader has in the end who reads all records as a table.
fn table(found: &Found) -> BTreeMap<String, String> {
    let mut table = BTreeMap::new();
    for (key, value) in found.values() {
        let key = key.clone().expect("rows have keys");
        match value {
            Some(value) => _ = table.insert(key, value.clone()),
            None => _ = table.remove(&key),
        }
    }
    table
}

fn clean(log: &EmbeddedLog, now: i64) -> Cleaned {
    log.clean(Timestamp::from_millis(now)).unwrap()
}

fn bytes(files: &SimulatedFiles) -> usize {
    files.sizes().iter().sum()
}

#[test]
fn of_many_updates_the_last_ones_stay_at_their_offsets() {
    let files = SimulatedFiles::new();
    let log = with_topics(&files);
    let mut last = BTreeMap::new();
    for n in 0..400_u64 {
        let key = format!("k{}", n % 5);
        append(&log, &rows(), Some(&key), Some(&n.to_string()));
        if n % 4 == 0 {
            append(&log, &kept(), None, Some("stays"));
        }
        last.insert(key, n);
    }
    let (before, kept_before) = (bytes(&files), read(&log, &kept()));
    let cleaned = clean(&log, 0);
    assert!(cleaned.rewritten > 0 && cleaned.bytes > 0, "{cleaned:?}");
    assert!(bytes(&files) < before, "from {before} to {}", bytes(&files));
    for again in [None, Some(open(&files.after_kill()))] {
        let log = again.as_ref().unwrap_or(&log);
        let found = read(log, &rows());
        assert!(found.len() < 200, "{} records are left of 400", found.len());
        for (key, n) in &last {
            assert_eq!(found[n], (Some(key.clone()), Some(n.to_string())));
        }
        assert_eq!(read(log, &kept()), kept_before);
        assert_eq!(log.notes("scope").unwrap()["last"], b"399");
        assert_eq!(log.bounds(&rows()).unwrap().end, Offset::new(400));
    }
}

#[test]
fn a_tombstone_stays_for_its_time_and_never_lets_a_deleted_row_come_back() {
    let files = SimulatedFiles::new();
    let log = with_topics(&files);
    for n in 0..40 {
        append(&log, &rows(), Some(&format!("deleted{n}")), Some("row"));
    }
    for n in 0..40 {
        append(&log, &rows(), Some(&format!("deleted{n}")), None);
    }
    let fill = |log: &EmbeddedLog, text: &str| {
        for n in 0..60 {
            append(log, &rows(), Some(&format!("other{}", n % 3)), Some(text));
        }
    };
    let tombstones = |log: &EmbeddedLog| read(log, &rows()).values().filter(|(_, value)| value.is_none()).count();
    fill(&log, "first");
    clean(&log, 0);
    assert_eq!(tombstones(&log), 40, "their time begins when they are met");
    assert_eq!(log.complete_from(&rows(), Duration::ZERO).unwrap(), Offset::ZERO);
    fill(&log, "second");
    clean(&log, 99);
    assert_eq!(tombstones(&log), 40, "their time is not over");
    fill(&log, "third");
    fill(&log, "fourth");
    clean(&log, 100);
    assert_eq!(tombstones(&log), 0);
    assert_eq!(
        log.complete_from(&rows(), Duration::ZERO).unwrap(),
        Offset::new(80),
        "who has read less may have missed a delete"
    );
    assert!(table(&read(&log, &rows())).keys().all(|key| key.starts_with("other")));
    drop(log);
    let log = open(&files.after_kill());
    assert_eq!(log.complete_from(&rows(), Duration::ZERO).unwrap(), Offset::new(80));
    assert!(table(&read(&log, &rows())).keys().all(|key| key.starts_with("other")));
}

#[test]
fn deleted_records_give_their_room_back_though_others_lie_between() {
    let files = SimulatedFiles::new();
    let log = with_topics(&files);
    append(&log, &kept(), Some("k"), Some("first"));
    for n in 0..300 {
        append(&log, &work(), None, Some(&format!("{n:0100}")));
        if n % 50 == 0 {
            append(&log, &kept(), Some("k"), Some(&n.to_string()));
        }
    }
    let (before, kept_before) = (bytes(&files), read(&log, &kept()));
    log.delete_records(&work(), Offset::new(290)).unwrap();
    assert_eq!(log.read(&work(), Offset::new(289), 1).unwrap_err().kind(), LogErrorKind::OutOfRange);
    clean(&log, 0);
    assert!(bytes(&files) < before / 4, "from {before} to {}", bytes(&files));
    assert_eq!(read(&log, &work()).into_keys().collect::<Vec<_>>(), (290..300).collect::<Vec<_>>());
    assert_eq!(read(&log, &kept()), kept_before);
    assert_eq!(clean(&log, 0), Cleaned::default(), "there is nothing more to give");
    log.delete_records(&work(), Offset::new(9_999)).unwrap();
    let bounds = log.bounds(&work()).unwrap();
    assert_eq!((bounds.start, bounds.end), (Offset::new(300), Offset::new(300)), "no further than the end");
    drop(log);
    let log = open(&files.after_kill());
    assert_eq!(log.bounds(&work()).unwrap(), bounds);
    assert_eq!(read(&log, &kept()), kept_before);
}

#[test]
fn a_deleted_topic_is_gone_with_its_room_and_another_one_can_have_its_name() {
    let files = SimulatedFiles::new();
    let log = with_topics(&files);
    let session = log.session("app").unwrap();
    let reached = InputProgress { next: Offset::new(3), partition_time: None };
    session.commit(&Progress { inputs: [(work(), reached), (kept(), reached)].into(), notes: Notes::new() }).unwrap();
    let watch = session.follow(&work(), Offset::ZERO).unwrap();
    assert_eq!(log.delete_topic("work").unwrap_err().kind(), LogErrorKind::Invalid, "a session reads it");
    drop((watch, session));
    for n in 0..200 {
        append(&log, &work(), None, Some(&format!("{n:0100}")));
        append(&log, &kept(), None, Some("stays"));
    }
    let before = bytes(&files);
    log.delete_topic("work").unwrap();
    assert_eq!(log.delete_topic("work").unwrap_err().kind(), LogErrorKind::UnknownTopic);
    assert_eq!(log.bounds(&work()).unwrap_err().kind(), LogErrorKind::UnknownTopic);
    clean(&log, 0);
    assert!(bytes(&files) < before / 2, "from {before} to {}", bytes(&files));
    log.create_topic(&TopicSpec::new("work", 2)).unwrap();
    append(&log, &work(), None, Some("new"));
    (0..100).for_each(|_| append(&log, &kept(), None, Some("stays")));
    clean(&log, 0);
    for again in [None, Some(open(&files.after_kill()))] {
        let log = again.as_ref().unwrap_or(&log);
        assert_eq!(read(log, &work()), Found::from([(0, (None, Some("new".to_owned())))]));
        assert_eq!(read(log, &kept()).len(), 300);
        let inputs = log.session("app").unwrap().progress().unwrap().inputs;
        assert_eq!(inputs.into_keys().collect::<Vec<_>>(), [kept()], "what was read of the first one counts no more");
    }
}

#[test]
fn what_an_application_was_before_it_was_reset_stays_forgotten() {
    let files = SimulatedFiles::new();
    let log = with_topics(&files);
    let commit = |log: &EmbeddedLog, next: u64| {
        let reached = InputProgress { next: Offset::new(next), partition_time: None };
        let notes = Notes::from([("times".to_owned(), next.to_be_bytes().to_vec())]);
        let progress = Progress { inputs: [(work(), reached), (kept(), reached)].into(), notes };
        log.session("app").unwrap().commit(&progress).unwrap();
        log.session("other").unwrap().commit(&progress).unwrap();
    };
    let fill = |log: &EmbeddedLog| (0..100).for_each(|n| append(log, &rows(), Some("k"), Some(&n.to_string())));
    commit(&log, 3);
    fill(&log);
    commit(&log, 4);
    let told = InputProgress { next: Offset::new(1), partition_time: None };
    log.set_progress("app", &Progress { inputs: [(kept(), told)].into(), notes: Notes::new() }).unwrap();
    fill(&log);
    assert!(clean(&log, 0).rewritten > 0);
    let expected = Progress { inputs: [(kept(), told)].into(), notes: Notes::new() };
    for again in [None, Some(open(&files.after_kill()))] {
        let log = again.as_ref().unwrap_or(&log);
        assert_eq!(log.progress("app").unwrap(), expected);
        assert_eq!(log.progress("other").unwrap().inputs[&work()].next, Offset::new(4));
        assert_eq!(log.progress("other").unwrap().notes.len(), 1);
    }
}

#[test]
fn a_partition_keeps_its_youngest_bytes() {
    let files = SimulatedFiles::new();
    let log = open(&files);
    let config = TopicConfig { retention_bytes: Some(5_000), ..TopicConfig::default() };
    log.create_topic(&TopicSpec { config, ..TopicSpec::new("kept", 1) }).unwrap();
    (0..200).for_each(|n| append(&log, &kept(), None, Some(&format!("{n:0100}"))));
    clean(&log, 0);
    let found = read(&log, &kept());
    let size: usize = found.values().map(|(_, value)| value.as_ref().unwrap().len()).sum();
    assert!(found.contains_key(&199) && (3_500..9_000).contains(&size), "{} records of {size} bytes", found.len());
}

#[test]
fn growth_is_bounded_by_what_is_alive() {
    let files = SimulatedFiles::new();
    let log = with_topics(&files);
    let mut largest = 0;
    for n in 0..6_000 {
        append(&log, &rows(), Some(&format!("k{}", n % 20)), Some(&format!("{n:050}")));
        append(&log, &work(), None, Some(&format!("{n:050}")));
        if n % 50 == 0 {
            log.delete_records(&work(), Offset::new(n)).unwrap();
            clean(&log, 0);
            largest = largest.max(bytes(&files));
        }
    }
    assert!(largest < 40_000, "{largest} bytes for 20 rows and 50 records of 100 bytes; written were 1.5 million");
    assert_eq!(table(&read(&log, &rows())).len(), 20);
}

/// One thing that is done to the log.
#[derive(Clone, Debug)]
enum Op {
    Put(u8, u8),
    Delete(u8),
    Keep(u8),
    Work,
    Purge,
    Clean(u8),
    Reopen,
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => (0..8_u8, any::<u8>()).prop_map(|(key, value)| Op::Put(key, value)),
        8 => (0..8_u8).prop_map(Op::Delete),
        5 => any::<u8>().prop_map(Op::Keep),
        10 => Just(Op::Work),
        2 => Just(Op::Purge),
        4 => (0..60_u8).prop_map(Op::Clean),
        1 => Just(Op::Reopen),
    ]
}

/// What the log must hold.
#[derive(Clone, Default)]
struct Model {
    rows: BTreeMap<String, String>,
    kept: Vec<String>,
    work: (u64, u64),
    now: i64,
}

impl Model {
    fn check(&self, log: &EmbeddedLog) {
        let found = read(log, &rows());
        assert_eq!(table(&found), self.rows);
        let kept: Vec<String> = read(log, &kept()).into_values().map(|(_, value)| value.unwrap()).collect();
        assert_eq!(kept, self.kept);
        let bounds = log.bounds(&work()).unwrap();
        assert_eq!((bounds.start.get(), bounds.end.get()), self.work);
        assert_eq!(read(log, &work()).into_keys().collect::<Vec<_>>(), (self.work.0..self.work.1).collect::<Vec<_>>());
    }

    fn run(&mut self, log: &mut EmbeddedLog, files: &mut SimulatedFiles, op: &Op) {
        let name = |key: u8| format!("key{key}");
        match op {
            Op::Put(key, value) => {
                append(log, &rows(), Some(&name(*key)), Some(&format!("{value:060}")));
                self.rows.insert(name(*key), format!("{value:060}"));
            }
            Op::Delete(key) => {
                append(log, &rows(), Some(&name(*key)), None);
                self.rows.remove(&name(*key));
            }
            Op::Keep(value) => {
                append(log, &kept(), None, Some(&value.to_string()));
                self.kept.push(value.to_string());
            }
            Op::Work => {
                append(log, &work(), None, Some(&format!("{:080}", self.work.1)));
                self.work.1 += 1;
            }
            Op::Purge => {
                self.work.0 = self.work.1.saturating_sub(2).max(self.work.0);
                log.delete_records(&work(), Offset::new(self.work.0)).unwrap();
            }
            Op::Clean(later) => {
                self.now += i64::from(*later);
                clean(log, self.now);
            }
            Op::Reopen => {
                *files = files.after_kill();
                *log = open(files);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn what_is_left_says_the_same(ops in prop::collection::vec(any_op(), 200..600)) {
        let mut files = SimulatedFiles::new();
        let mut log = with_topics(&files);
        let mut model = Model::default();
        for op in &ops {
            model.run(&mut log, &mut files, op);
            if matches!(op, Op::Clean(_) | Op::Reopen) {
                model.check(&log);
            }
        }
        model.check(&log);
    }
}

/// A log with much to clean.
fn worn(files: &SimulatedFiles) -> (EmbeddedLog, Model) {
    let (mut log, mut model) = (with_topics(files), Model::default());
    let mut files = files.clone();
    for n in 0..120_u8 {
        for op in [Op::Put(n % 7, n), Op::Work, Op::Delete((n + 3) % 7), Op::Keep(n)] {
            model.run(&mut log, &mut files, &op);
        }
        if n == 60 {
            model.run(&mut log, &mut files, &Op::Clean(0));
        }
    }
    model.run(&mut log, &mut files, &Op::Purge);
    log.sync().unwrap();
    (log, model)
}

#[test]
fn a_crash_while_it_cleans_loses_nothing() {
    let files = SimulatedFiles::new();
    let (log, mut model) = worn(&files);
    let before = files.operations();
    model.now = 1_000;
    let cleaned = clean(&log, model.now);
    assert!(cleaned.rewritten > 1 && cleaned.segments > 0, "{cleaned:?}");
    drop(log);
    let mut images = 0;
    for operation in before..=files.operations() {
        for seed in 0..12 {
            let image = files.crash(operation, seed);
            let log = open(&image);
            model.check(&log);
            clean(&log, model.now);
            model.check(&log);
            images += 1;
        }
    }
    eprintln!("clean: {images} crash images of {} operations", files.operations() - before);
}

#[test]
fn an_error_while_it_cleans_loses_nothing_and_the_next_time_it_goes_on() {
    let files = SimulatedFiles::new();
    let (log, model) = worn(&files);
    let before = files.operations();
    clean(&log, 1_000);
    let operations = files.operations() - before;
    drop(log);
    for at in 0..operations {
        let files = SimulatedFiles::new();
        let (log, _) = worn(&files);
        assert_eq!(files.operations(), before, "the same every time");
        files.fail(before + at, Fault::Error);
        if let Err(error) = log.clean(Timestamp::from_millis(1_000)) {
            assert!(error.to_string().contains("simulated folder"), "it names the place: {error}");
        }
        model.check(&log);
        drop(log);
        let log = open(&files.after_kill());
        model.check(&log);
        clean(&log, 1_000);
        model.check(&log);
    }
    eprintln!("clean: {operations} faults");
}

#[test]
fn versions_stay_as_long_as_the_lag_says_and_by_the_time_of_the_youngest_record() {
    let files = SimulatedFiles::new();
    let log = open(&files);
    let lag = Duration::from_millis(1_000);
    let config = TopicConfig { cleanup: Cleanup::Compact, compaction_lag: lag, ..TopicConfig::default() };
    log.create_topic(&TopicSpec { config, ..TopicSpec::new("rows", 1) }).unwrap();
    let put = |time: i64| {
        let mut builder = BatchBuilder::default();
        builder.push(Timestamp::from_millis(time), Some(b"key"), Some(&[7; 100]), &Headers::NONE);
        log.append(vec![Append { to: rows(), records: builder.finish(Offset::ZERO) }], "", Notes::new()).unwrap();
    };
    (0..100).for_each(|n| put(n * 10));
    // The present is years later, and yet every version is within the lag of the youngest one.
    clean(&log, 1_000_000_000_000);
    assert_eq!(read(&log, &rows()).len(), 100);
    (100..500).for_each(|n| put(n * 10));
    clean(&log, 1_000_000_000_000);
    let found = read(&log, &rows());
    let kept = found.keys().filter(|offset| **offset >= 400).count();
    assert_eq!(kept, 100, "those of the last second are all there");
    assert!(found.len() < 150, "{} records are left of 500", found.len());
    assert!(found.contains_key(&398), "what was valid when the last second began is known: {:?}", found.keys());
    // A clock that stands still before the records' times counts too: then none of them is old.
    let files = SimulatedFiles::new();
    let log = open(&files);
    log.create_topic(&TopicSpec { config, ..TopicSpec::new("rows", 1) }).unwrap();
    (0..100).for_each(|n| {
        let mut builder = BatchBuilder::default();
        builder.push(Timestamp::from_millis(n * 1_000), Some(b"key"), Some(&[7; 100]), &Headers::NONE);
        log.append(vec![Append { to: rows(), records: builder.finish(Offset::ZERO) }], "", Notes::new()).unwrap();
    });
    clean(&log, 500);
    assert_eq!(read(&log, &rows()).len(), 100);
}
