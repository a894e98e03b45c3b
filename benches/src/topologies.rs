//! One topology per workload: those of the benchmark of Kafka Streams, and the bank account in one step.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::Topic;
use tidemill::prelude::*;
use tidemill::serde::DefaultSerde;
use tidemill::state::StoreSpec;
use tidemill::stream::{Materialized, StreamJoined};
use tidemill::window::{Hopping, JoinWindows, Session, SessionWindowed, TimeWindowed, Windowed};

use crate::data::{Set, word, words};
use crate::options::{StoreKind, Workload};

/// The topic that everything ends in.
pub(crate) const OUT: &str = "out";

const ACCOUNTS: Store<i64, Vec<u8>> = Store::of("accounts");

const WINDOW: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(10);
/// How far apart records of two joined streams may be.
pub(crate) const JOIN_NEAR: Duration = Duration::from_secs(1);

/// An amount for an account.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
#[data(json)]
struct Deposit {
    account: String,
    amount: i64,
}

/// What an account has.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Data)]
#[data(json)]
struct Balance {
    account: String,
    balance: i64,
    count: i64,
}

/// The topics of a run.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) input: String,
    pub(crate) second_input: String,
    pub(crate) output: String,
    pub(crate) around: String,
}

impl Names {
    /// Those of input sets that a run made itself.
    pub(crate) fn of(sets: &[Set]) -> Self {
        let topic = |number: usize| sets.get(number).map_or("", |set| set.topic).to_owned();
        Names { input: topic(0), second_input: topic(1), output: OUT.to_owned(), around: "loop".to_owned() }
    }

    fn input<K: DefaultSerde, V: DefaultSerde>(&self) -> Topic<K, V> {
        Topic::new(&self.input, SerdeRef::of(), SerdeRef::of())
    }

    /// A table's rows, or the right side of a join of streams.
    fn second_input(&self) -> Topic<i64, Vec<u8>> {
        Topic::new(&self.second_input, SerdeRef::of(), SerdeRef::of())
    }

    fn output<K: DefaultSerde, V: DefaultSerde>(&self) -> Topic<K, V> {
        Topic::new(&self.output, SerdeRef::of(), SerdeRef::of())
    }

    fn around(&self) -> Topic<i64, Vec<u8>> {
        Topic::new(&self.around, SerdeRef::of(), SerdeRef::of())
    }
}

/// Builds a workload's topology.
pub(crate) fn build(workload: Workload, store: StoreKind, names: &Names) -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    match workload {
        Workload::Passthrough | Workload::Append => {
            builder.stream(&names.input::<Vec<u8>, Vec<u8>>()).to(&names.output::<Vec<u8>, Vec<u8>>());
        }
        Workload::Stateless => stateless(&builder, names),
        Workload::Count => {
            builder
                .stream(&names.input::<i64, Vec<u8>>())
                .group_by_key()
                .count_with(kept(store))
                .to_stream()
                .to(&names.output::<i64, i64>());
        }
        Workload::Reduce | Workload::Restore | Workload::Reopen => {
            let last = |_: Vec<u8>, now: &Vec<u8>| now.clone();
            builder
                .stream(&names.input::<i64, Vec<u8>>())
                .group_by_key()
                .reduce_with(kept(store), last)
                .to_stream()
                .to(&names.output::<i64, Vec<u8>>());
        }
        Workload::AggregateJson => aggregate_json(&builder, store, names),
        Workload::Wordcount => {
            let words = builder
                .stream(&names.input::<i64, String>())
                .flat_map_values(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
            words
                .group_by(|_, word| word.clone())
                .count_with(kept(store))
                .to_stream()
                .to(&names.output::<String, i64>());
        }
        Workload::HoppingWindowCount => {
            let windows = Hopping::of(WINDOW, Duration::from_secs(1)).with_grace(GRACE);
            let counts = builder
                .stream(&names.input::<i64, Vec<u8>>())
                .group_by_key()
                .windowed_by(windows)
                .count_with(kept(store));
            let key = TimeWindowed::serde(SerdeRef::of(), WINDOW);
            counts.to_stream().to(&Topic::<Windowed<i64>, i64>::new(&names.output, key, SerdeRef::of()));
        }
        Workload::SessionCount => {
            let sessions = Session::gap(Duration::from_secs(2)).with_grace(GRACE);
            let counts = builder
                .stream(&names.input::<i64, Vec<u8>>())
                .group_by_key()
                .windowed_by(sessions)
                .count_with(kept(store));
            let key = SessionWindowed::serde(SerdeRef::of());
            counts.to_stream().to(&Topic::<Windowed<i64>, i64>::new(&names.output, key, SerdeRef::of()));
        }
        Workload::StreamTableJoin => {
            let table = builder.table_with(&names.second_input(), kept(store));
            let join =
                |value: &Vec<u8>, row: Option<&Vec<u8>>| words(word(value, 0), row.map_or(-1, |row| word(row, 0)));
            builder.stream(&names.input::<i64, Vec<u8>>()).left_join(&table, join).to(&names.output::<i64, Vec<u8>>());
        }
        Workload::StreamStreamJoin => {
            let windows = JoinWindows::of(JOIN_NEAR).with_grace(GRACE);
            let kept = StreamJoined::store("joined");
            let kept = if store == StoreKind::Memory { kept.in_memory() } else { kept };
            let join = |left: &Vec<u8>, right: &Vec<u8>| words(word(left, 0), word(right, 0));
            let (left, right) = (names.input::<i64, Vec<u8>>(), names.second_input());
            builder
                .stream(&left)
                .join_stream_with(&builder.stream(&right), windows, kept, join)
                .to(&names.output::<i64, Vec<u8>>());
        }
        Workload::FkJoin => {
            let left = builder.table_with(&names.input::<i64, Vec<u8>>(), kept(store));
            let right = builder.table_with(&names.second_input(), kept(store));
            let joined = left.join_on_with(
                &right,
                kept(store),
                |_: &i64, value: &Vec<u8>| word(value, 8),
                |left: &Vec<u8>, right: &Vec<u8>| words(word(left, 0), word(right, 0)),
            );
            joined.to_stream().to(&names.output::<i64, Vec<u8>>());
        }
        Workload::BankAccount => bank_account(&builder, store, names),
        Workload::BankStep => {
            let spec = StoreSpec::plain(&ACCOUNTS);
            builder.add_store(if store == StoreKind::Memory { spec.in_memory() } else { spec });
            builder
                .stream(&names.input::<i64, Vec<u8>>())
                .process(|| Decide, &[&ACCOUNTS])
                .to(&names.output::<i64, Vec<u8>>());
        }
        Workload::Startup | Workload::Latency => unreachable!("they run another workload's topology"),
    }
    builder.build()
}

