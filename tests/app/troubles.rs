//! A share that is given up or made ready while the log fails: the process joins again, and nothing counts twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tidemill::log::{Change, Log, LogError, Member, Membership, MemoryLog, Session, TopicSpec};
use tidemill::record::{Batch, Offset, TopicPartition};
use tidemill::{App, Settings};

use crate::done_by_log::done_by_log;
use crate::flaky_session::{Fault, FlakySession};
use crate::membership::{Script, Scripted, committed, out_of, put, started};
use crate::support::{SUMS, never, soon, sums, wait_until};

/// What goes wrong.
#[derive(Default)]
struct Trouble {
    /// With the next call that knows this fault.
    fault: Mutex<Option<Fault>>,
    /// While it is held, nobody can read changelogs.
    held: Mutex<bool>,
    let_go: Condvar,
    /// Whether somebody has to wait.
    waits: AtomicBool,
}

impl Trouble {
    fn arm(&self, fault: Fault) {
        *self.fault.lock().unwrap() = Some(fault);
    }

    fn is_over(&self) -> bool {
        self.fault.lock().unwrap().is_none()
    }

    fn take(&self, possible: &[Fault]) -> Option<Fault> {
        self.fault.lock().unwrap().take_if(|fault| possible.contains(fault))
    }

    fn hold(&self) {
        *self.held.lock().unwrap() = true;
    }

    fn let_go(&self) {
        *self.held.lock().unwrap() = false;
        self.let_go.notify_all();
    }

    fn pass(&self) {
        let held = self.held.lock().unwrap();
        self.waits.fetch_or(*held, Ordering::SeqCst);
        drop(self.let_go.wait_while(held, |held| *held).unwrap());
    }
}

/// A log in memory that is shared, and is in trouble.
struct Troubled {
    log: MemoryLog,
    script: Arc<Script>,
    trouble: Arc<Trouble>,
}

impl Log for Troubled {
    done_by_log!(but read);
    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError> {
        if partition.topic.ends_with("-changelog") {
            self.trouble.pass();
        }
        self.log.read(partition, from, bytes_max)
    }
    fn session(&self, application: &str) -> Result<Box<dyn Session>, LogError> {
        let (inner, trouble) = (Arc::from(self.log.session(application)?), self.trouble.clone());
        Ok(Box::new(FlakySession::new(inner, move |possible: &[Fault]| trouble.take(possible))))
    }
    fn is_shared(&self) -> bool {
        true
    }
    fn join(&self, member: &Member) -> Result<Box<dyn Membership>, LogError> {
        self.script.joined.fetch_add(1, Ordering::SeqCst);
        let session = Arc::from(self.session(&member.application)?);
        Ok(Box::new(Scripted { session, script: self.script.clone() }))
    }
}

fn troubled() -> (Arc<dyn Log>, Arc<Script>, Arc<Trouble>) {
    let (script, trouble) = (Arc::new(Script::default()), Arc::new(Trouble::default()));
    let log = MemoryLog::default();
    log.create_topic(&TopicSpec::new("in", 3)).unwrap();
    log.create_topic(&TopicSpec::new("out", 1)).unwrap();
    (Arc::new(Troubled { log, script: script.clone(), trouble: trouble.clone() }), script, trouble)
}

/// The process has joined so many times, and gets everything.
async fn all_again(script: &Script, joined: usize) {
    wait_until("joining again", || script.joined.load(Ordering::SeqCst) == joined).await;
    script.assign(&[0, 1, 2]);
}

async fn each_once(app: App, log: &dyn Log, rounds: u64) {
    wait_until("the work", || committed(log) == [rounds; 3]).await;
    let sums = |partition| (1..=rounds).map(move |sum| (format!("key-{partition}"), i64::try_from(sum).unwrap()));
    assert_eq!(out_of(&app), (0..3).flat_map(sums).collect::<Vec<_>>());
    app.close().await.unwrap();
}

/// KAFKA-16876: an error of one task kept the others from being given up.
#[tokio::test]
async fn a_revocation_that_fails_is_a_share_that_is_lost() {
    for fault in [Fault::Fails, Fault::GetsLost, Fault::NotCommitted, Fault::CommittedUnheard] {
        let (log, script, trouble) = troubled();
        script.assign(&[0, 1, 2]);
        let app = started(sums(), &log, Settings { threads: 2, ..never() }).await;
        (0..3).for_each(|partition| put(&*log, partition, 1));
        while app.table(&SUMS).dirty().all().await.unwrap().len() < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        trouble.arm(fault);
        script.revoke(&[1, 2]);
        wait_until("the fault", || trouble.is_over()).await;
        all_again(&script, 2).await;
        assert_eq!(script.released.load(Ordering::SeqCst), 0, "{fault:?}: what was lost is not given up in good order");
        (0..3).for_each(|partition| put(&*log, partition, 1));
        app.settled().await.unwrap();
        each_once(app, &*log, 2).await;
    }
}

/// KAFKA-15690, 16077: tasks whose share was lost while they were restored stayed open.
#[tokio::test]
async fn a_share_that_is_lost_in_the_middle_of_a_restore_is_restored_again() {
    let (log, script, trouble) = troubled();
    script.assign(&[0, 1, 2]);
    let first = started(sums(), &log, soon()).await;
    (0..3).for_each(|partition| put(&*log, partition, 1));
    wait_until("the work", || committed(&*log) == [1; 3]).await;
    first.close().await.unwrap();

    trouble.hold();
    script.assign(&[0, 1, 2]);
    let starting = tokio::spawn({
        let log = log.clone();
        async move { started(sums(), &log, Settings { threads: 2, ..soon() }).await }
    });
    wait_until("a restore", || trouble.waits.load(Ordering::SeqCst)).await;
    script.say(Change::Lost("the group took the process for dead".into()));
    wait_until("the loss is heard", || script.changes.lock().unwrap().is_empty()).await;
    (0..3).for_each(|partition| put(&*log, partition, 1));
    trouble.let_go();
    all_again(&script, 3).await;
    let app = starting.await.unwrap();
    each_once(app, &*log, 2).await;
}

/// KAFKA-6634, 13295: a transaction was open while tasks were restored, for so long that the brokers ended it.
#[tokio::test]
async fn a_restore_keeps_no_other_task_from_committing() {
    let (log, script, trouble) = troubled();
    script.assign(&[0, 1, 2]);
    let first = started(sums(), &log, soon()).await;
    (0..3).for_each(|partition| put(&*log, partition, 1));
    wait_until("the work", || committed(&*log) == [1; 3]).await;
    first.close().await.unwrap();

    script.assign(&[0]);
    // One worker does both.
    let app = started(sums(), &log, Settings { threads: 1, ..soon() }).await;
    trouble.hold();
    script.assign(&[1, 2]);
    wait_until("a restore", || trouble.waits.load(Ordering::SeqCst)).await;
    for round in 2..=5 {
        put(&*log, 0, 1);
        wait_until("the work of who has all its rows", || committed(&*log) == [round, 1, 1]).await;
    }
    trouble.let_go();
    for partition in 1..3 {
        (2..=5).for_each(|_| put(&*log, partition, 1));
    }
    each_once(app, &*log, 5).await;
}
