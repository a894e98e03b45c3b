//! Operators with state, on records whose times move on: windows are opened, updated and let go of for as long as it runs.

use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tidemill::Topic;
use tidemill::log::InputProgress;
use tidemill::processor::ProcessError;
use tidemill::record::{Batch, BatchBuilder, Headers, Offset, Timestamp};
use tidemill::state::{Changelog, SessionStore, Store, WindowStore};
use tidemill::stream::{AsyncCalls, Deduplicated, Materialized, StreamJoined, StreamsBuilder};
use tidemill::task::Task;
use tidemill::topology::Topology;
use tidemill::window::{Calendar, Hopping, JoinWindows, Session, Sliding, Tumbling};
use tidemill_testkit::{Capture, Commit, TestDriver};

use crate::task;

const LEFT: Topic<u64, u64> = Topic::of("left");
const RIGHT: Topic<u64, u64> = Topic::of("right");
/// Records of each millisecond, all inputs together.
const PER_MILLI: u64 = 10;
/// Records between two commits, where rows leave.
const PER_COMMIT: u32 = 10_000;

/// A task that is fed one batch after another.
pub(crate) struct Stateful {
    pub(crate) task: Task,
    /// For each input the offset and the time that the next batch begins with.
    inputs: u64,
    next: u64,
    keys: u64,
    seed: u64,
}

/// What one call processes.
pub(crate) type Round = Vec<Arc<Batch>>;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How far apart the records of a key are on average.
const fn mean_distance(keys: u64) -> Duration {
    ms(keys / PER_MILLI)
}

impl Stateful {
    fn new(keys: u64, describe: impl FnOnce(&StreamsBuilder)) -> Self {
        let builder = StreamsBuilder::new();
        describe(&builder);
        let topology: Topology = builder.build().unwrap();
        let task = task::over(&topology);
        let inputs = task.inputs().count() as u64;
        Stateful { task, inputs, next: 0, keys, seed: 1 }
    }

    /// A count per key and window, in which a key has ten records.
    pub(crate) fn windowed_count(keys: u64) -> Self {
        const COUNTS: WindowStore<u64, i64> = WindowStore::of("counts");
        Stateful::new(keys, |b| {
            let windowed = b.stream(&LEFT).group_by_key().windowed_by(Tumbling::of(ms(keys)));
            windowed.count_with(Materialized::windows(&COUNTS).in_memory()).to_stream().for_each(|key, count| {
                black_box((key, count));
            });
        })
    }

    /// As `windowed_count`, with five windows at a time.
    pub(crate) fn hopping_count(keys: u64) -> Self {
        const COUNTS: WindowStore<u64, i64> = WindowStore::of("counts");
        Stateful::new(keys, |b| {
            let windowed = b.stream(&LEFT).group_by_key().windowed_by(Hopping::of(ms(keys), ms(keys / 5)));
            windowed.count_with(Materialized::windows(&COUNTS).in_memory()).to_stream().for_each(|key, count| {
                black_box((key, count));
            });
        })
    }

    /// A count per key of the records that lie close together: as far apart as those of a key are on average.
    pub(crate) fn sliding_count(keys: u64) -> Self {
        const COUNTS: WindowStore<u64, i64> = WindowStore::of("counts");
        Stateful::new(keys, |b| {
            let windowed = b.stream(&LEFT).group_by_key().windowed_by(Sliding::of(mean_distance(keys)));
            windowed.count_with(Materialized::windows(&COUNTS).in_memory()).to_stream().for_each(|key, count| {
                black_box((key, count));
            });
        })
    }

    /// A count per key and session, which a pause ends as long as the records of a key are apart on average.
    pub(crate) fn session_count(keys: u64) -> Self {
        const COUNTS: SessionStore<u64, i64> = SessionStore::of("counts");
        Stateful::new(keys, |b| {
            let windowed = b.stream(&LEFT).group_by_key().windowed_by(Session::gap(mean_distance(keys)));
            windowed.count_with(Materialized::sessions(&COUNTS).in_memory()).to_stream().for_each(|key, count| {
                black_box((key, count));
            });
        })
    }

    /// Two streams; records of a key meet if they are no further apart than two of the key are on average.
    pub(crate) fn join_streams(keys: u64) -> Self {
        Stateful::new(keys, |b| {
            let (left, right) = (b.stream(&LEFT), b.stream(&RIGHT));
            let kept = StreamJoined::store("joined").in_memory();
            left.join_stream_with(&right, JoinWindows::of(mean_distance(keys)), kept, |left, right| left ^ right)
                .for_each(|key, both| {
                    black_box((key, both));
                });
        })
    }

    /// As `join_streams`, with the records that meet none.
    pub(crate) fn outer_join_streams(keys: u64) -> Self {
        Stateful::new(keys, |b| {
            let (left, right) = (b.stream(&LEFT), b.stream(&RIGHT));
            let kept = StreamJoined::store("joined").in_memory();
            let join = |left: Option<&u64>, right: Option<&u64>| left.unwrap_or(&0) ^ right.unwrap_or(&0);
            left.outer_join_stream_with(&right, JoinWindows::of(mean_distance(keys)), kept, join).for_each(
                |key, both| {
                    black_box((key, both));
                },
            );
        })
    }

    /// The first of each key within the time that its records are apart on average.
    pub(crate) fn deduplicate(keys: u64) -> Self {
        Stateful::new(keys, |b| {
            let within = Deduplicated::within(mean_distance(keys)).in_memory();
            b.stream(&LEFT).deduplicate(within).for_each(|key, value| {
                black_box((key, value));
            });
        })
    }

