//! What the verbs of the builder lower to: one operator per file.
//!
//! Rule: an operator knows nothing of the builder, and uses nothing that a user's operator could not have.

mod aggregate;
mod branch;
mod closing;
mod deduplicate;
mod event_sourced;
mod expire;
mod filter;
mod flat_map;
mod fold_group;
mod for_each;
mod foreign_key;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod group_table;
mod held_record;
mod join_itself;
mod join_streams;
mod join_table;
mod join_table_later;
mod join_tables;
mod lend;
mod map;
mod map_async;
mod merge;
mod non_null_key;
mod parts;
mod peek;
mod process_fn;
mod read_row;
mod reduce;
mod session_aggregate;
mod skip_nulls;
mod sliding_aggregate;
mod suppress;
mod table_filter;
mod table_map_values;
mod table_source;
mod table_store;
mod table_transform_values;
mod to_stream;
mod top_n;
mod waiting;
mod window_aggregate;

pub(crate) use aggregate::Aggregate;
pub(crate) use branch::Branch;
pub(crate) use deduplicate::{Deduplicate, SeenState};
pub(crate) use event_sourced::{
    AnswerKey, AnswerKeySerde, Answers, Decide, Decided, Events, ExpectedOf, IdOf, KeepState, Refusals, Replies,
    to_their_partition,
};
pub(crate) use expire::Expire;
pub(crate) use filter::Filter;
pub(crate) use flat_map::{FlatMap, FlatMapValues};
pub(crate) use fold_group::FoldGroup;
pub(crate) use for_each::ForEach;
pub(crate) use foreign_key::{AnswerSubscription, KeepSubscription, NotifySubscribers, Resolve, Subscribe, ToLeftRow};
pub(crate) use group_table::GroupTable;
pub(crate) use held_record::HeldRecordSerde;
pub(crate) use join_itself::JoinItself;
pub(crate) use join_streams::{JoinStreams, KeepForJoin, OnLeft, OnRight, Side};
pub(crate) use join_table::{JoinGlobal, JoinTable, Padding};
pub(crate) use join_table_later::JoinTableLater;
pub(crate) use join_tables::{JoinSide, JoinedRow, KeepJoined, Required};
pub(crate) use lend::RowFlusher;
pub(crate) use map::{Map, MapValues, SelectKey};
pub(crate) use map_async::{HeldCallSerde, MapAsync, ResultsOf};
pub(crate) use merge::PassOn;
pub(crate) use non_null_key::NonNullKey;
pub(crate) use peek::Peek;
pub(crate) use process_fn::ProcessFn;
pub(crate) use read_row::{FilteredRow, GlobalRow, MappedRow, ReadRow, StoredRow, VersionedRow};
pub(crate) use reduce::Reduce;
pub(crate) use session_aggregate::SessionAggregate;
pub(crate) use skip_nulls::SkipNulls;
pub(crate) use sliding_aggregate::SlidingAggregate;
pub(crate) use suppress::{BufferTime, Suppress, SuppressedRow, WhenFull};
pub(crate) use table_filter::{StoredTableFilter, TableFilter};
pub(crate) use table_map_values::TableMapValues;
pub(crate) use table_source::TableSource;
pub(crate) use table_store::TableStore;
pub(crate) use table_transform_values::{TableTransformValues, TransformedRow};
pub(crate) use to_stream::ToStream;
pub(crate) use top_n::{Candidate, CandidateSerde, ListChanges, Ranking, TopOfStream, TopOfTable, WriteRank};
pub(crate) use waiting::{Waiting, waiting_spec};
pub(crate) use window_aggregate::{WindowAggregate, Windowing};
