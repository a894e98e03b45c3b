//! Avro in topics, keys and stores of an application, across two versions of it.

use std::sync::Arc;

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use tidemill::App;
use tidemill::avro::{Codec, SingleObject, TopicRegistry};
use tidemill::log::{EmbeddedLog, Log, LogSettings};
use tidemill::prelude::*;
use tidemill::record::{Offset, TopicPartition};
use tidemill_testkit::TestDriver;

mod first {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema, Data)]
    #[avro(namespace = "bank")]
    #[serde(rename = "Operation")]
    pub(super) struct Operation {
        pub(super) amount: i32,
    }
}

mod second {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema, Data)]
    #[avro(namespace = "bank")]
    pub(super) struct Operation {
        pub(super) amount: i64,
        #[avro(default = "\"EUR\"")]
        pub(super) currency: String,
    }
}

/// State that only this program reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, AvroSchema, Data)]
#[data(avro)]
struct Account {
    balance: i64,
    currencies: Vec<String>,
}

fn operations<O>(log: &Arc<dyn Log>) -> Topic<String, O>
where
    O: Data<Plain = O> + tidemill::avro::AvroType,
{
    let registry = Arc::new(TopicRegistry::open(log.clone()).unwrap());
    let keys = SingleObject::new(Codec::derived().unwrap(), registry.clone()).shared();
    Topic::new("operations", keys, SingleObject::new(Codec::derived().unwrap(), registry).shared())
}

const ACCOUNTS: Store<String, Account> = Store::of("accounts");

fn topology(operations: &Topic<String, second::Operation>) -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream(operations).group_by_key().aggregate(&ACCOUNTS, Account::default, |mut account, _, operation| {
        account.balance += operation.amount;
        account.currencies.push(operation.currency.clone());
        account
    });
    builder.build().unwrap()
}

#[test]
fn the_driver_reads_what_an_earlier_version_wrote() {
    let log: Arc<dyn Log> = Arc::new(tidemill::log::MemoryLog::new());
    let old = operations::<first::Operation>(&log);
    let new = operations::<second::Operation>(&log);
    let mut driver = TestDriver::new(&topology(&new));
    driver.input(&old).send("alice", first::Operation { amount: 10 });
    driver.input(&new).send("alice", second::Operation { amount: 5, currency: "CHF".into() });
    let account = Account { balance: 15, currencies: vec!["EUR".into(), "CHF".into()] };
    assert_eq!(driver.store(&ACCOUNTS).all(), [("alice".to_owned(), account)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_reads_what_an_earlier_version_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(folder.path(), LogSettings::default()).unwrap());
    let (old, new) = (operations::<first::Operation>(&log), operations::<second::Operation>(&log));
    let app = App::builder("bank", topology(&new)).log(log.clone()).start().await.unwrap();
    let alice = || "alice".to_owned();
    app.send(&old, alice(), first::Operation { amount: 10 }).await.unwrap();
    app.send(&new, alice(), second::Operation { amount: 5, currency: "CHF".into() }).await.unwrap();
    app.settled().await.unwrap();
    let account = app.table(&ACCOUNTS).get(&alice()).await.unwrap().unwrap();
    assert_eq!(account, Account { balance: 15, currencies: vec!["EUR".into(), "CHF".into()] });
    app.close().await.unwrap();
    // The key's header is part of what decides its partition, as with Kaa.
    let key = log.read(&TopicPartition::new("operations", 0), Offset::ZERO, 1 << 20).unwrap();
    let mut keys = Vec::new();
    let each = key[0].for_each(|_, record| {
        keys.push(record.key.unwrap().to_vec());
        Ok::<_, std::convert::Infallible>(())
    });
    each.unwrap();
    assert_eq!(keys[0], *b"\xc3\x01\xc7\x03\x45\x63\x72\x48\x01\x8f\x0aalice");
}
