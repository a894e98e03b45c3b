//! Kafka Streams works and stops, the engine goes on, and Kafka Streams goes on after it: with the same application id, so with
//! the other one's state, places and records on their way. What comes out is what an uninterrupted Kafka Streams makes.

use std::ops::Range;
use std::time::Duration;

use tidemill::log::kafka::{Guarantee, KafkaSettings};
use tidemill::{App, Settings};
use tokio::runtime::Runtime;

use super::Scene;
use super::topologies::{ALL, Topics, topology};
use crate::support::{
    ByKey, LIMIT, Output, Reader, brokers, by_key, committed, ends, exactly_once, read_all, topic_names, wait_until,
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
        let all = numbers.end;
        let read = |topic: usize| {
            let places = || committed(brokers(), &self.names.application(), &self.topics[topic], 2);
            wait_until("a turn's records", || places().values().map(|place| place.next).sum::<i64>() == all);
        };
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
        let own = topic_names(brokers(), &format!("{application}-"));
        for (topic, partitions) in own.into_iter().filter(|(topic, _)| !topic.ends_with("-changelog")) {
            let partitions = u32::try_from(partitions).unwrap();
            let next = || -> i64 { committed(brokers(), &application, &topic, partitions).values().map(|at| at.next).sum() };
            wait_until(&topic, || next() == ends(brokers(), &topic, partitions).into_iter().sum::<i64>());
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

/// What comes out of it when the engine has the turn in the middle. Gives the number of records compared.
fn taken_over(topology: &'static str, java: Java, expected: &Found) -> usize {
    let scene = Scene::new(topology, 0);
    let [first, second, third] = TURNS;
    let t = std::time::UNIX_EPOCH.elapsed().unwrap(); let tick = |w: &str| eprintln!("DBG {topology} {w} {:?}", std::time::UNIX_EPOCH.elapsed().unwrap() - t);
    let one = scene.java(java.settings()); tick("java");
    scene.turn(first); tick("turn");
    one.stop(); tick("stopped");
    let engine = scene.engine(java, LIMIT).unwrap(); tick("engine");
    scene.turn(second); tick("turn");
    engine.close(); tick("closed");
    let again = scene.java(java.settings()); tick("java");
    scene.turn(third); tick("turn");
    let (reader, mut found) = (Reader::new(brokers(), &scene.topics[2]), Vec::new());
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
    for pair in ALL.chunks(4) {
        std::thread::scope(|scope| {
            for topology in pair {
                scope.spawn(move || {
                    let expected = uninterrupted(topology);
                    let records = taken_over(topology, java, &expected);
                    println!("{topology}: {java:?}, the engine, {java:?}: {records} records as they should be");
                });
            }
        });
    }
}

#[test]
fn kafka_streams_is_taken_over_and_takes_over_again() {
    all_are_taken_over(Java::Classic);
}

#[test]
fn a_streams_group_is_taken_over_and_takes_over_again() {
    all_are_taken_over(Java::StreamsExactlyOnce);
}
