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
//! A bank: each operation is decided against the balance of its account. The step that reads the balance writes it too, so no
//! decision ever sees an old one (why that matters is a page of the book, `docs/semantics-bank-account.md`).
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tidemill::prelude::*;
//!
//! #[derive(Clone, Debug, Serialize, Deserialize, Data)]
//! #[data(json)]
//! struct Operation {
//!     amount: i64,
//! }
//!
//! #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
//! #[data(json)]
//! struct Movement {
//!     amount: i64,
//!     error: Option<String>,
//! }
//!
//! // Name, type of key and type of value in one place: builder, tests, application and queries take them from here.
//! const OPERATIONS: Topic<String, Operation> = Topic::of("operations");
//! const MOVEMENTS: Topic<String, Movement> = Topic::of("movements");
//! const BALANCES: Store<String, i64> = Store::of("balances");
//!
//! /// Reads the balance, decides, writes the balance, and says what was done.
//! struct Decide;
//!
//! impl Processor<String, Operation, String, Movement> for Decide {
//!     fn process(&mut self, record: Record<'_, String, Operation>, ctx: &mut Context<'_, String, Movement>) -> Flow {
//!         let amount = record.value.amount;
//!         let mut balances = ctx.store(&BALANCES)?;
//!         let balance = balances.get(record.key)?.copied().unwrap_or(0);
//!         let movement = if balance + amount >= 0 {
//!             balances.put(record.key, balance + amount, record.timestamp)?;
//!             Movement { amount, error: None }
//!         } else {
//!             Movement { amount: 0, error: Some("insufficient funds".into()) }
//!         };
//!         ctx.forward(record.with_value(&movement))
//!     }
//! }
//!
//! fn topology() -> Result<Topology, TopologyErrors> {
//!     let builder = StreamsBuilder::new();
//!     builder.add_store(StoreSpec::plain(&BALANCES));
//!     builder.stream(&OPERATIONS).process(|| Decide, &[&BALANCES]).to(&MOVEMENTS);
//!     builder.build()
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #   let folder = tempfile::tempdir()?;
//! #   std::env::set_current_dir(&folder)?;
//!     let app = App::builder("bank", topology()?).embedded("bank-data").start().await?;
//!     for amount in [10, 10, -20, -5] {
//!         app.send(&OPERATIONS, "alice", Operation { amount }).await?;
//!     }
//!     app.settled().await?; // everything sent so far has been processed and committed
//!
//!     let movements = app.subscribe(&MOVEMENTS)?.read()?;
//!     assert_eq!(movements.len(), 4);
//!     assert_eq!(movements[3].value.as_ref().and_then(|last| last.error.as_deref()), Some("insufficient funds"));
//!     assert_eq!(app.table(&BALANCES).get("alice").await?, Some(0));
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
//! | `calendar` | windows of the days, weeks and months of a time zone |
//! | `cli` | the program `tidemill`, which looks into an application's folder: `cargo install tidemill --features cli` |
//! | `kafka` | topics of Apache Kafka ([`log`]`::kafka`); needs a C compiler, and builds librdkafka once, a minute or two |
//! | `kafka-tls` | the same, encrypted and with passwords; needs the headers of OpenSSL |
//! | `rocksdb` | stores in RocksDB ([`StoreEngine`](store::StoreEngine)); needs libclang, and builds half an hour of C++ once |
//!
//! # Async
//!
//! Tasks run on threads of their own. The `async` functions of [`App`] only wait for them; they need no particular runtime.
#![cfg_attr(not(feature = "kafka"), forbid(unsafe_code))]

mod clock;
mod error;
pub mod event_sourcing;
pub mod exec;
pub mod log;
pub mod plan;
pub mod prelude;
pub mod reset;
mod runtime;
pub mod store;
pub mod task;

// Running an application.
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{Error, ErrorKind};
pub use runtime::{
    Answer, App, AppBuilder, AppState, Ask, AskError, DirtyTable, Feed, FeedBatch, MemoryUse, NoPosition, Position,
    Posted, Queryable, ReadRecord, Restores, Row, RowsQuery, RowsWithTimes, Sent, SessionQuery, Settings, SnapshotRows,
    StoreQuery, StoreSnapshot, Subscription, TableChange, TableChanges, TableQuery, TableSnapshot, TaskRestore,
    VersionedQuery, WatchQuery, WindowQuery, WindowedRows,
};

// Describing what it computes.
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
    page!(errors, "docs/guide/errors.md");
    page!(semantics, "docs/semantics.md");
    page!(bank_account, "docs/semantics-bank-account.md");
}
