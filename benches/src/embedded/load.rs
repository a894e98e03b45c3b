//! Writes the input topics.

use std::path::Path;

use anyhow::Result;
use tidemill::log::{Append, Durability, EmbeddedLog, Log, LogSettings, Notes, TopicSpec};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition, partition_of_record};

use crate::data::Set;
use crate::options::{Options, Workload};

/// Records in a batch, about as many as a busy sender puts into one.
const BATCH_RECORDS: u32 = 1_000;

pub(super) fn load(options: &Options, sets: &[Set], data: &Path) -> Result<()> {
    let log = EmbeddedLog::open(data, LogSettings { durability: Durability::Never, ..LogSettings::default() })?;
    let by_hand = matches!(options.workload, Workload::Append | Workload::Latency);
    for set in sets {
        log.create_topic(&TopicSpec::new(set.topic, options.partitions))?;
        if !by_hand {
            load_set(set, options.partitions, &log)?;
        }
    }
    log.sync()?;
    Ok(())
}

fn load_set(set: &Set, partitions: u32, log: &EmbeddedLog) -> Result<()> {
    let mut builders: Vec<BatchBuilder> = (0..partitions).map(|_| BatchBuilder::default()).collect();
    let append = |number: u32, builder: &mut BatchBuilder| {
        let to = TopicPartition::new(set.topic, number);
        log.append(vec![Append { to, records: builder.finish(Offset::ZERO) }], "", Notes::new())
    };
    let (mut key, mut value) = (Vec::new(), Vec::new());
    for i in 0..set.size {
        key.clear();
        value.clear();
        set.key(i, &mut key);
        set.value(i, &mut value);
        let partition = partition_of_record(Some(&key), Some(&value), partitions);
        let builder = &mut builders[partition as usize];
        builder.push(Timestamp::from_millis(set.time(i)), Some(&key), Some(&value), &Headers::NONE);
        if builder.count() == BATCH_RECORDS {
            append(partition, builder)?;
        }
    }
    for (number, builder) in builders.iter_mut().enumerate().filter(|(_, builder)| !builder.is_empty()) {
        append(number as u32, builder)?;
    }
    Ok(())
}
