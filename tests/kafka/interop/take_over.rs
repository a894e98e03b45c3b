//! Kafka Streams works and stops, the engine goes on, and Kafka Streams goes on after it: with the same application id, so with
//! the other one's state, places and records on their way. What comes out is what an uninterrupted Kafka Streams makes.

use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;

use tidemill::log::kafka::{Guarantee, KafkaSettings};
use tidemill::{App, Settings};
use tokio::runtime::Runtime;

use super::Scene;
use super::topologies::{ALL, Topics, topology};
use crate::support::{
    ByKey, Group, LIMIT, Output, Reader, brokers, by_key, ends, exactly_once, read_all, topic_names, wait_until,
};

/// A member that has not left is missed soon: Kafka Streams does not leave.
const SOON: [&str; 2] = ["consumer.session.timeout.ms=3000", "consumer.heartbeat.interval.ms=500"];
/// The records of each turn.
const TURNS: [Range<i64>; 3] = [0..25, 25..50, 50..75];

type Found = ByKey<Option<i64>>;

/// How Kafka Streams runs.
#[derive(Clone, Copy, Debug)]
enum Java {
    Classic,
    ClassicExactlyOnce,
    Streams,
    StreamsExactlyOnce,
}

impl Java {
    fn settings(self) -> &'static [&'static str] {
        match self {
            Java::Classic => &SOON,
            Java::ClassicExactlyOnce => &[SOON[0], SOON[1], "processing.guarantee=exactly_once_v2"],
            Java::Streams => &["group.protocol=streams"],
            Java::StreamsExactlyOnce => &["group.protocol=streams", "processing.guarantee=exactly_once_v2"],
        }
    }

    fn guarantee(self) -> Guarantee {
        match self {
            Java::Classic | Java::Streams => Guarantee::AtLeastOnce,
            Java::ClassicExactlyOnce | Java::StreamsExactlyOnce => Guarantee::ExactlyOnce,
        }
    }
}

/// The engine, which works on a scene in this process.
struct Tidemill {
    runtime: Runtime,
    app: App,
}

impl Scene {
    fn engine(&self, java: Java, waits: Duration) -> Result<Tidemill, tidemill::Error> {
        let kafka = KafkaSettings {
            guarantee: java.guarantee(),
            session_timeout: Duration::from_secs(6),
            foreign_members_wait: waits,
            ..KafkaSettings::new(brokers())
        };
        let settings = Settings { commit_interval: Duration::from_millis(100), ..Settings::default() };
        let topology = topology(self.topology, &Topics::named(self.topics()));
        let app = App::builder(&self.names.application(), topology).kafka(kafka).settings(settings);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let app = runtime.block_on(app.state_folder(self.state.path().join("tidemill")).start())?;
        Ok(Tidemill { runtime, app })
    }

    /// Writes records and waits until the application has committed that it read them. What is joined with comes first.
    fn turn(&self, numbers: Range<i64>) {
        let (all, group) = (numbers.end, Group::of(brokers(), &self.names.application()));
        let read = |topic: usize| wait_until("a turn's records", || group.done(&self.topics[topic], 2) == all);
        self.write_to(1, numbers.clone());
        if ["stream-table-join", "foreign-key-join"].contains(&self.topology) {
            read(1);
        }
        self.write_to(0, numbers);
        read(0);
    }

    /// Waits until nothing is on its way between the application's own sub-topologies.
    fn drained(&self) {
        let application = self.names.application();
        let group = Group::of(brokers(), &application);
        let own = topic_names(brokers(), &format!("{application}-"));
        for (topic, partitions) in own.into_iter().filter(|(topic, _)| !topic.ends_with("-changelog")) {
            let partitions = u32::try_from(partitions).unwrap();
            let all = || ends(brokers(), &topic, partitions).into_iter().sum::<i64>();
            wait_until(&topic, || group.done(&topic, partitions) == all());
        }
    }
}

impl Tidemill {
    fn close(self) {
        self.runtime.block_on(self.app.close()).unwrap();
    }
}

