//! Kafka Streams and the engine on the same broker, with the same application ids: what one leaves, the other goes on with.

mod left_behind;
mod topologies;

use std::path::Path;

use tempfile::TempDir;

use crate::support::{Input, JavaApplication, JavaProcess, Names, Producer, brokers, create_topic};

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

    /// Writes records of these numbers to both inputs: ten keys, seven tenths of a second apart.
    fn write(&self, numbers: std::ops::Range<i64>) {
        let input = |n: i64| Input::long(&format!("key-{}", n % 10), n, 1_700_000_000_000 + n * 700);
        let inputs: Vec<Input> = numbers.map(input).collect();
        let producer = Producer::new(brokers());
        // A table first: who joins with it may see all of it.
        producer.write(&self.topics[1], &inputs);
        producer.write(&self.topics[0], &inputs);
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
