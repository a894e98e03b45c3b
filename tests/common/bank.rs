//! The bank account in its two forms: operations against balances that movements make.

use serde::{Deserialize, Serialize};
use tidemill::Topic;
use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::Record;
use tidemill::serde::Data;
use tidemill::state::{Store, StoreSpec};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;

pub(crate) const OPERATIONS: Topic<String, i64> = Topic::of("operations");
pub(crate) const MOVEMENTS: Topic<String, Movement> = Topic::json("movements");
pub(crate) const SNAPSHOTS: Topic<String, i64> = Topic::of("accounts");
pub(crate) const ACCOUNTS: Store<String, i64> = Store::of("accounts-store");

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) struct Movement {
    pub(crate) amount: i64,
    pub(crate) error: Option<String>,
}

impl Movement {
    pub(crate) fn accepted(amount: i64) -> Self {
        Movement { amount, error: None }
    }

    pub(crate) fn refused(amount: i64) -> Self {
        Movement { amount, error: Some("insufficient funds".into()) }
    }

    fn against(amount: i64, balance: i64) -> Self {
        if balance + amount < 0 { Movement::refused(amount) } else { Movement::accepted(amount) }
    }

    /// The balance after it.
    fn applied_to(&self, balance: i64) -> i64 {
        if self.error.is_none() { balance + self.amount } else { balance }
    }
}

/// Operations are joined with the table of accounts, which is made of the movements that come out: a loop.
pub(crate) fn join() -> Topology {
    let builder = StreamsBuilder::new();
    let accounts = builder.stream(&MOVEMENTS).group_by_key().aggregate(
        &ACCOUNTS,
        || 0,
        |balance, _id, movement| movement.applied_to(balance),
    );
    builder
        .stream(&OPERATIONS)
        .left_join(&accounts, |amount, balance| Movement::against(*amount, balance.copied().unwrap_or(0)))
        .named("decide")
        .to(&MOVEMENTS);
    accounts.to_stream().to(&SNAPSHOTS);
    builder.build().unwrap()
}

/// One processor reads the balance, decides and writes it back.
#[allow(dead_code, reason = "not every test binary that includes this file uses both forms")]
pub(crate) fn single_step() -> Topology {
    let builder = StreamsBuilder::new();
    builder.add_store(StoreSpec::plain(&ACCOUNTS));
    builder.stream(&OPERATIONS).process(|| Decide, &[&ACCOUNTS]).named("decide").to(&MOVEMENTS);
    builder.build().unwrap()
}

struct Decide;

impl Processor<String, i64, String, Movement> for Decide {
    fn process(&mut self, operation: Record<'_, String, i64>, ctx: &mut Context<'_, String, Movement>) -> Flow {
        let mut accounts = ctx.store(&ACCOUNTS)?;
        let balance = accounts.get(operation.key)?.copied().unwrap_or(0);
        let movement = Movement::against(*operation.value, balance);
        accounts.put(operation.key, movement.applied_to(balance), operation.timestamp)?;
        ctx.forward(operation.with_value(&movement))
    }
}
