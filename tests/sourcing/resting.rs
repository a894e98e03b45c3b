//! A log that parks the threads that read it, as one does that asks brokers again after a while.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tidemill::log::{Log, LogError, MemoryLog, Session};
use tidemill::prelude::*;
use tidemill::record::{Batch, Offset, TopicPartition};

use crate::account::{COMMANDS, Command, topology};
use crate::done_by_log::done_by_log;

struct Resting {
    log: MemoryLog,
}

impl Log for Resting {
    done_by_log!(but read);
    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError> {
        let found = self.log.read(partition, from, bytes_max);
        // Whoever unparks the thread meanwhile does so here.
        thread::park_timeout(Duration::from_millis(50));
        found
    }
    fn session(&self, application: &str) -> Result<Box<dyn Session>, LogError> {
        self.log.session(application)
    }
}

/// Once the thread that hands out replies missed that there was one, and all that came later.
#[tokio::test]
async fn replies_come_from_a_log_that_parks_who_reads() {
    let settings = Settings { commit_interval: Duration::from_millis(5), ..Settings::default() };
    let log = Arc::new(Resting { log: MemoryLog::default() });
    let app = App::builder("bank", topology()).settings(settings).log(log).start().await.unwrap();
    for round in 0..10 {
        let ask = app.ask(&COMMANDS, "alice", Command::Deposit(1)).timeout(Duration::from_secs(20));
        assert_eq!(ask.await.unwrap().reply.accepted().unwrap().0, round + 2);
    }
    app.close().await.unwrap();
}
