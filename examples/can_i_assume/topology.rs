//! The bank in two forms: operations against a table that is made of what they become, and one step that does both.

use serde::{Deserialize, Serialize};
use tidemill::prelude::*;

pub(crate) const OPERATIONS: Topic<String, i64> = Topic::of("operations");
pub(crate) const MOVEMENTS: Topic<String, Movement> = Topic::of("movements");
const BALANCES: Store<String, i64> = Store::of("balances");
const ACCOUNTS: Store<String, Account> = Store::of("accounts");

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) struct Movement {
    pub(crate) amount: i64,
    pub(crate) refused: bool,
}

impl Movement {
    fn of(amount: i64, balance: i64) -> Self {
        let refused = balance + amount < 0;
        Movement { amount: if refused { 0 } else { amount }, refused }
    }
}

/// Movements make the balances that operations are joined with.
pub(crate) fn join() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let balances = builder.stream(&MOVEMENTS).group_by_key().aggregate(
        &BALANCES,
        || 0,
        |balance: i64, _account, movement| balance + movement.amount,
    );
    builder
        .stream(&OPERATIONS)
        .left_join(&balances, |amount, balance| Movement::of(*amount, balance.copied().unwrap_or(0)))
        .named("decide")
        .to(&MOVEMENTS);
    builder.build()
}

/// One step reads the balance, decides, and keeps the balance.
pub(crate) fn event_sourced() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let accounts = builder.stream(&OPERATIONS).event_sourced(&ACCOUNTS).named("decide");
    let refused = accounts.refusals().map_values(|_| Movement { amount: 0, refused: true });
    accounts.events().merge(&refused).to(&MOVEMENTS);
    builder.build()
}

/// The balance of an account.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Data)]
#[data(json)]
struct Account(i64);

impl Aggregate for Account {
    type Key = String;
    type Command = i64;
    type Event = Movement;
    type Refusal = ();

    fn decide(&self, amount: &i64, _: &CommandContext<'_, String>) -> Result<Vec<Movement>, ()> {
        let movement = Movement::of(*amount, self.0);
        if movement.refused { Err(()) } else { Ok(vec![movement]) }
    }

    fn evolve(&mut self, movement: &Movement) {
        self.0 += movement.amount;
    }
}
