//! What comes of a command, in the driver.

use std::time::Duration;

use tidemill::event_sourcing::headers::{CAUSED_BY, EXPECTED_VERSION, event_version};
use tidemill::prelude::*;
use tidemill::processor::DropReason;
use tidemill::state::{Emit, Persistence, VersionedStore};
use tidemill_testkit::{Commit, TestDriver};

use crate::account::{
    ACCOUNTS, Account, COMMANDS, Command, EVENTS, Event, REFUSALS, REPLIES, Reason, STATES, expecting, id, topology,
    topology_with,
};

fn accepted(version: u64, events: impl Into<Vec<Event>>) -> Reply<Event, Reason> {
    Reply::Accepted { version, events: events.into() }
}

fn refused(reason: Reason) -> Reply<Event, Reason> {
    Reply::Refused(Refusal::Rule(reason))
}

#[test]
fn a_command_gives_state_events_and_a_reply() {
    let mut driver = TestDriver::new(&topology());
    driver.input(&COMMANDS).at(7).send("alice", Command::Deposit(10));
    let events = driver.output(&EVENTS).records();
    let seen: Vec<_> = events
        .into_iter()
        .map(|event| (event.value.unwrap(), event.timestamp, event_version(&event.headers)))
        .collect();
    assert_eq!(seen, [(Event::Opened, 7.into(), Some(1)), (Event::Deposited(10), 7.into(), Some(2))]);
    assert_eq!(driver.output(&REPLIES).values(), [accepted(2, [Event::Opened, Event::Deposited(10)])]);
    assert_eq!(driver.output(&STATES).values(), [Some(Account::with(10))]);
    assert_eq!(driver.store(&ACCOUNTS).get("alice"), Some(Account::with(10)));
    assert!(driver.output(&REFUSALS).records().is_empty());
}

#[test]
fn a_refusal_changes_nothing() {
    let mut driver = TestDriver::new(&topology());
    driver.input(&COMMANDS).send("alice", Command::Deposit(10)).send("alice", Command::Withdraw(11));
    assert_eq!(driver.output(&REFUSALS).values(), [Refusal::Rule(Reason::InsufficientFunds)]);
    assert_eq!(driver.output(&EVENTS).values().len(), 2);
    assert_eq!(driver.take_raw("test-accounts-changelog").len(), 1, "a state that did not change is not written");
    driver.input(&COMMANDS).send("alice", Command::Withdraw(10));
    assert_eq!(event_version(&driver.output(&EVENTS).records()[0].headers), Some(3), "versions have no gaps");
}

#[test]
fn a_command_may_be_accepted_without_events() {
    let mut driver = TestDriver::new(&topology());
    driver.input(&COMMANDS).send("alice", Command::Touch);
    assert_eq!(driver.output(&REPLIES).values(), [accepted(0, [])]);
    assert_eq!(driver.store(&ACCOUNTS).get("alice"), None);
    assert!(driver.take_raw("test-accounts-versions-changelog").is_empty());
}

#[test]
fn what_is_gone_leaves_the_table_and_keeps_its_version() {
    let mut driver = TestDriver::new(&topology());
    driver.input(&COMMANDS).send("a", Command::Deposit(5)).send("a", Command::Close).send("a", Command::Withdraw(1));
    assert_eq!(driver.output(&STATES).values(), [Some(Account::with(5)), None]);
    assert_eq!(driver.output(&REFUSALS).values(), [Refusal::Rule(Reason::InsufficientFunds)]);
    driver.input(&COMMANDS).send("a", Command::Deposit(1));
    assert_eq!(driver.output(&REPLIES).values().last(), Some(&accepted(5, [Event::Deposited(1)])));
}

#[test]
fn an_expected_version_is_kept_or_the_command_is_refused() {
    let mut driver = TestDriver::new(&topology());
    driver.input(&COMMANDS).headers(expecting(0)).send("alice", Command::Deposit(10));
    driver.input(&COMMANDS).headers(expecting(0)).send("alice", Command::Deposit(10));
    driver.input(&COMMANDS).headers(expecting(2)).send("alice", Command::Withdraw(1));
    let conflict = Refusal::Conflict { expected: 0, actual: 2 };
    assert_eq!(driver.output(&REFUSALS).values(), std::slice::from_ref(&conflict));
    let replies = driver.output(&REPLIES).values();
    assert_eq!(replies[1..], [Reply::Refused(conflict), accepted(3, [Event::Withdrawn(1)])]);
    let bad = Headers::default().with(EXPECTED_VERSION, "two");
    driver.input(&COMMANDS).headers(bad).send("alice", Command::Touch);
    let header = EXPECTED_VERSION.to_owned();
    assert_eq!(driver.output(&REFUSALS).values(), [Refusal::BadHeader { header }]);
}

