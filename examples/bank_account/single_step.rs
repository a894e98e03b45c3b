//! One step reads the account, decides, writes the account and forwards the movement. Nothing can come in between, on any
//! log. The changelog of its store has every update: it is the topic of snapshots.

use tidemill::Topic;
use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::Record;
use tidemill::state::{Changelog, Store, StoreSpec};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::{Topology, TopologyErrors};

use crate::model::{Account, Movement, Operation};

pub(crate) const OPERATIONS: Topic<String, Operation> = Topic::json("bank-step-operations");
pub(crate) const MOVEMENTS: Topic<String, Movement> = Topic::json("bank-step-movements");
pub(crate) const ACCOUNTS: Store<String, Account> = Store::json("accounts");

pub(crate) fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder.add_store(StoreSpec::plain(&ACCOUNTS).in_memory().changelog(Changelog::EveryUpdate));
    builder.stream(&OPERATIONS).process(|| Teller, &[&ACCOUNTS]).to(&MOVEMENTS);
    builder.build()
}

struct Teller;

impl Processor<String, Operation, String, Movement> for Teller {
    fn process(&mut self, operation: Record<'_, String, Operation>, ctx: &mut Context<'_, String, Movement>) -> Flow {
        let mut accounts = ctx.store(&ACCOUNTS)?;
        let account = accounts.get(operation.key)?.cloned();
        let movement = operation.value.against(account.as_ref());
        // A refusal leaves the account as it is, and so its changelog.
        if movement.amount != 0 {
            let account = account.unwrap_or_default().after(&movement);
            accounts.put(operation.key, account, operation.timestamp)?;
        }
        ctx.forward(operation.with_value(&movement))
    }
}