/// What Kafka Streams makes of all turns when nobody stops it.
fn uninterrupted(topology: &'static str) -> Found {
    let scene = Scene::new(topology, 0);
    let java = scene.java(&[]);
    TURNS.into_iter().for_each(|turn| scene.turn(turn));
    scene.drained();
    java.stop();
    values(&read_all(brokers(), &scene.topics[2]))
}

/// As [`uninterrupted`], found out once.
fn expected(topology: &'static str) -> &'static Found {
    static ONCE: [OnceLock<Found>; ALL.len()] = [const { OnceLock::new() }; ALL.len()];
    let at = ALL.iter().position(|name| *name == topology).expect("it is one of all");
    ONCE[at].get_or_init(|| uninterrupted(topology))
}

/// What comes out of it when the engine has the turn in the middle. Gives the number of records compared.
fn taken_over(topology: &'static str, java: Java) -> usize {
    let scene = Scene::new(topology, 0);
    let [first, second, third] = TURNS;
    let one = scene.java(java.settings());
    scene.turn(first);
    one.stop();
    let engine = scene.engine(java, LIMIT).unwrap();
    scene.turn(second);
    engine.close();
    let again = scene.java(java.settings());
    scene.turn(third);
    let (reader, mut found) = (Reader::new(brokers(), &scene.topics[2]), Vec::new());
    let expected = expected(topology);
    let enough = expected.values().map(Vec::len).sum::<usize>();
    wait_until(topology, || {
        found.extend(reader.to_the_end());
        found.len() >= enough || last(&values(&found)) == last(expected)
    });
    again.stop();
    found.extend(reader.to_the_end());
    check(topology, expected, &values(&found))
}

fn values(found: &[Output]) -> Found {
    by_key(found, Output::long)
}

fn last(found: &Found) -> ByKey<Option<i64>> {
    found.iter().map(|(key, values)| (key.clone(), values.last().copied().into_iter().collect())).collect()
}

/// Of a join by a foreign key only the last row of each key is certain: answers that are overtaken by a change are dropped.
fn check(topology: &str, expected: &Found, found: &Found) -> usize {
    match topology {
        "foreign-key-join" => exactly_once(&last(expected), &last(found)),
        _ => exactly_once(expected, found),
    }
}

fn all_are_taken_over(java: Java) {
    std::thread::scope(|scope| {
        for topology in ALL {
            scope.spawn(move || expected(topology));
            scope.spawn(move || {
                let records = taken_over(topology, java);
                println!("take-over: {topology}, {java:?}, the engine, {java:?}: {records} records as they should be");
            });
        }
    });
}

#[test]
fn kafka_streams_is_taken_over_and_takes_over_again() {
    all_are_taken_over(Java::Classic);
}

#[test]
fn a_streams_group_is_taken_over_and_takes_over_again() {
    all_are_taken_over(Java::StreamsExactlyOnce);
}

/// Nobody joins a live application of Kafka Streams, nor one that the group has not missed yet.
#[test]
fn a_live_kafka_streams_is_named_and_left_alone() {
    for (java, named, leaves) in [
        (Java::ClassicExactlyOnce, "-StreamThread-1-consumer` at /127.0.0.1", false),
        (Java::Streams, "Kafka Streams with `group.protocol=streams`", true),
    ] {
        let scene = Scene::new("count", 0);
        let process = scene.java(java.settings());
        let refusal = |when: &str| {
            let refused = scene.engine(java, Duration::ZERO).err().unwrap_or_else(|| panic!("{java:?} {when}"));
            assert!(refused.to_string().contains(named), "{java:?} {when}: {refused}");
        };
        refusal("alive");
        scene.turn(0..20);
        process.stop();
        if !leaves {
            refusal("just stopped");
        }
        let engine = scene.engine(java, if leaves { Duration::ZERO } else { LIMIT }).unwrap();
        scene.turn(20..40);
        engine.close();
        let found = values(&read_all(brokers(), &scene.topics[2]));
        assert_eq!(found.values().map(Vec::len).sum::<usize>(), 40, "{java:?}: nothing was processed twice");
    }
}
