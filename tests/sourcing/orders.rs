//! Every order of fetches, sends, commits and crashes: a decision never misses what was decided before it.

use tidemill_testkit::explorer::{Backend, Explorer, Kafka, Report};

use crate::account::{ACCOUNTS, Account, COMMANDS, Command, EVENTS, Event, REPLIES, topology};

const EXACTLY_ONCE: [fn() -> Backend; 2] = [|| Kafka::exactly_once().into(), || Backend::Embedded];

/// Two deposits of 10, then a withdrawal of 20.
fn explorer(backend: impl Into<Backend>) -> Explorer {
    let commands = [Command::Deposit(10), Command::Deposit(10), Command::Withdraw(20)];
    Explorer::new(&topology())
        .on(backend)
        .input(&COMMANDS, commands.map(|command| ("alice", command)))
        .never_output(&REPLIES, |_, reply| reply.refusal().is_some())
}

/// Whether the state is what the events that were written make.
fn states_follow_events(explorer: Explorer) -> Explorer {
    explorer.before(&COMMANDS, "the state is what the events make", |_, look| {
        let balance = look.written(&EVENTS).iter().fold(0, |balance, (_, event)| match event {
            Event::Deposited(amount) => balance + amount,
            Event::Withdrawn(amount) => balance - amount,
            Event::Opened | Event::Closed => balance,
        });
        look.store(&ACCOUNTS, &"alice".to_owned()).unwrap_or_default() == Account::with(balance)
    })
}

#[test]
fn a_withdrawal_is_never_refused_wrongly() {
    let at_least_once = [Kafka::at_least_once().without_idling(), Kafka::at_least_once()];
    for kafka in at_least_once.into_iter().chain([Kafka::exactly_once().without_idling()]) {
        states_follow_events(explorer(kafka)).explore().assert_holds();
    }
    for backend in EXACTLY_ONCE {
        states_follow_events(explorer(backend())).explore().assert_holds();
    }
}

#[test]
fn a_refusal_that_is_right_is_found() {
    let more = explorer(Backend::Embedded).input(&COMMANDS, [("alice", Command::Withdraw(1))]);
    assert_eq!(more.explore().verdict("never replies").name(), "Fails");
}

#[test]
fn crashes_change_nothing_that_anybody_sees() {
    for backend in EXACTLY_ONCE {
        explorer(backend()).crashes(1).refines_crash_free().explore().assert_holds();
    }
}

#[test]
fn a_command_that_is_sent_twice_is_decided_once_in_every_order() {
    let ask = |backend: Backend| -> Report {
        let explorer = Explorer::new(&by_id::topology()).on(backend).crashes(1);
        let explorer =
            explorer.input(&by_id::COMMANDS, [("a", ("c1", 5)), ("a", ("c1", 5)), ("a", ("c2", 1))].map(by_id::sent));
        explorer
            .at_quiescence("each id counts once", |look| {
                look.store(&by_id::SUMS, &"a".to_owned()).is_some_and(|sum| sum.0 == 6)
            })
            .refines_crash_free()
            .explore()
    };
    for backend in EXACTLY_ONCE {
        ask(backend()).assert_holds();
    }
}

/// A sum whose commands carry their ids.
mod by_id {
    use serde::{Deserialize, Serialize};
    use tidemill::prelude::*;

    pub(super) const COMMANDS: Commands<Sum> = Commands::of("adds");
    pub(super) const SUMS: Store<String, Sum> = Store::of("sums");

    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Data)]
    #[data(json)]
    pub(crate) struct Sum(pub(crate) i64);

    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
    #[data(json)]
    pub(crate) struct Add {
        id: String,
        what: i64,
    }

    impl Aggregate for Sum {
        type Key = String;
        type Command = Add;
        type Event = i64;
        type Refusal = String;

        fn decide(&self, add: &Add, _: &CommandContext<'_, String>) -> Result<Vec<i64>, String> {
            Ok(vec![add.what])
        }

        fn evolve(&mut self, what: &i64) {
            self.0 += what;
        }
    }

    pub(super) fn sent((key, (id, what)): (&'static str, (&str, i64))) -> (&'static str, Add) {
        (key, Add { id: id.into(), what })
    }

    pub(super) fn topology() -> Topology {
        let builder = StreamsBuilder::new();
        let options = EventSourced::default().id(|add: &Add| Some(add.id.clone())).unasked();
        builder.stream(&COMMANDS).event_sourced_with(&SUMS, options).events().to(&Topic::<String, i64>::of("added"));
        builder.build().expect("it fits together")
    }
}
