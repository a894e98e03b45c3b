//! An account: opened by its first deposit, never overdrawn, gone when it is closed.

use serde::{Deserialize, Serialize};
use tidemill::event_sourcing::headers::{COMMAND_ID, EXPECTED_VERSION};
use tidemill::prelude::*;

pub(crate) const COMMANDS: Commands<Account> = Commands::of("commands");
pub(crate) const EVENTS: Topic<String, Event> = Topic::of("events");
pub(crate) const REFUSALS: Topic<String, Refusal<Reason>> = Topic::of("refusals");
pub(crate) const REPLIES: Topic<String, Reply<Event, Reason>> = Topic::of("replies");
pub(crate) const STATES: Topic<String, Option<Account>> = Topic::json("states");
pub(crate) const ACCOUNTS: Store<String, Account> = Store::of("accounts");

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) struct Account {
    pub(crate) balance: u64,
    is_closed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) enum Command {
    Deposit(u64),
    Withdraw(u64),
    /// Pays everything out and closes the account.
    Close,
    /// Asks for nothing.
    Touch,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) enum Event {
    Opened,
    Deposited(u64),
    Withdrawn(u64),
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) enum Reason {
    InsufficientFunds,
    NoAccount,
}

impl Aggregate for Account {
    type Key = String;
    type Command = Command;
    type Event = Event;
    type Refusal = Reason;

    fn decide(&self, command: &Command, context: &CommandContext<'_, String>) -> Result<Vec<Event>, Reason> {
        match command {
            Command::Deposit(amount) if context.version() == 0 => Ok(vec![Event::Opened, Event::Deposited(*amount)]),
            Command::Deposit(amount) => Ok(vec![Event::Deposited(*amount)]),
            Command::Withdraw(amount) if *amount > self.balance => Err(Reason::InsufficientFunds),
            Command::Withdraw(amount) => Ok(vec![Event::Withdrawn(*amount)]),
            Command::Close if context.version() == 0 => Err(Reason::NoAccount),
            Command::Close => Ok(vec![Event::Withdrawn(self.balance), Event::Closed]),
            Command::Touch => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Opened => {}
            Event::Deposited(amount) => self.balance += amount,
            Event::Withdrawn(amount) => self.balance -= amount,
            Event::Closed => self.is_closed = true,
        }
    }

    fn is_gone(&self) -> bool {
        self.is_closed
    }
}

impl Account {
    pub(crate) fn with(balance: u64) -> Self {
        Account { balance, is_closed: false }
    }
}

/// All that comes of commands, each kind in a topic.
pub(crate) fn topology() -> Topology {
    topology_with(EventSourced::default())
}

pub(crate) fn topology_with(options: EventSourced<Account>) -> Topology {
    let builder = StreamsBuilder::new();
    let accounts = builder.stream(&COMMANDS).event_sourced_with(&ACCOUNTS, options).named("decide");
    accounts.events().to(&EVENTS);
    accounts.refusals().to(&REFUSALS);
    accounts.replies().to(&REPLIES);
    accounts.states().to_stream().to(&STATES);
    builder.build().expect("it fits together")
}

pub(crate) fn id(id: &str) -> Headers {
    Headers::default().with(COMMAND_ID, id.to_owned())
}

pub(crate) fn expecting(version: u64) -> Headers {
    Headers::default().with(EXPECTED_VERSION, version.to_string())
}
