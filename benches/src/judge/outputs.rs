//! Reads what an engine puts out.

use std::time::{Duration, Instant};

use anyhow::Result;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::goal::Check;
use crate::options::{Guarantee, Options};

const A_MOMENT: Duration = Duration::from_millis(10);
/// Records that are taken before anything else is looked at.
const AT_ONCE: usize = 10_000;

/// All partitions of the output, from their starts.
pub(super) struct Outputs {
    client: BaseConsumer,
}

impl Outputs {
    pub(super) fn of(options: &Options, topic: &str) -> Result<Outputs> {
        let isolation = match options.guarantee {
            Guarantee::AtLeastOnce => "read_uncommitted",
            Guarantee::ExactlyOnceV2 => "read_committed",
        };
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &options.bootstrap)
            .set("group.id", "tidemill-bench")
            .set("enable.auto.commit", "false")
            .set("isolation.level", isolation)
            .set("fetch.wait.max.ms", "20")
            .create()?;
        let mut list = TopicPartitionList::new();
        for partition in 0..i32::try_from(options.partitions)? {
            list.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        client.assign(&list)?;
        Ok(Outputs { client })
    }

    /// Takes what is there, or waits a moment for the first of it.
    pub(super) fn take(&mut self, check: &mut Check) -> Result<()> {
        let mut wait = A_MOMENT;
        for _ in 0..AT_ONCE {
            let Some(record) = self.client.poll(wait) else { break };
            let record = record?;
            check.take(record.key().unwrap_or_default(), record.payload())?;
            wait = Duration::ZERO;
        }
        Ok(())
    }

    /// Takes what comes for so long.
    pub(super) fn take_for(&mut self, time: Duration, check: &mut Check) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.take(check)?;
        }
        Ok(())
    }
}
