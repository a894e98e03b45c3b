//! The bank in two forms: operations against a table that is made of what they become, and one processor that does both.

use serde::{Deserialize, Serialize};
use tidemill::prelude::*;

pub(crate) const OPERATIONS: Topic<String, i64> = Topic::of("operations");
pub(crate) const MOVEMENTS: Topic<String, Movement> = Topic::of("movements");
const BALANCES: Store<String, i64> = Store::of("balances");

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

/// One processor reads the balance, decides, and writes the balance.
pub(crate) fn single_step() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder.add_store(StoreSpec::plain(&BALANCES));
    builder.stream(&OPERATIONS).process(|| Decide, &[&BALANCES]).named("decide").to(&MOVEMENTS);
    builder.build()
}

struct Decide;

impl Processor<String, i64, String, Movement> for Decide {
    fn process(&mut self, operation: Record<'_, String, i64>, ctx: &mut Context<'_, String, Movement>) -> Flow {
        let mut balances = ctx.store(&BALANCES)?;
        let balance = balances.get(operation.key)?.copied().unwrap_or(0);
        let movement = Movement::of(*operation.value, balance);
        balances.put(operation.key, balance + movement.amount, operation.timestamp)?;
        ctx.forward(operation.with_value(&movement))
    }
}
