//! A backup that is made while the application runs is the application at one moment: restored, nothing up to there is missing
//! and nothing is there twice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tidemill::log::{Append, Durability, EmbeddedLog, Log, LogErrorKind, LogSettings, Notes, TopicSpec};
use tidemill::prelude::*;
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill::topology::Topology;

use crate::scene::{Ended, tidemill};

const IN: Topic<String, i64> = Topic::of("in");
const OUT: Topic<String, i64> = Topic::of("out");
const COUNTS: Store<String, i64> = Store::of("counts");
const KEYS: i64 = 7;
const WAITS: u32 = 6_000;

/// Each number goes to the key of its remainder, by a repartition topic, and gives its rank there.
fn ranks() -> Topology {
    let builder = StreamsBuilder::new();
    let counts =
        builder.stream(&IN).group_by(|_, number| (number % KEYS).to_string()).named("by-remainder").count_with(&COUNTS);
    counts.to_stream().map_values(|count| count.unwrap_or_default()).to(&OUT);
    builder.build().unwrap()
}

async fn start(folder: &Path) -> App {
    // Small segments, so that some are begun and cleaned while they are copied.
    let log = LogSettings { segment_bytes: 64 << 10, durability: Durability::Never, ..LogSettings::default() };
    let settings = Settings { commit_interval: Duration::from_millis(5), partitions: 3, log, ..Settings::default() };
    App::builder("ranks", ranks()).embedded(folder).settings(settings).start().await.unwrap()
}

fn run(arguments: &[&Path]) -> Ended {
    tidemill(&arguments.iter().map(|argument| argument.to_str().unwrap()).collect::<Vec<_>>())
}

fn backup(from: &Path, to: &Path) -> Ended {
    run(&["backup".as_ref(), from, to])
}

fn restore(from: &Path, to: &Path) -> Ended {
    run(&["restore".as_ref(), from, to])
}

/// The numbers that lie in the input.
fn sent(folder: &Path) -> Vec<i64> {
    let log = EmbeddedLog::open_read_only(folder, LogSettings::default()).unwrap();
    let mut numbers = Vec::new();
    for partition in 0..log.topic("in").unwrap().unwrap().partitions {
        for batch in log.read(&TopicPartition::new("in", partition), Offset::ZERO, usize::MAX).unwrap() {
            let added = batch.for_each(|_, record| {
                numbers.push(i64::from_be_bytes(record.value.unwrap().try_into().unwrap()));
                Ok::<_, std::convert::Infallible>(())
            });
            added.unwrap();
        }
    }
    numbers.sort_unstable();
    numbers
}

/// Of each key, the ranks in the order in which they were written.
fn written(app: &App) -> Vec<Vec<i64>> {
    let mut of = vec![Vec::new(); usize::try_from(KEYS).unwrap()];
    let mut out = app.subscribe(&OUT).unwrap();
    loop {
        let records = out.read().unwrap();
        if records.is_empty() {
            return of;
        }
        for record in records {
            of[record.key.parse::<usize>().unwrap()].push(record.value.unwrap());
        }
    }
}

/// The ranks that these numbers give, in the plainest way.
fn expected(numbers: &[i64]) -> Vec<Vec<i64>> {
    let count = |key| i64::try_from(numbers.iter().filter(|number| *number % KEYS == key).count()).unwrap();
    (0..KEYS).map(|key| (1..=count(key)).collect()).collect()
}

