//! Any commands against a model that keeps everything in maps: replies, states and versions agree.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidemill::event_sourcing::headers::event_version;
use tidemill::prelude::*;
use tidemill_testkit::{Commit, TestDriver};

use crate::account::{ACCOUNTS, Account, COMMANDS, Command, EVENTS, Event, REPLIES, Reason, expecting, id, topology};

/// A command as it is sent.
#[derive(Clone, Debug)]
struct Sent {
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
    ("[ab]", command, id, proptest::option::weighted(0.2, 0..6u64)).prop_map(|(key, command, id, expected)| Sent {
        key,
        command,
        id,
        expected,
    })
}

/// What an account is without stores, tasks or topics.
#[derive(Default)]
struct Model {
    balances: BTreeMap<String, u64>,
    versions: BTreeMap<String, u64>,
    replies: BTreeMap<(String, u8), Reply<Event, Reason>>,
}

impl Model {
    fn answer(&mut self, sent: &Sent) -> Reply<Event, Reason> {
        let known = sent.id.and_then(|id| self.replies.get(&(sent.key.clone(), id)));
        if let Some(reply) = known {
            return reply.clone();
        }
        let reply = self.decide(sent);
        if let Some(id) = sent.id {
            self.replies.insert((sent.key.clone(), id), reply.clone());
        }
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
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn decisions_agree_with_the_model(
        sent in proptest::collection::vec(any_sent(), 0..40),
        commit in prop_oneof![Just(Commit::EveryRecord), (1..7u64).prop_map(Commit::Every)],
    ) {
        let (mut driver, mut model) = (TestDriver::new(&topology()).commits(commit), Model::default());
        let mut expected = Vec::new();
        for sent in &sent {
            let mut headers = sent.id.map_or(Headers::NONE, |number| id(&number.to_string()));
            if let Some(version) = sent.expected {
                expecting(version).iter().for_each(|(name, value)| headers.add(name, value.map(|v| v.to_vec().into())));
            }
            driver.input(&COMMANDS).headers(headers).send(sent.key.clone(), sent.command.clone());
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
