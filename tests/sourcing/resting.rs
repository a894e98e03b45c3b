//! A log that is hard on the thread that reads replies: it parks it, as one does that asks brokers again after a while, cannot be read
//! for some time, or takes long to answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use tidemill::log::{Log, LogError, LogErrorKind, MemoryLog, Session};
use tidemill::prelude::*;
use tidemill::record::{Batch, Offset, TopicPartition};

use crate::account::{ACCOUNTS, COMMANDS, Command, topology};
use crate::done_by_log::done_by_log;

/// The thread that reads replies has this name.
const READER: &str = "tidemill-answers";

/// How long a log keeps a reader waiting if nobody lets it go on: longer than any test has to.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Resting {
    log: MemoryLog,
    /// How often the reader of replies finds it out of order next.
    out_of_order: AtomicUsize,
    gate: Mutex<Gate>,
    moved: Condvar,
}

/// Whether the reader of replies goes through.
#[derive(Default, PartialEq)]
enum Gate {
    #[default]
    Open,
    Shut,
    /// The reader stands before it.
    Occupied,
    /// Nobody opened it in time.
    Forced,
}

impl Resting {
    fn pass(&self) {
        let mut gate = self.gate.lock().unwrap();
        if *gate == Gate::Shut {
            *gate = Gate::Occupied;
        }
        let (mut gate, waited) = self.moved.wait_timeout_while(gate, LIMIT, |gate| *gate == Gate::Occupied).unwrap();
        if waited.timed_out() {
            *gate = Gate::Forced;
        }
    }

    fn set(&self, gate: Gate) -> Gate {
        let was = std::mem::replace(&mut *self.gate.lock().unwrap(), gate);
        self.moved.notify_all();
        was
    }

    async fn occupied(&self) {
        while *self.gate.lock().unwrap() == Gate::Shut {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Log for Resting {
    done_by_log!(but read);
    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError> {
        let one_less = |times: usize| times.checked_sub(1);
        if thread::current().name() == Some(READER)
            && self.out_of_order.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
        {
            return Err(LogError::new(LogErrorKind::Unavailable, "the brokers are away, as the test has it"));
        }
        if thread::current().name() == Some(READER) {
            self.pass();
        }
        let found = self.log.read(partition, from, bytes_max);
        // Whoever unparks the thread meanwhile does so here.
        thread::park_timeout(Duration::from_millis(50));
        found
    }
    fn session(&self, application: &str) -> Result<Box<dyn Session>, LogError> {
        self.log.session(application)
    }
}

async fn bank(log: Arc<dyn Log>) -> App {
    let settings = Settings { commit_interval: Duration::from_millis(5), ..Settings::default() };
    App::builder("bank", topology()).settings(settings).log(log).start().await.unwrap()
}

async fn deposit(app: &App) -> u64 {
    let ask = app.ask(&COMMANDS, "alice", Command::Deposit(1)).timeout(Duration::from_secs(20));
    ask.await.unwrap().reply.accepted().unwrap().0
}

/// Once the thread that hands out replies missed that there was one, and all that came later.
#[tokio::test]
async fn replies_come_from_a_log_that_parks_who_reads() {
    let app = bank(Arc::new(Resting::default())).await;
    for round in 0..10 {
        assert_eq!(deposit(&app).await, round + 2, "the first one opens the account");
    }
    app.close().await.unwrap();
}

/// Once no ask was answered any more when brokers had been away while one waited.
#[tokio::test]
async fn replies_come_once_the_log_can_be_read_again() {
    let log = Arc::new(Resting::default());
    let app = bank(log.clone()).await;
    assert_eq!(deposit(&app).await, 2);
    log.out_of_order.store(2, Ordering::SeqCst);
    assert_eq!(deposit(&app).await, 3);
    assert_eq!(log.out_of_order.load(Ordering::SeqCst), 0);
    assert_eq!(deposit(&app).await, 4);
    app.close().await.unwrap();
}

/// Once whoever began to ask was kept waiting, with its whole thread, while the log kept the reader of replies waiting.
#[tokio::test]
async fn asks_are_sent_while_the_log_is_slow_to_give_replies() {
    let log = Arc::new(Resting::default());
    let app = bank(log.clone()).await;
    assert_eq!(deposit(&app).await, 2);
    log.set(Gate::Shut);
    let next = async {
        log.occupied().await;
        let decided = async {
            let balance = || async { app.table(&ACCOUNTS).get("alice").await.unwrap().map(|account| account.balance) };
            while balance().await != Some(3) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(log.set(Gate::Open) == Gate::Occupied, "the reader of replies did not have to go on for that");
        };
        tokio::join!(deposit(&app), decided).0
    };
    let (one, other) = tokio::join!(deposit(&app), next);
    assert_eq!([one.min(other), one.max(other)], [3, 4]);
    app.close().await.unwrap();
}
