//! Operations are joined with the table of accounts; the results, movements, go back in and make that table.
//!
//! A join reads the table and does not wait for it. That every operation still sees what the one before it did rests on
//! two things: on the embedded log a task sees its own records at once, and each operation is later than the one before
//! it, so a movement, which has its operation's time, goes before the next operation. On another log the first does not
//! hold; `event_sourced` needs neither.

use tidemill::Topic;
use tidemill::record::{Record, Timestamp};
use tidemill::state::Store;
use tidemill::stream::{Consumed, StreamsBuilder};
use tidemill::topology::{TimestampExtractor, Topology, TopologyErrors};

use crate::model::{Account, Movement, Operation};

pub(crate) const OPERATIONS: Topic<String, Operation> = Topic::json("bank-join-operations");
pub(crate) const MOVEMENTS: Topic<String, Movement> = Topic::json("bank-join-movements");
pub(crate) const SNAPSHOTS: Topic<String, Account> = Topic::json("bank-join-accounts");
pub(crate) const ACCOUNTS: Store<String, Account> = Store::json("accounts-store");

pub(crate) fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let accounts = builder.stream(&MOVEMENTS).group_by_key().aggregate(
        &ACCOUNTS,
        Account::default,
        |account: Account, _id, movement| account.after(movement),
    );
    builder
        .stream_with(&OPERATIONS, Consumed::timestamps(TimestampExtractor::custom(one_by_one)))
        .left_join(&accounts, Operation::against)
        .named("decide")
        .to(&MOVEMENTS);
    accounts.to_stream().to(&SNAPSHOTS);
    builder.build()
}

/// Makes each operation at least a millisecond later than the one before it.
///
/// Many operations are sent within a millisecond. Of two records with equal times the operation could go before the
/// movement that it has to see.
fn one_by_one(operation: &Record<'_, String, Operation>, before: Option<Timestamp>) -> Timestamp {
    let earliest = before.map_or(0, |before| before.as_millis() + 1);
    Timestamp::from_millis(operation.timestamp.as_millis().max(earliest))
}
