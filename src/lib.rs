//! Kafka Streams' model inside your own process: typed topologies, state that survives crashes, exactly once, without a server.
//!
//! A builder describes a computation over topics: streams, tables, stores. What it builds is a value. The same value runs in
//! an [`App`], on a durable log in a folder or in memory, and in the test driver of `tidemill-testkit`, without threads, files
//! or waiting. State, positions and outputs are committed in one atomic step.
//!
//! It is not a broker, not a cluster manager, and not a query language. It has no network side of its own: one process has
//! the log's folder.
//!
//! # A program
//!
//! A bank: each operation is decided against its account. The step that reads the account keeps it too, so no decision ever sees an
//! old one (why that matters is a page of the book, `docs/semantics-bank-account.md`).
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tidemill::prelude::*;
//!
//! /// An account: operations are decided against it, and movements make it.
//! #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
//! #[data(json)]
//! struct Account {
//!     balance: i64,
//! }
//!
//! #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
//! #[data(json)]
//! struct Movement {
//!     amount: i64,
//! }
//!
//! impl Aggregate for Account {
//!     type Key = String;
//!     type Command = i64;
//!     type Event = Movement;
//!     type Refusal = String;
//!
//!     fn decide(&self, amount: &i64, _: &CommandContext<'_, String>) -> Result<Vec<Movement>, String> {
//!         if self.balance + amount >= 0 {
//!             Ok(vec![Movement { amount: *amount }])
//!         } else {
//!             Err("insufficient funds".into())
//!         }
//!     }
//!
//!     fn evolve(&mut self, movement: &Movement) {
//!         self.balance += movement.amount;
//!     }
//! }
//!
//! // Name, type of key and type of value in one place: builder, tests, application and queries take them from here.
//! const OPERATIONS: Commands<Account> = Commands::of("operations");
//! const MOVEMENTS: Topic<String, Movement> = Topic::of("movements");
//! const ACCOUNTS: Store<String, Account> = Store::of("accounts");
//!
//! /// Reading an account, deciding and keeping it is one step: no decision sees an old balance.
//! fn topology() -> Result<Topology, TopologyErrors> {
//!     let builder = StreamsBuilder::new();
//!     builder.stream(&OPERATIONS).event_sourced(&ACCOUNTS).events().to(&MOVEMENTS);
//!     builder.build()
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #   let folder = tempfile::tempdir()?;
//! #   std::env::set_current_dir(&folder)?;
//!     let app = App::builder("bank", topology()?).embedded("bank-data").start().await?;
//!     for amount in [10, 10, -20] {
//!         let answer = app.ask(&OPERATIONS, "alice", amount).await?; // it is decided, and committed
//!         assert!(matches!(answer.reply, Reply::Accepted { .. }));
//!     }
//!     let answer = app.ask(&OPERATIONS, "alice", -5).await?;
//!     assert_eq!(answer.reply, Reply::Refused(Refusal::Rule("insufficient funds".into())));
//!
//!     assert_eq!(app.subscribe(&MOVEMENTS)?.read()?.len(), 3);
//!     assert_eq!(app.table(&ACCOUNTS).get("alice").await?, Some(Account { balance: 0 }));
//!     app.close().await?;
//!     Ok(())
//! }
//! ```
//!
//! # Where things are
//!
//! [`prelude`] has the names that most programs need. Behind it:
//!
//! | module | what |
//! |---|---|
//! | [`stream`] | the builder and its verbs: [`StreamsBuilder`](stream::StreamsBuilder), [`Stream`](stream::Stream), [`GroupedStream`](stream::GroupedStream), [`Table`](stream::Table) |
//! | [`processor`] | steps of your own: [`Processor`](processor::Processor), and what it may do while it runs |
//! | [`serde`] | how values become bytes: Kafka's formats, JSON, [`Data`](serde::Data) and its derive |
//! | [`state`] | stores: [`Store`](state::Store), how they are kept ([`StoreSpec`](state::StoreSpec)), what changelogs get |
//! | [`topology`] | the explicit graph below the verbs; its description, its pictures, its [faults](topology::Fault) |
//! | [`event_sourcing`] | commands decided against a state: [`Aggregate`](event_sourcing::Aggregate), its events, refusals and replies; repositories |
//! | [`window`] | windows of record time: [`Tumbling`](window::Tumbling), [`Hopping`](window::Hopping), [`Sliding`](window::Sliding), [`Session`](window::Session) |
//! | [`record`] | records, times, headers, offsets, batches, partitions |
//! | crate root | [`App`] and what goes with it: [`Settings`], [`Feed`], [`Subscription`], [`TableQuery`], [`Error`], [`Clock`] |
//! | [`plan`] | what an application needs before it starts: topics, and permissions on Kafka |
//! | [`reset`] | lets an application begin again |
//! | [`log`], [`store`], [`task`], [`exec`] | the parts that an application is made of, for tests and for other ways to run a topology |
//!
//! # Features
//!
//! None is on by default, and none but `kafka` and `rocksdb` needs a C compiler.
//!
//! | feature | what |
//! |---|---|
//! | `avro` | Avro with schema evolution, and a registry of schemas on a topic |
//! | `avro-registry` | a client of Confluent's schema registry; with `avro-registry-tls` over TLS, which needs a C compiler |
//! | `calendar` | windows of the days, weeks and months of a time zone |
//! | `cli` | the program `tidemill`, which looks into an application's folder: `cargo install tidemill --features cli` |
//! | `http` | metrics for Prometheus and health (`http::operations`), a page that shows the application (`http::live_view`); queries of the process that has the key ([`TableQuery`]`::routed`) |
//! | `kafka` | topics of Apache Kafka ([`log`]`::kafka`); needs a C compiler, and builds librdkafka once, a minute or two |
//! | `kafka-tls` | the same, encrypted and with passwords; needs the headers of OpenSSL |
//! | `rocksdb` | stores in RocksDB ([`StoreEngine`](store::StoreEngine)); needs libclang, and builds half an hour of C++ once |
//!
//! # Async
//!
//! Tasks run on threads of their own. The `async` functions of [`App`] only wait for them; they need no particular runtime.
#![cfg_attr(not(feature = "kafka"), forbid(unsafe_code))]

