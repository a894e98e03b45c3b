//! Kafka Streams and the engine on the same broker, with the same application ids: what one leaves, the other goes on with.

mod keys;
mod left_behind;
mod take_over;
mod topologies;

use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;
use tidemill::{Clock, SystemClock};

use crate::support::{Input, JavaApplication, JavaProcess, Names, Producer, brokers, create_topic};

/// The time of a record by its number: an hour ago at first, because changelogs of windows keep no old ones, and windows of ten
/// seconds begin there.
fn time(number: i64) -> i64 {
    static FIRST: OnceLock<i64> = OnceLock::new();
    let first = FIRST.get_or_init(|| (SystemClock.now().as_millis() - 3_600_000) / 10_000 * 10_000);
    first + number * 700
}

/// One topology with topics and an application id of its own.
struct Scene {
    topology: &'static str,
    names: Names,
    topics: [String; 3],
    state: TempDir,
}

impl Scene {
    /// The topics are there, with two partitions each, and the inputs have `count` records.
    fn new(topology: &'static str, count: i64) -> Self {
        let names = Names::of(topology);
        let topics = ["in", "in2", "out"].map(|topic| names.topic(topic));
        topics.iter().for_each(|topic| create_topic(brokers(), topic, 2, &[]));
        let scene = Scene { topology, names, topics, state: tempfile::tempdir().unwrap() };
        scene.write(0..count);
        scene
    }

    /// Writes records of these numbers to both inputs.
    fn write(&self, numbers: std::ops::Range<i64>) {
        // A table first: who joins with it may see all of it.
        self.write_to(1, numbers.clone());
        self.write_to(0, numbers);
    }

    /// Writes records of these numbers to a topic: ten keys, seven tenths of a second apart.
    fn write_to(&self, topic: usize, numbers: std::ops::Range<i64>) {
        let input = |n: i64| Input::long(&format!("key-{}", n % 10), n, time(n));
        Producer::new(brokers()).write(&self.topics[topic], &numbers.map(input).collect::<Vec<_>>());
    }

    fn topics(&self) -> [&str; 3] {
        [&self.topics[0], &self.topics[1], &self.topics[2]]
    }

    /// Starts Kafka Streams on it.
    #[track_caller]
    fn java(&self, settings: &[&str]) -> JavaProcess {
        let (application, state): (_, &Path) = (self.names.application(), self.state.path());
        let (topology, topics, brokers) = (self.topology, self.topics(), brokers());
        JavaApplication { topology, application: &application, brokers, state, topics, settings }.start()
    }
}
