//! Every operation is decided against its account in one step, which keeps the account too. Nothing can come in between, on any
//! log, and so no withdrawal is refused wrongly. The changelog of the accounts has every update: it is the topic of snapshots.

use tidemill::Topic;
use tidemill::event_sourcing::{Aggregate, CommandContext, Commands};
use tidemill::state::{Changelog, Store};
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill::topology::{Topology, TopologyErrors};

use crate::model::{Account, Movement, Operation};

pub(crate) const OPERATIONS: Commands<Account> = Commands::json("bank-operations-commands");
pub(crate) const MOVEMENTS: Topic<String, Movement> = Topic::json("bank-movements-events");
pub(crate) const ACCOUNTS: Store<String, Account> = Store::json("accounts");

pub(crate) fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let snapshots = Materialized::store(&ACCOUNTS).in_memory().changelog(Changelog::EveryUpdate);
    let accounts = builder.stream(&OPERATIONS).event_sourced(snapshots).named("decide");
    // Who reads the movements wants to see what was refused as well.
    let refused = accounts.refusals().map_values(|refusal| Movement::refused(&refusal.to_string()));
    accounts.events().merge(&refused).to(&MOVEMENTS);
    builder.build()
}

impl Aggregate for Account {
    type Key = String;
    type Command = Operation;
    type Event = Movement;
    type Refusal = String;

    fn decide(&self, operation: &Operation, _: &CommandContext<'_, String>) -> Result<Vec<Movement>, String> {
        let movement = operation.against(Some(self));
        match movement.error {
            Some(reason) => Err(reason),
            None => Ok(vec![movement]),
        }
    }

    fn evolve(&mut self, movement: &Movement) {
        *self = std::mem::take(self).after(movement);
    }
}

#[cfg(test)]
mod tests {
    use tidemill_testkit::explorer::{Backend, Explorer, Kafka};
    use tidemill_testkit::{Commit, TestDriver, given};

    use super::*;

    const SNAPSHOTS: Topic<String, Account> = Topic::json("bank-accounts-changelog");

    fn moved(amount: i64) -> Movement {
        Movement { amount, error: None }
    }

    fn insufficient() -> Movement {
        Movement { amount: 0, error: Some("insufficient funds".into()) }
    }

    #[track_caller]
    fn check(amounts: &[i64], movements: &[Movement], balances: &[i64]) {
        for commit in [Commit::EveryRecord, Commit::Every(2), Commit::OnDemand] {
            let mut driver = TestDriver::new(&topology().unwrap()).application("bank").commits(commit);
            for amount in amounts {
                driver.input(&OPERATIONS).send("alice", Operation { amount: *amount });
            }
            driver.commit().unwrap();
            assert_eq!(driver.output(&MOVEMENTS).values(), movements, "{commit:?}");
            let snapshots: Vec<i64> =
                driver.output(&SNAPSHOTS).values().iter().map(|account| account.balance).collect();
            assert_eq!(snapshots, balances, "{commit:?}");
        }
    }

    #[test]
    fn what_was_deposited_can_be_withdrawn() {
        check(&[10, 10, -20], &[moved(10), moved(10), moved(-20)], &[10, 20, 0]);
        check(&[100, 100, -200], &[moved(100), moved(100), moved(-200)], &[100, 200, 0]);
    }

    #[test]
    fn a_refusal_leaves_the_account_and_its_changelog_as_they_are() {
        check(&[10, -20], &[moved(10), insufficient()], &[10]);
    }

    #[test]
    fn the_rule_by_itself() {
        let withdrawal = Operation { amount: -20 };
        given::<Account>([moved(10), moved(10)])
            .when(withdrawal.clone())
            .then([moved(-20)])
            .then_state(&Account::default());
        given::<Account>([moved(10)]).when(withdrawal).then_refused("insufficient funds");
    }

    #[test]
    fn no_order_of_things_refuses_a_withdrawal_wrongly() {
        let kafka = [Kafka::at_least_once(), Kafka::exactly_once(), Kafka::exactly_once().without_idling()];
        for backend in kafka.into_iter().map(Backend::from).chain([Backend::Embedded]) {
            Explorer::new(&topology().unwrap())
                .on(backend)
                .input(&OPERATIONS, [10, 10, -20].map(|amount| ("alice", Operation { amount })))
                .never_output(&MOVEMENTS, |_, movement| movement.error.is_some())
                .explore()
                .assert_holds();
        }
    }
}