async fn until(what: &str, mut happened: impl FnMut() -> bool) {
    for _ in 0..WAITS {
        if happened() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen within a minute");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_of_a_running_application_lose_nothing_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let app = Arc::new(start(&data).await);
    let (acknowledged, stop) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let load = {
        let (app, acknowledged, stop) = (app.clone(), acknowledged.clone(), stop.clone());
        tokio::spawn(async move {
            for first in (0..).step_by(50) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let send = async |number: i64| app.send(&IN, number.to_string(), number).await.unwrap();
                for number in first..first + 50 {
                    send(number).await;
                    acknowledged.store(number + 1, Ordering::SeqCst);
                }
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        })
    };
    let mut made: Vec<(PathBuf, i64)> = Vec::new();
    for number in 1..=4 {
        let last = acknowledged.load(Ordering::SeqCst);
        until("some load", || acknowledged.load(Ordering::SeqCst) > last + 1_000).await;
        let (to, before) = (folder.path().join(format!("backup-{number}")), acknowledged.load(Ordering::SeqCst));
        let from = data.clone();
        let copied = to.clone();
        let ended = tokio::task::spawn_blocking(move || backup(&from, &copied)).await.unwrap();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(acknowledged.load(Ordering::SeqCst) > before, "the application went on meanwhile");
        made.push((to, before));
    }
    stop.store(true, Ordering::SeqCst);
    load.await.unwrap();
    Arc::into_inner(app).unwrap().close().await.unwrap();

    for (number, (from, before)) in made.iter().enumerate() {
        let to = folder.path().join(format!("restored-{number}"));
        let ended = restore(from, &to);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let numbers = sent(&to);
        let count = i64::try_from(numbers.len()).unwrap();
        assert!(count >= *before, "{before} were acknowledged before the backup began, it has {count}");
        assert_eq!(numbers, (0..count).collect::<Vec<_>>(), "one after the other was sent");
        let app = start(&to).await;
        app.settled().await.unwrap();
        assert!(written(&app) == expected(&numbers), "each number has its rank once, in order");
        // It is an application like any other.
        app.send(&IN, "next".to_owned(), count).await.unwrap();
        app.settled().await.unwrap();
        assert!(written(&app) == expected(&(0..=count).collect::<Vec<_>>()), "it goes on where it was");
        app.close().await.unwrap();
    }
}

/// A folder with so many megabytes in its log.
fn large(folder: &Path, megabytes: usize) {
    let log = EmbeddedLog::open(folder, LogSettings::default()).unwrap();
    log.create_topic(&TopicSpec::new("in", 1)).unwrap();
    for _ in 0..megabytes {
        let mut records = BatchBuilder::default();
        records.push(Timestamp::ZERO, None, Some(&vec![7; 1 << 20]), &Headers::NONE);
        let append = Append { to: TopicPartition::new("in", 0), records: records.finish(Offset::ZERO) };
        log.append(vec![append], "", Notes::new()).unwrap();
    }
}

#[test]
fn a_backup_that_was_killed_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    large(&data, 48);
    let killed = (0..40).find_map(|number| {
        let to = folder.path().join(format!("backup-{number}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        let mut child = command.arg("backup").args([&data, &to]).stderr(Stdio::null()).spawn().unwrap();
        let mut waits = 0..WAITS * 10;
        while !to.join("copy.unfinished").exists() && waits.next().is_some() && child.try_wait().unwrap().is_none() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        to.join("copy.unfinished").exists().then_some(to)
    });
    let killed = killed.expect("one of forty backups was killed before its end");
    let said = format!("`{}` is a copy of a log that did not come to its end", killed.display());
    let error = EmbeddedLog::open(&killed, LogSettings::default()).unwrap_err();
    assert_eq!(error.kind(), LogErrorKind::Invalid);
    assert!(error.to_string().contains(&said), "{error}");
    for ended in [
        restore(&killed, &folder.path().join("restored")),
        backup(&killed, &folder.path().join("again")),
        backup(&data, &killed),
        tidemill(&["log", "topics", killed.to_str().unwrap()]),
        tidemill(&["log", "create", killed.to_str().unwrap(), "orders"]),
    ] {
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    }
    assert!(!folder.path().join("restored").exists() && !folder.path().join("again").exists());
}

#[test]
fn a_backup_that_was_changed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, made) = (folder.path().join("data"), folder.path().join("backup"));
    large(&data, 1);
    assert_eq!(backup(&data, &made).code, Some(0));
    let refused = |number: u32, why: &str| {
        let to = folder.path().join(format!("restored-{number}"));
        let ended = restore(&made, &to);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
        assert!(EmbeddedLog::open(&to, LogSettings::default()).is_err(), "nothing can start on what was half restored");
    };
    assert_eq!(restore(&made, &folder.path().join("restored-0")).code, Some(0));
    let segment = made.join(format!("{:020}.segment", 0));
    let whole = fs::read(&segment).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&segment, &flipped).unwrap();
    refused(1, "is not what was written");
    fs::write(&segment, &whole[..whole.len() - 1]).unwrap();
    refused(2, "is not what was written");
    fs::write(&segment, &whole).unwrap();
    large(&made, 1);
    refused(3, "is not what was written");
    fs::write(&segment, &whole).unwrap();
    assert_eq!(restore(&made, &folder.path().join("restored-4")).code, Some(0));
    let no_backup = restore(&data, &folder.path().join("restored-5"));
    assert!(no_backup.stderr.contains("there is no backup"), "{}", no_backup.stderr);
    let not_new = backup(&data, &made);
    assert!(not_new.stderr.contains("is not empty"), "{}", not_new.stderr);
}
