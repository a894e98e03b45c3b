//! An application that shares its work with others, seen from one process: what the group says is scripted, the log is ours.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemill::log::{
    Append, Change, Log, LogError, LogErrorKind, Member, Membership, MemoryLog, Notes, Session, TopicSpec,
};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, AppState, ErrorKind, Settings, Topic};

use crate::done_by_log::done_by_log;
use crate::support::{IN, OUT, SUMS, soon, sums, wait_until};

/// What the group has told, and what the process answered.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) changes: Mutex<VecDeque<Change>>,
    /// How often the group cannot be asked next, and why.
    pub(crate) trouble: Mutex<VecDeque<LogErrorKind>>,
    pub(crate) joined: AtomicUsize,
    pub(crate) released: AtomicUsize,
    pub(crate) left: AtomicUsize,
}

impl Script {
    pub(crate) fn say(&self, change: Change) {
        self.changes.lock().unwrap().push_back(change);
    }

    pub(crate) fn assign(&self, partitions: &[u32]) {
        self.say(Change::Assigned(inputs(partitions)));
    }

    pub(crate) fn revoke(&self, partitions: &[u32]) {
        self.say(Change::Revoked(inputs(partitions)));
    }
}

fn inputs(partitions: &[u32]) -> Vec<TopicPartition> {
    partitions.iter().map(|partition| TopicPartition::new("in", *partition)).collect()
}

/// A log in memory that says it is shared.
struct Grouped {
    log: MemoryLog,
    script: Arc<Script>,
}

pub(crate) struct Scripted {
    pub(crate) session: Arc<dyn Session>,
    pub(crate) script: Arc<Script>,
}

impl Membership for Scripted {
    fn session(&self, _worker: usize) -> Arc<dyn Session> {
        self.session.clone()
    }

    fn call_every(&self) -> Option<Duration> {
        Some(Duration::from_millis(2))
    }

    fn next(&mut self) -> Result<Option<Change>, LogError> {
        if let Some(kind) = self.script.trouble.lock().unwrap().pop_front() {
            return Err(LogError::new(kind, "the group cannot be asked"));
        }
        Ok(self.script.changes.lock().unwrap().pop_front())
    }

