//! Asking an application: replies, what is seen after them, and what is known when there is none.

use std::future::IntoFuture;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidemill::prelude::*;
use tidemill::{AskError, ErrorKind};

use crate::account::{ACCOUNTS, Account, COMMANDS, Command, EVENTS, Event, Reason, topology, topology_with};

/// Nothing is committed before something asks for it.
fn never() -> Settings {
    Settings { commit_interval: Duration::from_secs(3_600), ..Settings::default() }
}

async fn bank(settings: Settings) -> App {
    App::builder("bank", topology()).settings(settings).memory().start().await.unwrap()
}

#[tokio::test]
async fn a_reply_comes_with_its_commit_and_reads_see_it() {
    let app = bank(Settings { partitions: 3, threads: 2, ..never() }).await;
    for round in 0..10_u64 {
        for name in ["alice", "bob", "carol"] {
            let answer = app.ask(&COMMANDS, name, Command::Deposit(10)).await.unwrap();
            assert_eq!(answer.reply.accepted().unwrap().0, round + 2, "the first one opens the account");
            let seen = app.table(&ACCOUNTS).get(name).await.unwrap();
            assert_eq!(seen, Some(Account::with(10 * (round + 1))));
        }
    }
    let refused = app.ask(&COMMANDS, "bob", Command::Withdraw(101)).await.unwrap();
    assert_eq!(refused.reply, Reply::Refused(Refusal::Rule(Reason::InsufficientFunds)));
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_patient_ask_waits_for_the_interval() {
    let app = bank(Settings { commit_interval: Duration::from_millis(30), ..Settings::default() }).await;
    let answer = app.ask(&COMMANDS, "alice", Command::Deposit(10)).patient().await.unwrap();
    assert_eq!(answer.reply.accepted().unwrap().0, 2);
    app.close().await.unwrap();
}

#[tokio::test]
async fn many_asks_at_once_each_get_their_own_reply() {
    let app = bank(Settings { partitions: 2, threads: 2, ..Settings::default() }).await;
    let asks: Vec<_> = (1..=200_u64)
        .map(|amount| {
            let ask = app.ask(&COMMANDS, format!("a{}", amount % 7), Command::Deposit(amount));
            (amount, tokio::spawn(ask.into_future()))
        })
        .collect();
    let mut versions = std::collections::BTreeMap::<u64, Vec<u64>>::new();
    for (amount, ask) in asks {
        let (version, events) = ask.await.unwrap().unwrap().reply.accepted().unwrap();
        assert_eq!(events.last(), Some(&Event::Deposited(amount)));
        versions.entry(amount % 7).or_default().push(version);
    }
    for mut versions in versions.into_values() {
        versions.sort_unstable();
        let expected: Vec<u64> = (2..2 + versions.len() as u64).collect();
        assert_eq!(versions, expected, "each command of an account made the next version");
    }
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_command_asked_twice_is_decided_once() {
    let app = bank(Settings::default()).await;
    let ask = || app.ask(&COMMANDS, "alice", Command::Deposit(10)).id("c1");
    let (first, second) = (ask().await.unwrap(), ask().await.unwrap());
    assert_eq!((&first.reply, &first.id), (&second.reply, &second.id));
    // The same id is another command under another key.
    app.ask(&COMMANDS, "bob", Command::Deposit(1)).id("c1").await.unwrap();
    assert_eq!(app.table(&ACCOUNTS).get("alice").await.unwrap(), Some(Account::with(10)));
    assert_eq!(app.subscribe(&EVENTS).unwrap().read().unwrap().len(), 4);
    app.close().await.unwrap();
}

#[tokio::test]
async fn two_who_saw_the_same_version_do_not_both_win() {
    let app = bank(Settings::default()).await;
    app.ask(&COMMANDS, "alice", Command::Deposit(10)).await.unwrap();
    let ask = || app.ask(&COMMANDS, "alice", Command::Withdraw(10)).expect_version(2);
    assert_eq!(ask().await.unwrap().reply.accepted().unwrap().0, 3);
    assert_eq!(ask().await.unwrap().reply, Reply::Refused(Refusal::Conflict { expected: 2, actual: 3 }));
    app.close().await.unwrap();
}

#[tokio::test]
async fn without_a_reply_in_time_the_outcome_is_unknown_and_asking_again_is_safe() {
    let app = bank(never()).await;
    let ask = || app.ask(&COMMANDS, "alice", Command::Deposit(10)).id("c1");
    let late = ask().patient().timeout(Duration::from_millis(20)).await.unwrap_err();
    let AskError::Unknown { id, cause } = &late else { panic!("{late}") };
    assert_eq!((id.as_str(), cause.kind()), ("c1", ErrorKind::TimedOut));
    assert_eq!(
        late.to_string(),
        "nobody knows whether command `c1` was decided: no reply came within 20ms; ask again with this id, which is safe"
    );
    assert_eq!(ask().await.unwrap().reply.accepted().unwrap().0, 2);
    assert_eq!(app.table(&ACCOUNTS).get("alice").await.unwrap(), Some(Account::with(10)));
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_close_answers_those_who_wait() {
    let (builder, seen) = (StreamsBuilder::new(), Arc::new(AtomicBool::new(false)));
    let sees = seen.clone();
    let events = builder.stream(&COMMANDS).event_sourced(&ACCOUNTS).events();
    events.peek(move |_, _| sees.store(true, Ordering::SeqCst)).to(&EVENTS);
    let topology = builder.build().unwrap();
    let app = App::builder("bank", topology).settings(never()).memory().start().await.unwrap();
    let waits = tokio::spawn(app.ask(&COMMANDS, "alice", Command::Deposit(10)).patient().into_future());
    // A close does not begin with what was not begun.
    while !seen.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    app.close().await.unwrap();
    assert_eq!(waits.await.unwrap().unwrap().reply.accepted().unwrap().0, 2);
}

#[tokio::test]
async fn an_application_that_is_gone_answers_nobody() {
    let app = bank(never()).await;
    let waits = tokio::spawn(app.ask(&COMMANDS, "alice", Command::Deposit(10)).patient().into_future());
    while app.backlog().unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    let too_late = app.ask(&COMMANDS, "alice", Command::Deposit(10));
    drop(app);
    assert!(matches!(waits.await.unwrap(), Err(AskError::Unknown { .. })));
    assert!(matches!(too_late.await, Err(AskError::NotSent(_))));
}

#[tokio::test]
async fn what_nobody_decides_is_not_sent() {
    let app = App::builder("bank", topology_with(EventSourced::default().unasked())).memory().start().await.unwrap();
    let error = app.ask(&COMMANDS, "alice", Command::Deposit(10)).await.unwrap_err();
    assert!(matches!(&error, AskError::NotSent(cause) if cause.kind() == ErrorKind::Unknown), "{error}");
    assert!(error.to_string().contains("nobody answers commands of topic `commands`"), "{error}");
    app.close().await.unwrap();
}

#[tokio::test]
async fn behind_a_repartition_topic_reads_see_it_too() {
    #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, Data)]
    #[data(json)]
    struct Sum(i64);

    impl Aggregate for Sum {
        type Key = String;
        type Command = i64;
        type Event = i64;
        type Refusal = String;

        fn decide(&self, what: &i64, _: &CommandContext<'_, String>) -> Result<Vec<i64>, String> {
            Ok(vec![*what])
        }

        fn evolve(&mut self, what: &i64) {
            self.0 += what;
        }
    }

    const ADDS: Commands<Sum> = Commands::of("adds");
    const SUMS: Store<String, Sum> = Store::of("sums");
    let builder = StreamsBuilder::new();
    builder.stream(&ADDS).select_key(|key, _| key.to_uppercase()).event_sourced(&SUMS);
    let settings =
        Settings { partitions: 3, threads: 2, commit_interval: Duration::from_millis(5), ..Settings::default() };
    let app = App::builder("sums", builder.build().unwrap()).settings(settings).memory().start().await.unwrap();
    for round in 1..=5 {
        for key in ["a", "b", "c", "d"] {
            app.ask(&ADDS, key, round).await.unwrap();
            assert_eq!(app.table(&SUMS).get(key.to_uppercase()).await.unwrap(), Some(Sum(round * (round + 1) / 2)));
        }
    }
    app.close().await.unwrap();
}

/// Starts on a folder, once the application that was dropped has let go of it.
async fn start_on(folder: &Path) -> App {
    loop {
        match App::builder("bank", topology()).embedded(folder).settings(never()).start().await {
            Err(error) if error.kind() == ErrorKind::Locked => tokio::task::yield_now().await,
            started => return started.unwrap(),
        }
    }
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_crash_and_not_decided_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("data");
    for round in 0..4_u64 {
        let app = start_on(&folder).await;
        for number in 0..=round {
            // All but the last one were asked before the crash.
            let ask = app.ask(&COMMANDS, "alice", Command::Deposit(1 << number)).id(format!("c{number}"));
            assert_eq!(ask.await.unwrap().reply.accepted().unwrap().0, number + 2);
        }
        let balance = (1 << (round + 1)) - 1;
        assert_eq!(app.table(&ACCOUNTS).get("alice").await.unwrap(), Some(Account::with(balance)));
        // Dropped without a close, which is like a crash; the last time it is closed.
        if round == 3 {
            app.close().await.unwrap();
        }
    }
    let app = start_on(&folder).await;
    let events = app.subscribe(&EVENTS).unwrap().read().unwrap();
    assert_eq!(events.len(), 5, "opened once, and four deposits");
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_command_whose_outcome_a_crash_left_unknown_is_decided_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("data");
    let app = start_on(&folder).await;
    let waits = tokio::spawn(app.ask(&COMMANDS, "alice", Command::Deposit(10)).id("c1").patient().into_future());
    while app.backlog().unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    drop(app);
    let error = waits.await.unwrap().unwrap_err();
    let AskError::Unknown { id, .. } = error else { panic!("{error}") };
    let app = start_on(&folder).await;
    let answer = app.ask(&COMMANDS, "alice", Command::Deposit(10)).id(id).await.unwrap();
    assert_eq!(answer.reply.accepted().unwrap().0, 2);
    assert_eq!(app.table(&ACCOUNTS).get("alice").await.unwrap(), Some(Account::with(10)));
    app.close().await.unwrap();
}
