//! A task with nothing around it: records go in as one batch, results end in a function that looks at them.

use std::hint::black_box;
use std::sync::Arc;

use tidemill::Topic;
use tidemill::log::InputProgress;
use tidemill::processor::PartitionCounts;
use tidemill::record::{Batch, BatchBuilder, Headers, Offset, Timestamp};
use tidemill::state::{Changelog, Store};
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill::task::Task;
use tidemill::topology::{TaskSettings, TaskSpec, Topology};

const IN: Topic<u64, u64> = Topic::of("in");
const OUT: Topic<u64, Option<i64>> = Topic::of("out");
const COUNTS: Store<u64, i64> = Store::of("counts");

/// Records between two commits.
pub(crate) const PER_COMMIT: u32 = 1_000;

struct OnePartition;

impl PartitionCounts for OnePartition {
    fn partitions(&self, _: &str) -> Option<u32> {
        Some(1)
    }
}

/// A task that is fed the same batch again and again.
pub(crate) struct Bench(Task);

impl Bench {
    /// Five typed operators: filter, map_values, filter_not, map, for_each.
    pub(crate) fn stateless() -> Self {
        let builder = StreamsBuilder::new();
        builder
            .stream(&IN)
            .filter(|_, value| value % 16 != 0)
            .map_values(|value| value.wrapping_mul(3))
            .filter_not(|key, value| key ^ value == 1)
            .map(|key, value| (*value, *key))
            .for_each(|key, value| {
                black_box((key, value));
            });
        Bench(over(&builder.build().unwrap()))
    }

    /// A count by key; each update ends in a function.
    pub(crate) fn count() -> Self {
        let builder = StreamsBuilder::new();
        let kept = Materialized::store(&COUNTS).in_memory().changelog(Changelog::Off);
        builder.stream(&IN).group_by_key().count_with(kept).to_stream().for_each(|key, count| {
            black_box((key, count));
        });
        Bench(over(&builder.build().unwrap()))
    }

    /// A count by key with a changelog; each update is written to a topic, for a commit every 1,000 records.
    pub(crate) fn count_to_topic() -> Self {
        let builder = StreamsBuilder::new();
        let kept = Materialized::store(&COUNTS).in_memory().changelog(Changelog::LastPerCommit);
        builder.stream(&IN).group_by_key().count_with(kept).to_stream().to(&OUT);
        Bench(over(&builder.build().unwrap()))
    }

    /// The source alone: choice of record, decoding, one call.
    pub(crate) fn pass() -> Self {
        let builder = StreamsBuilder::new();
        builder.stream(&IN).for_each(|key, value| {
            black_box((key, value));
        });
        Bench(over(&builder.build().unwrap()))
    }

    /// Processes the batch.
    pub(crate) fn run(&mut self, batch: &Arc<Batch>) {
        let Bench(task) = self;
        task.resume(0, InputProgress { next: Offset::ZERO, partition_time: None });
        task.enqueue(0, batch).unwrap();
        while task.process_many(PER_COMMIT, &mut |_| false).unwrap() {
            task.prepare_commit().unwrap();
            black_box((task.take_progress(), task.state().outputs().take_all()));
        }
    }
}

/// A task of all of a topology, with all in memory and without changelogs.
pub(crate) fn over(topology: &Topology) -> Task {
    let spec = TaskSpec {
        subtopologies: &[0],
        partition: 0,
        application: "bench",
        topics: &[],
        counts: Arc::new(OnePartition),
        settings: TaskSettings { changelog: Changelog::Off, ..TaskSettings::default() },
        globals: topology.global_stores(),
        open_store: &mut |_| Ok(None),
    };
    Task::new(topology, spec).unwrap()
}

/// `count` records with keys below `keys`, spread by a fixed sequence.
pub(crate) fn batch(count: u32, keys: u64) -> Arc<Batch> {
    let mut builder = BatchBuilder::default();
    let mut seed = 1u64;
    for number in 0..u64::from(count) {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (key, value) = ((seed >> 33) % keys, number);
        let time = Timestamp::from_millis(i64::from(u32::try_from(number).unwrap()));
        builder.push(time, Some(&key.to_be_bytes()), Some(&value.to_be_bytes()), &Headers::NONE);
    }
    Arc::new(builder.finish(Offset::ZERO))
}