    fn released(&mut self) -> Result<(), LogError> {
        self.script.released.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn leave(self: Box<Self>) -> Result<(), LogError> {
        self.script.left.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl Log for Grouped {
    done_by_log!();
    fn session(&self, application: &str) -> Result<Box<dyn Session>, LogError> {
        self.log.session(application)
    }
    fn is_shared(&self) -> bool {
        true
    }
    fn join(&self, member: &Member) -> Result<Box<dyn Membership>, LogError> {
        self.script.joined.fetch_add(1, Ordering::SeqCst);
        let session = Arc::from(self.log.session(&member.application)?);
        Ok(Box::new(Scripted { session, script: self.script.clone() }))
    }
}

/// A log with `in` of three partitions, and what its group says.
fn grouped() -> (Arc<dyn Log>, Arc<Script>) {
    let script = Arc::new(Script::default());
    let log = MemoryLog::default();
    log.create_topic(&TopicSpec::new("in", 3)).unwrap();
    log.create_topic(&TopicSpec::new("out", 1)).unwrap();
    (Arc::new(Grouped { log, script: script.clone() }), script)
}

pub(crate) async fn started(topology: Topology, log: &Arc<dyn Log>, settings: Settings) -> App {
    App::builder("app", topology).log(log.clone()).settings(settings).start().await.unwrap()
}

/// Adds a value for the one key of a partition; it is there at once.
pub(crate) fn put(log: &dyn Log, partition: u32, value: i64) {
    let mut records = BatchBuilder::default();
    let key = format!("key-{partition}");
    records.push(Timestamp::ZERO, Some(key.as_bytes()), Some(&value.to_be_bytes()), &Headers::NONE);
    let to = TopicPartition::new("in", partition);
    log.append(vec![Append { to, records: records.finish(Offset::ZERO) }], "", Notes::new()).unwrap();
}

/// How far partitions were processed, by what is committed.
pub(crate) fn committed(log: &dyn Log) -> Vec<u64> {
    let progress = log.progress("app").unwrap();
    let next = |partition| progress.inputs.get(&TopicPartition::new("in", partition)).map_or(0, |at| at.next.get());
    (0..3).map(next).collect()
}

pub(crate) fn out_of(app: &App) -> Vec<(String, i64)> {
    let read = app.subscribe(&OUT).unwrap().read().unwrap();
    let mut records: Vec<_> = read.into_iter().map(|record| (record.key, record.value.unwrap())).collect();
    records.sort();
    records
}

#[tokio::test]
async fn tasks_come_with_their_partitions_and_go_with_them() {
    let (log, script) = grouped();
    script.assign(&[0, 1]);
    let app = started(sums(), &log, Settings { threads: 2, ..soon() }).await;
    (0..3).for_each(|partition| put(&*log, partition, 10));
    wait_until("the work on what is ours", || committed(&*log) == [1, 1, 0]).await;
    script.revoke(&[1]);
    wait_until("the answer", || script.released.load(Ordering::SeqCst) == 1).await;
    (0..3).for_each(|partition| put(&*log, partition, 5));
    wait_until("the work on what is left", || committed(&*log) == [2, 1, 0]).await;
    script.assign(&[1, 2]);
    wait_until("the work on everything", || committed(&*log) == [2, 2, 2]).await;
    let expected = [("key-0", 10), ("key-0", 15), ("key-1", 10), ("key-1", 15), ("key-2", 10), ("key-2", 15)];
    assert_eq!(out_of(&app), expected.map(|(key, value)| (key.to_owned(), value)));
    app.close().await.unwrap();
    assert_eq!((script.joined.load(Ordering::SeqCst), script.left.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn a_revocation_commits_what_was_done_before_it_is_answered() {
    let (log, script) = grouped();
    script.assign(&[0, 1]);
    let app = started(sums(), &log, Settings { commit_interval: Duration::from_secs(3_600), ..soon() }).await;
    put(&*log, 1, 7);
    app.table(&SUMS).dirty().get("key-1").await.unwrap();
    script.revoke(&[0, 1]);
    wait_until("the answer", || script.released.load(Ordering::SeqCst) == 1).await;
    let done = committed(&*log);
    assert!(done == [0, 1, 0] || done == [0, 0, 0], "{done:?}");
    assert_eq!(out_of(&app).len() as u64, done[1], "output and place are one");
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_partition_that_is_elsewhere_is_an_error_that_says_so() {
    let (log, script) = grouped();
    script.assign(&[0]);
    let app = started(sums(), &log, soon()).await;
    put(&*log, 0, 3);
    wait_until("the work", || committed(&*log) == [1, 0, 0]).await;
    let error = app.table(&SUMS).all().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Elsewhere);
    assert!(error.to_string().contains("partition 1 of store `sums`"), "{error}");
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_lost_share_is_joined_again_and_nothing_counts_twice() {
    let (log, script) = grouped();
    script.assign(&[0, 1, 2]);
    let app = started(sums(), &log, soon()).await;
    for round in 1..=5_u64 {
        (0..3).for_each(|partition| put(&*log, partition, 1));
        if round % 2 == 1 {
            // In the middle of things, or right after them.
            wait_until("some work", || committed(&*log).iter().sum::<u64>() > (round - 1) * 3).await;
        }
        script.say(Change::Lost("the group took the process for dead".into()));
        script.assign(&[0, 1, 2]);
        wait_until("the work", || committed(&*log) == [round; 3]).await;
    }
    assert!(script.joined.load(Ordering::SeqCst) >= 3, "it joined again and again");
    let each: Vec<(String, i64)> =
        (0..3).flat_map(|partition| (1..=5).map(move |sum| (format!("key-{partition}"), sum))).collect();
    assert_eq!(out_of(&app), each);
    app.close().await.unwrap();
}

#[tokio::test]
async fn brokers_that_are_away_are_waited_for_once_it_runs() {
    let (log, script) = grouped();
    let trouble = |kind, times| script.trouble.lock().unwrap().extend(std::iter::repeat_n(kind, times));
    trouble(LogErrorKind::Unavailable, 1);
    let refused = App::builder("app", sums()).log(log.clone()).start().await.err().expect("a start does not wait");
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    script.assign(&[0, 1, 2]);
    let app = started(sums(), &log, soon()).await;
    for round in 1..=2 {
        trouble(LogErrorKind::Unavailable, 3);
        wait_until("a new beginning", || script.trouble.lock().unwrap().is_empty()).await;
        script.assign(&[0, 1, 2]);
        (0..3).for_each(|partition| put(&*log, partition, 1));
        wait_until("the work", || committed(&*log) == [round; 3]).await;
    }
    let each: Vec<(String, i64)> =
        (0..3).flat_map(|partition| (1..=2).map(move |sum| (format!("key-{partition}"), sum))).collect();
    assert_eq!(out_of(&app), each, "what was done counts once");
    trouble(LogErrorKind::Corrupt, 1);
    let mut states = app.states();
    let over = states.wait_for(AppState::is_over).await.unwrap().to_string();
    assert!(over.contains("the group cannot be asked"), "{over}");
}

#[tokio::test]
async fn tasks_whose_topics_differ_in_partitions_are_refused() {
    let (log, _) = grouped();
    let builder = StreamsBuilder::new();
    builder.stream(&IN).merge(&builder.stream(&OUT)).for_each(|_, _| ());
    let refused = App::builder("app", builder.build().unwrap()).log(log).start().await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("`in` with 3 partitions and `out` with 1"), "{refused}");
}

#[tokio::test]
async fn topics_that_are_not_there_are_named_all_at_once() {
    let (log, _) = grouped();
    let builder = StreamsBuilder::new();
    let (input, output) = (Topic::<String, i64>::of("inn"), Topic::<String, i64>::of("outt"));
    builder.stream(&input).to(&output);
    let refused = App::builder("app", builder.build().unwrap()).log(log).start().await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("`inn`, `outt`"), "{refused}");
}

#[tokio::test]
async fn a_stuck_worker_leaves_the_others_its_partitions() {
    let (log, script) = grouped();
    script.assign(&[0]);
    let (builder, held) = (StreamsBuilder::new(), Arc::new(AtomicI64::new(1)));
    let hold = held.clone();
    builder.stream(&IN).for_each(move |_, _| {
        while hold.load(Ordering::SeqCst) == 1 {
            std::thread::yield_now();
        }
    });
    let settings = Settings { stuck_after: Duration::from_millis(200), ..soon() };
    let app = started(builder.build().unwrap(), &log, settings).await;
    put(&*log, 0, 1);
    let error = app.ended().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("worker 0 with the tasks 0_0"), "{error}");
    wait_until("the leave", || script.left.load(Ordering::SeqCst) == 1).await;
    held.store(0, Ordering::SeqCst);
    assert_eq!(committed(&*log), [0, 0, 0], "what it did too late is not committed");
}

#[tokio::test]
async fn the_states_tell_of_a_rebalance() {
    let (log, script) = grouped();
    script.assign(&[0]);
    let app = started(sums(), &log, soon()).await;
    let mut states = app.states();
    assert!(matches!(*states.borrow_and_update(), AppState::Running));
    script.revoke(&[0]);
    states.wait_for(|state| matches!(state, AppState::Running)).await.unwrap();
    wait_until("the answer", || script.released.load(Ordering::SeqCst) == 1).await;
    assert!(states.has_changed().unwrap(), "it was rebalancing in between");
    app.close().await.unwrap();
}
