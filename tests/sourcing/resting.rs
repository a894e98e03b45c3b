//! A log that is hard on the thread that reads replies: it parks it, as one does that asks brokers again after a while, and cannot be
//! read for some time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tidemill::log::{Log, LogError, LogErrorKind, MemoryLog, Session};
use tidemill::prelude::*;
use tidemill::record::{Batch, Offset, TopicPartition};

use crate::account::{COMMANDS, Command, topology};
use crate::done_by_log::done_by_log;

/// The thread that reads replies has this name.
const READER: &str = "tidemill-answers";

#[derive(Default)]
struct Resting {
    log: MemoryLog,
    /// How often the reader of replies finds it out of order next.
    out_of_order: AtomicUsize,
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
