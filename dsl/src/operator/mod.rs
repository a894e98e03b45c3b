//! What the verbs of the builder lower to: one operator per file.
//!
//! Rule: an operator knows nothing of the builder, and uses nothing that a user's operator could not have.

mod aggregate;
mod branch;
mod filter;
mod flat_map;
mod fold_group;
mod for_each;
mod foreign_key;
mod group_table;
mod held_record;
mod join_table;
mod join_table_later;
mod join_tables;
mod lend;
mod map;
mod merge;
mod non_null_key;
mod peek;
mod process_fn;
mod read_row;
mod reduce;
mod skip_nulls;
mod table_filter;
mod table_map_values;
mod table_source;
mod table_store;
mod table_transform_values;
mod to_stream;

pub(crate) use aggregate::Aggregate;
pub(crate) use branch::Branch;
pub(crate) use filter::Filter;
pub(crate) use flat_map::{FlatMap, FlatMapValues};
pub(crate) use fold_group::FoldGroup;
pub(crate) use for_each::ForEach;
pub(crate) use foreign_key::{AnswerSubscription, KeepSubscription, NotifySubscribers, Resolve, Subscribe, ToLeftRow};
pub(crate) use group_table::GroupTable;
pub(crate) use held_record::HeldRecordSerde;
pub(crate) use join_table::{JoinGlobal, JoinTable, Padding};
pub(crate) use join_table_later::JoinTableLater;
pub(crate) use join_tables::{JoinSide, JoinedRow, KeepJoined, Required};
pub(crate) use lend::RowFlusher;
pub(crate) use map::{Map, MapValues, SelectKey};
pub(crate) use merge::PassOn;
pub(crate) use non_null_key::NonNullKey;
pub(crate) use peek::Peek;
pub(crate) use process_fn::ProcessFn;
pub(crate) use read_row::{FilteredRow, GlobalRow, MappedRow, ReadRow, StoredRow};
pub(crate) use reduce::Reduce;
pub(crate) use skip_nulls::SkipNulls;
pub(crate) use table_filter::{StoredTableFilter, TableFilter};
pub(crate) use table_map_values::TableMapValues;
pub(crate) use table_source::TableSource;
pub(crate) use table_store::TableStore;
pub(crate) use table_transform_values::{TableTransformValues, TransformedRow};
pub(crate) use to_stream::ToStream;