fn kept<K, V, Kind: Default>(store: StoreKind) -> Materialized<K, V, Kind> {
    let standard = Materialized::default();
    if store == StoreKind::Memory { standard.in_memory() } else { standard }
}

fn stateless(builder: &StreamsBuilder, names: &Names) {
    builder
        .stream(&names.input::<i64, Vec<u8>>())
        .filter(|_, value| word(value, 8) & 3 != 0)
        .map_values(|value| words(word(value, 0), word(value, 8).wrapping_mul(3).wrapping_add(1)))
        .flat_map_values(|value| [word(value, 0), word(value, 8)])
        .to(&names.output::<i64, i64>());
}

fn aggregate_json(builder: &StreamsBuilder, store: StoreKind, names: &Names) {
    let add = |old: Balance, _: &String, deposit: &Deposit| Balance {
        account: deposit.account.clone(),
        balance: old.balance + deposit.amount,
        count: old.count + 1,
    };
    let balances =
        builder.stream(&names.input::<String, Deposit>()).group_by_key().aggregate(kept(store), Balance::default, add);
    balances.to_stream().to(&names.output::<String, Balance>());
}

fn bank_account(builder: &StreamsBuilder, store: StoreKind, names: &Names) {
    let add = |account: Vec<u8>, _: &i64, movement: &Vec<u8>| {
        words(word(&account, 0) + 1, word(&account, 8) + word(movement, 8))
    };
    let accounts = builder.stream(&names.around()).group_by_key().aggregate(kept(store), || words(0, 0), add);
    let decide = |operation: &Vec<u8>, account: Option<&Vec<u8>>| {
        let (balance, amount) = (account.map_or(0, |account| word(account, 8)), word(operation, 8));
        words(word(operation, 0), if balance + amount >= 0 { amount } else { 0 })
    };
    builder.stream(&names.input::<i64, Vec<u8>>()).left_join(&accounts, decide).to(&names.around());
    accounts.to_stream().to(&names.output::<i64, Vec<u8>>());
}

/// Reads the account, decides, writes the account and says what it has.
struct Decide;

impl Processor<i64, Vec<u8>, i64, Vec<u8>> for Decide {
    fn process(&mut self, record: Record<'_, i64, Vec<u8>>, ctx: &mut Context<'_, i64, Vec<u8>>) -> Flow {
        let amount = word(record.value, 8);
        let mut accounts = ctx.store(&ACCOUNTS)?;
        let (count, balance) = accounts.get(record.key)?.map_or((0, 0), |account| (word(account, 0), word(account, 8)));
        let accepted = if balance + amount >= 0 { amount } else { 0 };
        let account = words(count + 1, balance + accepted);
        accounts.put(record.key, account.clone(), record.timestamp)?;
        ctx.forward(record.with_value(&account))
    }
}