#[cfg(feature = "avro")]
pub mod avro;
mod clock;
mod error;
pub mod event_sourcing;
pub mod exec;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod graduate;
#[cfg(feature = "http")]
pub mod http;
pub mod log;
mod nearest;
pub mod plan;
pub mod prelude;
pub mod repartition;
pub mod reset;
mod runtime;
pub mod store;
pub mod task;

// Running an application.
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{Error, ErrorKind};
pub use runtime::{
    ActiveTask, Answer, App, AppBuilder, AppState, AppView, Ask, AskError, DirtyTable, ErrorPolicy, Feed, FeedBatch,
    Instance, KeyOwner, MemoryUse, Metrics, NoPosition, OnError, PartitionLag, PastError, Position, Posted, Queryable,
    ReadRecord, Restores, Row, RowsQuery, RowsWithTimes, Sent, SessionQuery, SettingInUse, SettingOrigin,
    SettingSources, Settings, SettingsInUse, SnapshotRows, StandbyStore, StandbyTask, Status, StoreQuery,
    StoreSnapshot, Subscription, TableChange, TableChanges, TableQuery, TableSnapshot, TaskDoing, TaskMetrics, TaskNow,
    TaskRestore, TaskStatus, VersionedQuery, WatchQuery, WindowQuery, WindowedRows, WorkerMetrics,
};

#[cfg(feature = "http")]
pub use runtime::QueryServer;

// Describing what it computes.
#[doc(hidden)]
pub use tidemill_dsl::mutants;
pub use tidemill_dsl::{Topic, processor, record, serde, state, stream, topology, window};

/// The guides are programs: what they show compiles and runs.
#[cfg(doctest)]
mod guides {
    macro_rules! page {
        ($name:ident, $path:literal) => {
            #[doc = include_str!(concat!("../", $path))]
            mod $name {}
        };
    }

    page!(readme, "README.md");
    page!(first_topology, "docs/guide/first-topology.md");
    page!(changing, "docs/guide/changing.md");
    page!(tables, "docs/guide/tables.md");
    page!(groups, "docs/guide/groups.md");
    page!(windows, "docs/guide/windows.md");
    page!(beyond, "docs/guide/beyond.md");
    page!(emission, "docs/guide/emission.md");
    page!(foreign_keys, "docs/guide/foreign-keys.md");
    page!(joins, "docs/guide/joins.md");
    page!(event_sourcing, "docs/guide/event-sourcing.md");
    page!(global_tables, "docs/guide/global-tables.md");
    page!(optimisation, "docs/guide/optimisation.md");
    page!(state_and_queries, "docs/guide/state-and-queries.md");
    page!(queries, "docs/guide/queries.md");
    page!(processors, "docs/guide/processors.md");
    page!(testing, "docs/guide/testing.md");
    page!(explorer, "docs/guide/explorer.md");
    page!(log_tool, "docs/guide/log-tool.md");
    #[cfg(feature = "http")]
    page!(instances, "docs/guide/instances.md");
    #[cfg(feature = "avro")]
    page!(avro, "docs/guide/avro.md");
    #[cfg(feature = "kafka")]
    page!(kafka, "docs/guide/kafka.md");
    page!(errors, "docs/guide/errors.md");
    page!(operating, "docs/guide/operating.md");
    page!(settings, "docs/guide/settings.md");
    page!(semantics, "docs/semantics.md");
    page!(bank_account, "docs/semantics-bank-account.md");
}