    /// The ten greatest values of each key; the values grow, so each record changes the list.
    pub(crate) fn top_n(keys: u64) -> Self {
        const BEST: Store<u64, Vec<u64>> = Store::of("best");
        Stateful::new(keys, |b| {
            let kept = Materialized::store(&BEST).in_memory();
            let best = b.stream(&LEFT).group_by_key().top_n_with(kept, 10, |value| *value);
            best.to_stream().for_each(|key, list| {
                black_box((key, list));
            });
        })
    }

    /// A call for each record, which is answered at once.
    pub(crate) fn map_async(keys: u64) -> Self {
        Stateful::new(keys, |b| {
            let calls = AsyncCalls::in_order(PER_COMMIT as usize);
            let called = b.stream(&LEFT).map_async(calls, |_, value| std::future::ready(Ok::<_, ProcessError>(*value)));
            called.for_each(|key, value| {
                black_box((key, value));
            });
        })
    }

    /// A count per key and day of a time zone.
    pub(crate) fn calendar_count(keys: u64) -> Self {
        const COUNTS: WindowStore<u64, i64> = WindowStore::of("counts");
        Stateful::new(keys, |b| {
            let windowed = b.stream(&LEFT).group_by_key().windowed_by(Calendar::days("Europe/Berlin"));
            windowed.count_with(Materialized::windows(&COUNTS).in_memory()).to_stream().for_each(|key, count| {
                black_box((key, count));
            });
        })
    }

    /// Two tables joined on their key.
    pub(crate) fn join_tables(keys: u64) -> Self {
        const L: Store<u64, u64> = Store::of("l");
        const R: Store<u64, u64> = Store::of("r");
        Stateful::new(keys, |b| {
            let left = b.table_with(&LEFT, Materialized::store(&L).in_memory());
            let right = b.table_with(&RIGHT, Materialized::store(&R).in_memory());
            left.join(&right, |left, right| left ^ right).to_stream().for_each(|key, both| {
                black_box((key, both));
            });
        })
    }

    /// The next `count` records, spread over the inputs, with keys in a fixed sequence.
    pub(crate) fn next_round(&mut self, count: u64) -> Round {
        let per_input = count / self.inputs;
        let mut builders: Vec<BatchBuilder> = (0..self.inputs).map(|_| BatchBuilder::default()).collect();
        for number in 0..per_input {
            for (input, builder) in builders.iter_mut().enumerate() {
                let key = chance(&mut self.seed) % self.keys;
                let number = (self.next + number) * self.inputs + input as u64;
                let time = Timestamp::from_millis(i64::try_from(number / PER_MILLI).unwrap());
                builder.push(time, Some(&key.to_be_bytes()), Some(&number.to_be_bytes()), &Headers::NONE);
            }
        }
        let offset = Offset::new(self.next);
        self.next += per_input;
        builders.into_iter().map(|mut builder| Arc::new(builder.finish(offset))).collect()
    }

    /// Processes a round.
    pub(crate) fn run(&mut self, round: &Round) {
        for (input, batch) in round.iter().enumerate() {
            let next = batch.base();
            self.task.resume(input, InputProgress { next, partition_time: None });
            self.task.enqueue(input, batch).unwrap();
        }
        while self.task.process_many(PER_COMMIT, &mut |_| false).unwrap() | self.answer_calls() {
            // The clock goes as the records' time does.
            let now = self.task.state().stream_time().unwrap();
            self.task.state().set_now(now);
            self.task.prepare_commit().unwrap();
            black_box(self.task.take_progress());
        }
    }

    /// Ends the calls that were made; gives whether there were any.
    fn answer_calls(&mut self) -> bool {
        let made = self.task.take_calls().made;
        let any = !made.is_empty();
        for mut call in made {
            let Poll::Ready(answer) = call.work.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
                unreachable!("the call is a value that is there")
            };
            self.task.answer(call.id, answer).unwrap();
        }
        any
    }
}

/// A join by a foreign key in the test driver: each change goes through two topics of the application's own.
pub(crate) struct JoinOn {
    driver: TestDriver,
    keys: u64,
    seed: u64,
}

impl JoinOn {
    pub(crate) fn new(keys: u64) -> Self {
        const L: Store<u64, u64> = Store::of("l");
        const R: Store<u64, u64> = Store::of("r");
        let b = StreamsBuilder::new();
        let left = b.table_with(&LEFT, Materialized::store(&L).in_memory());
        let right = b.table_with(&RIGHT, Materialized::store(&R).in_memory());
        let joined = left.join_on(&right, move |_, value| Some(value % keys), |left, right| left ^ right);
        joined.to_stream().for_each(|key, both| {
            black_box((key, both));
        });
        let driver = TestDriver::new(&b.build().unwrap()).changelog(Changelog::Off);
        JoinOn { driver: driver.capture(Capture::None).commits(Commit::Every(1_000)), keys, seed: 1 }
    }

    /// Changes `count` rows, of the left table three times as often as of the right one.
    pub(crate) fn run(&mut self, count: u64) {
        for number in 0..count {
            let key = chance(&mut self.seed) % self.keys;
            let value = chance(&mut self.seed);
            let topic = if number % 4 == 0 { &RIGHT } else { &LEFT };
            self.driver.input(topic).send(key, value);
        }
    }
}

/// The next number of a fixed sequence.
fn chance(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}