#[test]
fn a_repeated_id_gets_the_first_reply_again_and_does_nothing() {
    let mut driver = TestDriver::new(&topology());
    driver.input(&COMMANDS).headers(id("c1")).send("alice", Command::Deposit(10));
    driver.input(&COMMANDS).headers(id("c2")).send("alice", Command::Withdraw(20));
    driver.input(&COMMANDS).send("alice", Command::Deposit(30));
    let first = driver.output(&REPLIES).values();
    assert_eq!(driver.output(&EVENTS).values().len(), 3);
    driver.output(&REFUSALS).values();
    for again in ["c1", "c2"] {
        driver.input(&COMMANDS).headers(id(again)).send("alice", Command::Deposit(99));
    }
    assert_eq!(driver.output(&REPLIES).values(), first[..2]);
    assert_eq!(first[1], refused(Reason::InsufficientFunds), "although there is enough by now");
    assert!(driver.output(&EVENTS).values().is_empty() && driver.output(&REFUSALS).values().is_empty());
    assert_eq!(driver.store(&ACCOUNTS).get("alice"), Some(Account::with(40)));
}

#[test]
fn ids_are_told_apart_by_key() {
    let mut driver = TestDriver::new(&topology());
    for (key, name) in [("a", "bc"), ("ab", "c"), ("a", "c")] {
        driver.input(&COMMANDS).headers(id(name)).send(key, Command::Deposit(1));
    }
    assert_eq!(driver.store(&ACCOUNTS).get("a"), Some(Account::with(2)));
    assert_eq!(driver.store(&ACCOUNTS).get("ab"), Some(Account::with(1)));
}

#[test]
fn ids_are_forgotten_by_record_time_and_what_may_repeat_a_forgotten_one_is_refused() {
    let within = Duration::from_millis(100);
    let mut driver = TestDriver::new(&topology_with(EventSourced::default().remember(within)));
    let mut deposit = |time: i64, name: &str| {
        driver.input(&COMMANDS).at(time).headers(id(name)).send("a", Command::Deposit(1));
        driver.output(&REPLIES).values().remove(0).accepted()
    };
    assert_eq!(deposit(1_000, "c1"), Ok((2, vec![Event::Opened, Event::Deposited(1)])));
    assert_eq!(deposit(1_100, "c1"), Ok((2, vec![Event::Opened, Event::Deposited(1)])), "remembered to the last");
    assert_eq!(deposit(1_101, "c1"), Ok((3, vec![Event::Deposited(1)])), "a new one");
    assert_eq!(deposit(1_001, "c0"), Ok((4, vec![Event::Deposited(1)])), "as late as can be");
    assert_eq!(deposit(1_000, "c00"), Err(Refusal::TooLate));
    // Without an id there is nothing to repeat.
    driver.input(&COMMANDS).at(0).send("a", Command::Deposit(1));
    assert_eq!(driver.store(&ACCOUNTS).get("a"), Some(Account::with(4)));
}

#[test]
fn a_command_that_is_as_late_as_can_be_is_known_when_it_repeats_one_as_far_back() {
    let within = Duration::from_millis(100);
    let mut driver = TestDriver::new(&topology_with(EventSourced::default().remember(within)));
    for (time, name) in [(1_000, "c1"), (1_200, "c2"), (1_100, "c1")] {
        driver.input(&COMMANDS).at(time).headers(id(name)).send("a", Command::Deposit(1));
    }
    assert_eq!(driver.store(&ACCOUNTS).get("a"), Some(Account::with(2)));
}

#[test]
fn ids_and_versions_may_come_from_the_command() {
    let options = EventSourced::default()
        .id(|command: &Command| matches!(command, Command::Deposit(_)).then(|| "the deposit".to_owned()))
        .expected_version(|command: &Command| matches!(command, Command::Withdraw(_)).then_some(2));
    let mut driver = TestDriver::new(&topology_with(options));
    let mut commands = driver.input(&COMMANDS);
    commands.send("a", Command::Deposit(5)).send("a", Command::Deposit(5));
    commands.send("a", Command::Withdraw(1)).send("a", Command::Withdraw(1));
    assert_eq!(driver.store(&ACCOUNTS).get("a"), Some(Account::with(4)));
    assert_eq!(driver.output(&REFUSALS).values(), [Refusal::Conflict { expected: 2, actual: 3 }]);
}

#[test]
fn events_say_what_caused_them_and_do_not_look_like_commands() {
    let mut driver = TestDriver::new(&topology());
    let headers = id("c1").with(EXPECTED_VERSION, "0").with("trace", "t");
    driver.input(&COMMANDS).headers(headers).send("a", Command::Deposit(1));
    let event = driver.output(&EVENTS).records().remove(0);
    let names: Vec<&str> = event.headers.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["trace", "caused-by", "event-version"]);
    assert_eq!(event.headers.last(CAUSED_BY), Some(&b"c1"[..]));
}

