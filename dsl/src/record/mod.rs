//! What travels: records, their times, headers and batches.

mod batch;
mod canonical;
mod headers;
mod murmur3;
mod name;
mod partitioner;
mod place;
mod time;
mod time_heap;
mod view;

pub(crate) use batch::BatchLength;
pub use batch::{Batch, BatchBuilder, BatchError, Records, StoredRecord};
pub use canonical::{CutOff, Decoder, Encoder};
pub use headers::Headers;
pub(crate) use murmur3::murmur3;
pub use name::name_fault;
pub use partitioner::{PartitionSet, Partitioner, Partitions, murmur2, partition_of, partition_of_record};
pub use place::{Offset, TopicName, TopicPartition};
pub use time::Timestamp;
pub use time_heap::TimeHeap;
pub use view::{Change, Record};
