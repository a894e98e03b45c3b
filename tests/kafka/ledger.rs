//! The application that the tests of instances run: sums by key, and counts by group behind a repartition topic; and what must
//! come of it.

use std::collections::BTreeMap;

use tidemill::log::Log;
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition, partition_of};
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{Settings, Topic};

pub(crate) const PARTITIONS: u32 = 4;
const KEYS: u64 = 40;
const GROUPS: i64 = 7;

/// The names of a test's topics: no two tests have the same.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) application: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Names {
        Names { application: format!("{prefix}ledger") }
    }

    pub(crate) fn input(&self) -> Topic<String, i64> {
        self.topic("in")
    }

    pub(crate) fn sums(&self) -> Topic<String, i64> {
        self.topic("sums")
    }

    pub(crate) fn counts(&self) -> Topic<String, i64> {
        self.topic("counts")
    }

    fn topic(&self, name: &str) -> Topic<String, i64> {
        Topic::new(
            format!("{}-{name}", self.application),
            tidemill::serde::SerdeRef::of(),
            tidemill::serde::SerdeRef::of(),
        )
    }

    pub(crate) fn topology(&self) -> Topology {
        const SUMS: Store<String, i64> = Store::of("sums");
        const COUNTS: Store<String, i64> = Store::of("counts");
        let builder = StreamsBuilder::new();
        let input = builder.stream(&self.input());
        let sums = input.group_by_key().aggregate(&SUMS, || 0, |sum: i64, _key, value| sum + value);
        sums.to_stream().to(&self.sums());
        let counts = input.group_by(|_, value| group(*value)).count_with(&COUNTS);
        counts.to_stream().to(&self.counts());
        builder.build().unwrap()
    }

    /// Settings of an instance.
    pub(crate) fn settings() -> Settings {
        Settings {
            commit_interval: std::time::Duration::from_millis(50),
            flush_rows: 50,
            threads: 2,
            ..Settings::default()
        }
    }

    pub(crate) fn create(&self, log: &dyn Log) {
        for topic in [self.input(), self.sums(), self.counts()] {
            log.create_topic(&tidemill::log::TopicSpec::new(topic.name(), PARTITIONS)).unwrap();
        }
    }

    /// Appends the records from `first` on, `count` of them.
    pub(crate) fn append(&self, log: &dyn Log, first: u64, count: u64) {
        let mut batches: BTreeMap<u32, BatchBuilder> = BTreeMap::new();
        for number in first..first + count {
            let (key, value) = record(number);
            let key = key.into_bytes();
            let batch = batches.entry(partition_of(&key, PARTITIONS)).or_default();
            batch.push(
                Timestamp::from_millis(1_000 + number as i64),
                Some(&key),
                Some(&value.to_be_bytes()),
                &Headers::NONE,
            );
        }
        let append = |(partition, mut batch): (u32, BatchBuilder)| tidemill::log::Append {
            to: TopicPartition::new(self.input().name(), partition),
            records: batch.finish(Offset::ZERO),
        };
        log.append(batches.into_iter().map(append).collect(), "", Default::default()).unwrap();
    }
}

/// Record number `number` of the input.
pub(crate) fn record(number: u64) -> (String, i64) {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    (format!("key-{}", mixed % KEYS), (number % 1_000) as i64)
}

fn group(value: i64) -> String {
    format!("group-{}", value % GROUPS)
}

/// What lies in the output topics.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    pub(crate) sums: BTreeMap<String, Vec<i64>>,
    pub(crate) counts: BTreeMap<String, Vec<i64>>,
}

impl Outputs {
    /// What records 0 to `count` make, in the order of each key.
    pub(crate) fn expected(count: u64) -> Outputs {
        Outputs::of((0..count).map(record))
    }

    /// What an input makes.
    pub(crate) fn of(input: impl IntoIterator<Item = (String, i64)>) -> Outputs {
        let mut outputs = Outputs::default();
        for (key, value) in input {
            let sums = outputs.sums.entry(key).or_default();
            sums.push(sums.last().copied().unwrap_or(0) + value);
            let counts = outputs.counts.entry(group(value)).or_default();
            counts.push(counts.len() as i64 + 1);
        }
        outputs
    }

    /// What is committed.
    pub(crate) fn read(names: &Names, log: &dyn Log) -> Outputs {
        Outputs { sums: values(&names.sums(), log), counts: values(&names.counts(), log) }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.sums.values().chain(self.counts.values()).map(Vec::len).sum()
    }
}

fn values(topic: &Topic<String, i64>, log: &dyn Log) -> BTreeMap<String, Vec<i64>> {
    let mut values: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for number in 0..PARTITIONS {
        let partition = TopicPartition::new(topic.name(), number);
        let mut next = log.bounds(&partition).unwrap().start;
        loop {
            let batches = log.read(&partition, next, 1 << 20).unwrap();
            let Some(last) = batches.last() else { break };
            next = last.end();
            for batch in &batches {
                let take = |_, record: tidemill::record::StoredRecord<'_>| {
                    let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
                    let value = i64::from_be_bytes(record.value.unwrap().try_into().unwrap());
                    values.entry(key).or_default().push(value);
                    Ok::<_, std::convert::Infallible>(())
                };
                batch.for_each(take).unwrap();
            }
        }
    }
    values
}
