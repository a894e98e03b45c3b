//! The records of all partitions of a topic as one sequence.
//!
//! Rule: of the partitions' next records the one with the lowest time comes first, and of equal times that of the lower partition; so each
//! partition's records keep their order.

use std::collections::VecDeque;
use std::convert::Infallible;

use tidemill_dsl::record::{Headers, Offset, Timestamp, TopicPartition};

use crate::error::{Error, ErrorKind};
use crate::log::{Log, TopicSpec};

/// So many bytes of a partition are read at a time.
const READ_BYTES: usize = 1 << 18;

/// A record, taken out of its batch.
pub(super) struct Taken {
    pub(super) timestamp: Timestamp,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Headers,
}

pub(super) struct Merge<'a> {
    log: &'a dyn Log,
    partitions: Vec<Partition>,
}

struct Partition {
    name: TopicPartition,
    next: Offset,
    end: Offset,
    read: VecDeque<Taken>,
}

impl<'a> Merge<'a> {
    pub(super) fn new(log: &'a dyn Log, topic: &TopicSpec) -> Result<Self, Error> {
        let of = |partition| {
            let name = TopicPartition::new(topic.name.clone(), partition);
            let bounds = log.bounds(&name)?;
            Ok(Partition { name, next: bounds.start, end: bounds.end, read: VecDeque::new() })
        };
        Ok(Merge { log, partitions: (0..topic.partitions).map(of).collect::<Result<_, Error>>()? })
    }

    pub(super) fn next(&mut self) -> Result<Option<Taken>, Error> {
        for partition in &mut self.partitions {
            partition.fill(self.log)?;
        }
        let heads =
            self.partitions.iter().enumerate().filter_map(|(at, known)| Some((known.read.front()?.timestamp, at)));
        let lowest = heads.min();
        Ok(lowest.and_then(|(_, at)| self.partitions[at].read.pop_front()))
    }
}

impl Partition {
    /// Reads on when there is nothing left of what was read.
    fn fill(&mut self, log: &dyn Log) -> Result<(), Error> {
        while self.read.is_empty() && self.next < self.end {
            let batches = log.read(&self.name, self.next, READ_BYTES)?;
            let Some(end) = batches.last().map(|batch| batch.end()) else { break };
            for batch in batches {
                let mut unreadable = None;
                let taken = batch.for_each(|offset, record| {
                    if offset < self.next {
                        return Ok(());
                    }
                    match record.headers() {
                        Ok(headers) => self.read.push_back(Taken {
                            timestamp: record.timestamp,
                            key: record.key.map(<[u8]>::to_vec),
                            value: record.value.map(<[u8]>::to_vec),
                            headers,
                        }),
                        Err(cause) => unreadable = Some(format!("record {offset} of `{}`: {cause}", self.name)),
                    }
                    Ok::<_, Infallible>(())
                });
                let Ok(()) = taken;
                if let Some(fault) = unreadable {
                    let message = format!("the headers of {fault}; see `tidemill log dump`");
                    return Err(Error::new(ErrorKind::Invalid, message));
                }
            }
            self.next = end;
        }
        Ok(())
    }
}
