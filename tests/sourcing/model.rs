//! Any commands against a model that keeps everything in maps: replies, states and versions agree.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidemill::event_sourcing::headers::event_version;
use tidemill::prelude::*;
use tidemill_testkit::{Commit, TestDriver};

use crate::account::{
    ACCOUNTS, Account, COMMANDS, Command, EVENTS, Event, REPLIES, Reason, expecting, id, topology_with,
};

/// How long ids are remembered, in milliseconds.
const REMEMBERED: i64 = 10;

/// A command as it is sent.
#[derive(Clone, Debug)]
struct Sent {
    time: i64,
    key: String,
    command: Command,
    id: Option<u8>,
    expected: Option<u64>,
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let command = prop_oneof![
        (1..20u64).prop_map(Command::Deposit),
        (1..20u64).prop_map(Command::Withdraw),
        Just(Command::Close),
        Just(Command::Touch),
    ];
    let id = proptest::option::weighted(0.6, 0..6u8);
    (0..40i64, "[ab]", command, id, proptest::option::weighted(0.2, 0..6u64))
        .prop_map(|(time, key, command, id, expected)| Sent { time, key, command, id, expected })
}

/// What an account is without stores, tasks or topics; it forgets nothing.
#[derive(Default)]
struct Model {
    balances: BTreeMap<String, u64>,
    versions: BTreeMap<String, u64>,
    /// By key and id, in the order of the commands' times.
    replies: BTreeMap<(String, u8), BTreeMap<i64, Reply<Event, Reason>>>,
    /// The greatest time so far.
    observed: i64,
}

impl Model {
    fn answer(&mut self, sent: &Sent) -> Reply<Event, Reason> {
        self.observed = self.observed.max(sent.time);
        let Some(id) = sent.id else { return self.decide(sent) };
        if sent.time < self.observed - REMEMBERED {
            return Reply::Refused(Refusal::TooLate);
        }
        let name = (sent.key.clone(), id);
        let near = sent.time - REMEMBERED..=sent.time + REMEMBERED;
        if let Some((_, reply)) = self.replies.entry(name.clone()).or_default().range(near).next() {
            return reply.clone();
        }
        let reply = self.decide(sent);
        self.replies.entry(name).or_default().insert(sent.time, reply.clone());
        reply
    }

    fn decide(&mut self, sent: &Sent) -> Reply<Event, Reason> {
        let version = self.versions.entry(sent.key.clone()).or_default();
        if let Some(expected) = sent.expected.filter(|expected| expected != version) {
            return Reply::Refused(Refusal::Conflict { expected, actual: *version });
        }
        let balance = self.balances.get(&sent.key).copied().unwrap_or(0);
        let (events, after) = match sent.command {
            Command::Touch => (vec![], Some(balance)),
            Command::Deposit(amount) if *version == 0 => (vec![Event::Opened, Event::Deposited(amount)], Some(amount)),
            Command::Deposit(amount) => (vec![Event::Deposited(amount)], Some(balance + amount)),
            Command::Withdraw(amount) if amount > balance => {
                return Reply::Refused(Refusal::Rule(Reason::InsufficientFunds));
            }
            Command::Withdraw(amount) => (vec![Event::Withdrawn(amount)], Some(balance - amount)),
            Command::Close if *version == 0 => return Reply::Refused(Refusal::Rule(Reason::NoAccount)),
            Command::Close => (vec![Event::Withdrawn(balance), Event::Closed], None),
        };
        *version += events.len() as u64;
        match after {
            _ if events.is_empty() => {}
            Some(after) => drop(self.balances.insert(sent.key.clone(), after)),
            None => drop(self.balances.remove(&sent.key)),
        }
        Reply::Accepted { version: *version, events }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn decisions_agree_with_the_model(
        sent in proptest::collection::vec(any_sent(), 0..40),
        commit in prop_oneof![Just(Commit::EveryRecord), (1..7u64).prop_map(Commit::Every)],
    ) {
        let remembered = EventSourced::default().remember(Duration::from_millis(REMEMBERED.unsigned_abs()));
        let (mut driver, mut model) = (TestDriver::new(&topology_with(remembered)).commits(commit), Model::default());
        let mut expected = Vec::new();
        for sent in &sent {
            let mut headers = sent.id.map_or(Headers::NONE, |number| id(&number.to_string()));
            if let Some(version) = sent.expected {
                expecting(version).iter().for_each(|(name, value)| headers.add(name, value.map(|v| v.to_vec().into())));
            }
            driver.input(&COMMANDS).at(sent.time).headers(headers).send(sent.key.clone(), sent.command.clone());
            expected.push(model.answer(sent));
        }
        driver.commit().unwrap();
        prop_assert_eq!(driver.output(&REPLIES).values(), expected);
        let balances: BTreeMap<String, Account> =
            model.balances.into_iter().map(|(key, balance)| (key, Account::with(balance))).collect();
        prop_assert_eq!(driver.store(&ACCOUNTS).all().into_iter().collect::<BTreeMap<_, _>>(), balances);
        let mut versions: BTreeMap<String, u64> = BTreeMap::new();
        for event in driver.output(&EVENTS).records() {
            let last = versions.entry(event.key.unwrap()).or_default();
            prop_assert_eq!(event_version(&event.headers), Some(*last + 1), "versions of a key have no gaps");
            *last += 1;
        }
        prop_assert!(versions.iter().all(|(key, last)| model.versions[key] == *last));
    }
}