#[test]
fn the_changelog_of_states_has_the_states_alone() {
    let mut driver = TestDriver::new(&topology());
    driver.input(&COMMANDS).send("alice", Command::Deposit(10));
    let rows = driver.take_raw("test-accounts-changelog");
    let row = rows[0].value.as_deref().expect("a row");
    assert_eq!(row, br#"{"balance":10,"is_closed":false}"#);
}

#[test]
fn a_command_without_a_key_is_dropped_and_counted() {
    const UNKEYED: Topic<Option<String>, Option<Command>> = Topic::json("unkeyed");
    let builder = StreamsBuilder::new();
    builder.stream(&UNKEYED).event_sourced(&ACCOUNTS).named("decide").events().to(&EVENTS);
    let topology = builder.build().unwrap();
    let warnings: Vec<String> = topology.warnings(Changelog::LastPerCommit).iter().map(ToString::to_string).collect();
    assert!(warnings[0].starts_with("node `decide` decides commands that may have no key"), "{warnings:?}");
    let mut driver = TestDriver::new(&topology);
    driver
        .input(&UNKEYED)
        .send(None, Command::Deposit(1))
        .send("a".to_owned(), None)
        .send("a".to_owned(), Command::Touch);
    let dropped = &driver.dropped()[0];
    assert_eq!((dropped.get(DropReason::NullKey), dropped.get(DropReason::NullValue)), (1, 1));
}

#[test]
fn an_answer_goes_to_the_partition_that_asked() {
    let asked = |partition: &str| id("c1").with("reply-partition", partition.to_owned());
    let mut driver = TestDriver::new(&topology()).partitions("commands", 3).partitions("test-accounts-answers", 3);
    for partition in ["2", "0", "3", "x"] {
        driver.input(&COMMANDS).headers(asked(partition)).send("a", Command::Deposit(1));
    }
    let answers = driver.take_raw("test-accounts-answers");
    let places: Vec<_> = answers.iter().map(|answer| (answer.partition, answer.key.as_deref())).collect();
    assert_eq!(places, [(2, Some(&b"c1"[..])), (0, Some(&b"c1"[..]))], "a partition that is not there is nobody's");
    assert_eq!(answers[0].value, answers[1].value, "the second command repeats the first");
    let named = asked("1").with("reply-id", "of mine");
    driver.input(&COMMANDS).headers(named).send("a", Command::Deposit(1));
    assert_eq!(driver.take_raw("test-accounts-answers")[0].key.as_deref(), Some(&b"of mine"[..]));
}

#[test]
fn states_may_be_kept_as_any_table_is() {
    const VERSIONS: VersionedStore<String, Account> = VersionedStore::of("versions", Duration::from_secs(60));
    let builder = StreamsBuilder::new();
    let accounts = builder.stream(&COMMANDS).event_sourced(&VERSIONS);
    // What the balance was at a record's own time.
    const ASKED: Topic<String, u64> = Topic::of("asked");
    const BALANCES: Topic<String, u64> = Topic::of("balances");
    builder.stream(&ASKED).join(&accounts.states(), |_, account| account.balance).to(&BALANCES);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    driver.input(&COMMANDS).at(10).send("a", Command::Deposit(5));
    driver.input(&COMMANDS).at(20).send("a", Command::Withdraw(2));
    driver.input(&ASKED).at(15).send("a", 0u64);
    driver.input(&ASKED).at(25).send("a", 0u64);
    assert_eq!(driver.output(&BALANCES).values(), [5, 3]);
}

#[test]
fn held_back_states_are_decided_against_all_the_same() {
    let builder = StreamsBuilder::new();
    let states = Materialized::store(&ACCOUNTS).emit(Emit::OnCommit);
    let accounts = builder.stream(&COMMANDS).event_sourced(states);
    accounts.events().to(&EVENTS);
    accounts.states().to_stream().to(&STATES);
    let mut driver = TestDriver::new(&builder.build().unwrap()).commits(Commit::OnDemand);
    let mut commands = driver.input(&COMMANDS);
    commands.send("a", Command::Deposit(5)).send("a", Command::Withdraw(5)).send("a", Command::Withdraw(1));
    driver.commit().unwrap();
    assert_eq!(driver.output(&EVENTS).values(), [Event::Opened, Event::Deposited(5), Event::Withdrawn(5)]);
    assert_eq!(driver.output(&STATES).values(), [Some(Account::with(0))], "the last one per commit");
}

#[test]
fn what_lies_beside_the_states_is_kept_as_they_are() {
    let builder = StreamsBuilder::new();
    let states = Materialized::store(&ACCOUNTS).in_memory().changelog(Changelog::EveryUpdate);
    builder.stream(&COMMANDS).event_sourced(states);
    let topology = builder.build().unwrap();
    let kept: Vec<_> =
        topology.stores().iter().map(|store| (store.persistence(), store.changelog_declared())).collect();
    let (memory, last) = (Persistence::Memory, Some(Changelog::LastPerCommit));
    assert_eq!(kept, [(memory, last), (memory, last), (memory, Some(Changelog::EveryUpdate))]);
}
