//! Two processes share an application's work, each with some of the partitions: whoever is asked, the one that has the key answers.

use std::sync::Arc;
use std::time::Duration;

use tidemill::Position;
use tidemill::log::{Change, Log, LogError, Member, Membership, MemoryLog, Session, TopicSpec};
use tidemill::prelude::*;
use tidemill::record::{TopicPartition, partition_of};

use crate::account::{ACCOUNTS, Account, COMMANDS, Command, topology};
use crate::done_by_log::done_by_log;

const PARTITIONS: u32 = 4;

/// A log in memory, as one of the processes sees it that share it.
struct Shared {
    log: Arc<MemoryLog>,
    process: &'static str,
    /// The partitions of commands that are this process's.
    share: Vec<u32>,
}

/// A share that never changes.
struct Fixed {
    session: Arc<dyn Session>,
    share: Option<Vec<TopicPartition>>,
}

impl Membership for Fixed {
    fn session(&self, _worker: usize) -> Arc<dyn Session> {
        self.session.clone()
    }
    fn call_every(&self) -> Option<Duration> {
        None
    }
    fn next(&mut self) -> Result<Option<Change>, LogError> {
        Ok(self.share.take().map(Change::Assigned))
    }
    fn released(&mut self) -> Result<(), LogError> {
        Ok(())
    }
    fn leave(self: Box<Self>) -> Result<(), LogError> {
        Ok(())
    }
}

impl Log for Shared {
    done_by_log!();
    fn session(&self, application: &str) -> Result<Box<dyn Session>, LogError> {
        // The log in memory has one session for an application, and fences the one before.
        self.log.session(&format!("{application}-{}", self.process))
    }
    fn is_shared(&self) -> bool {
        true
    }
    fn join(&self, member: &Member) -> Result<Box<dyn Membership>, LogError> {
        let session = Arc::from(self.session(&member.application)?);
        let share = self.share.iter().map(|number| TopicPartition::new(COMMANDS.name(), *number)).collect();
        Ok(Box::new(Fixed { session, share: Some(share) }))
    }
}

async fn process(log: &Arc<MemoryLog>, process: &'static str, share: &[u32]) -> App {
    for topic in ["commands", "events", "refusals", "replies", "states"] {
        log.create_topic(&TopicSpec::new(topic, PARTITIONS)).unwrap();
    }
    let log = Shared { log: log.clone(), process, share: share.to_vec() };
    let settings = Settings { threads: 2, commit_interval: Duration::from_millis(5), ..Settings::default() };
    App::builder("bank", topology()).log(Arc::new(log)).settings(settings).start().await.unwrap()
}

#[tokio::test]
async fn whoever_is_asked_the_one_that_has_the_key_answers() {
    let log = Arc::new(MemoryLog::default());
    let (one, other) = (process(&log, "one", &[0, 2]).await, process(&log, "other", &[1, 3]).await);
    let names: Vec<String> = (0..12).map(|number| format!("account-{number}")).collect();
    let mut last = Position::new();
    for round in 1..=3_u64 {
        for name in &names {
            let asked = if round % 2 == 0 { &other } else { &one };
            let answer = asked.ask(&COMMANDS, name.as_str(), Command::Deposit(1)).await.unwrap();
            assert_eq!(answer.reply.accepted().unwrap().0, round + 1);
            last.merge(&answer.position);
        }
    }
    let is_of_one = |name: &String| partition_of(name.as_bytes(), PARTITIONS).is_multiple_of(2);
    let of_one = names.iter().filter(|name| is_of_one(name)).count();
    assert!(of_one > 0 && of_one < names.len(), "both have some");
    // A process that has a key sees what was answered, whoever was asked.
    for (owner, is_own) in [(&one, true), (&other, false)] {
        let own = last.iter().filter(|(partition, _)| partition.partition.is_multiple_of(2) == is_own);
        let own: Position = own.map(|(partition, next)| (partition.clone(), next)).collect();
        let accounts = owner.table(&ACCOUNTS).at_least(own, Duration::from_secs(60));
        for name in names.iter().filter(|name| is_of_one(name) == is_own) {
            assert_eq!(accounts.get(name.as_str()).await.unwrap(), Some(Account::with(3)));
        }
    }
    one.close().await.unwrap();
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_command_asked_again_by_way_of_another_process_is_decided_once() {
    let log = Arc::new(MemoryLog::default());
    let (one, other) = (process(&log, "one", &[0, 2]).await, process(&log, "other", &[1, 3]).await);
    for name in ["a", "b", "c", "d", "e", "f"] {
        let ask = |app: &App| app.ask(&COMMANDS, name, Command::Deposit(5)).id("c1");
        let (first, second) = (ask(&one).await.unwrap(), ask(&other).await.unwrap());
        assert_eq!(first.reply, second.reply);
    }
    one.close().await.unwrap();
    other.close().await.unwrap();
}
