//! An embedded application that moves to Kafka half-way gives the answers that it would have given without.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use tidemill::graduate::Graduation;
use tidemill::log::kafka::{KafkaLog, KafkaSettings};
use tidemill::log::{Append, Durability, EmbeddedLog, Log, LogSettings, Notes};
use tidemill::prelude::*;
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition, partition_of};
use tidemill::serde::SerdeRef;
use tidemill::topology::Topology;
use tidemill::{App, ErrorKind};

use crate::support::{Names, brokers, committed, create_topic};

const PARTITIONS: u32 = 3;
const SUMS: Store<String, i64> = Store::of("sums");
const GROUPS: Store<String, i64> = Store::of("groups");
const MINUTES: WindowStore<String, i64> = WindowStore::of("minutes");

/// An application, on a folder or on Kafka.
struct Program(Names);

impl Program {
    fn new(word: &str) -> Program {
        Program(Names::of(word))
    }

    fn topic(&self, name: &str) -> Topic<String, i64> {
        Topic::new(self.0.topic(name), SerdeRef::of(), SerdeRef::of())
    }

    /// Sums by key; counts by another key, behind a repartition topic; counts by key and minute, where what is late does not count:
    /// that depends on the time of the stream, which is kept with the progress.
    fn topology(&self) -> Topology {
        let builder = StreamsBuilder::new();
        let input = builder.stream(&self.topic("in"));
        let sums = input.group_by_key().aggregate(&SUMS, || 0, |sum: i64, _key, value| sum + value);
        sums.to_stream().to(&self.topic("sums"));
        let groups = input.group_by(|_, value| (value % 7).to_string()).named("by-group").count_with(&GROUPS);
        groups.to_stream().to(&self.topic("groups"));
        let minutes =
            input.group_by_key().windowed_by(Tumbling::of(Duration::from_secs(60)).with_grace(Duration::ZERO));
        let minutes = minutes.count_with(&MINUTES).to_stream();
        minutes.map(|row, count| (row.to_string(), *count)).to(&self.topic("minutes"));
        builder.build().unwrap()
    }

    fn settings() -> Settings {
        let log = LogSettings { durability: Durability::Never, ..LogSettings::default() };
        Settings { commit_interval: Duration::from_millis(20), partitions: PARTITIONS, log, ..Settings::default() }
    }

    async fn embedded(&self, folder: &Path) -> App {
        let app = App::builder(&self.0.application(), self.topology()).embedded(folder);
        app.settings(Program::settings()).start().await.unwrap()
    }

    async fn on_kafka(&self, folder: &Path) -> App {
        let app = App::builder(&self.0.application(), self.topology()).kafka(settings()).state_folder(folder);
        app.settings(Program::settings()).start().await.unwrap()
    }

    /// Sends the records that the feed has not sent yet, up to `end`.
    async fn feed(&self, app: &App, end: u64) {
        let (feed, input) = (app.feed("numbers"), self.topic("in"));
        let position = feed.position().unwrap().map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
        let mut batch = feed.batch();
        for number in position..end {
            let (key, value, timestamp, headers) = record(number);
            batch.add_with(&input, key, value, timestamp, &headers).unwrap();
        }
        batch.send(end.to_be_bytes().to_vec()).await.unwrap();
    }

    /// Writes records behind the application's back, for it to process after the move.
    fn append(&self, folder: &Path, first: u64, end: u64) {
        let log = EmbeddedLog::open(folder, LogSettings::default()).unwrap();
        for number in first..end {
            let (key, value, timestamp, headers) = record(number);
            let mut batch = BatchBuilder::default();
            batch.push(timestamp, Some(key.as_bytes()), Some(&value.to_be_bytes()), &headers);
            let to = TopicPartition::new(self.topic("in").name(), partition_of(key.as_bytes(), PARTITIONS));
            log.append(vec![Append { to, records: batch.finish(Offset::ZERO) }], "", Notes::new()).unwrap();
        }
    }
}

fn settings() -> KafkaSettings {
    KafkaSettings {
        session_timeout: Duration::from_secs(6),
        transaction_timeout: Duration::from_secs(10),
        ..KafkaSettings::new(brokers())
    }
}

fn record(number: u64) -> (String, i64, Timestamp, Headers) {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    // Most are in order; every fifth is up to two minutes late.
    let late = if mixed.is_multiple_of(5) { mixed % 120_000 } else { 0 };
    let time = 1_700_000_000_000 + i64::try_from(number * 500).unwrap() - i64::try_from(late).unwrap();
    let value = i64::try_from(number % 1_000).unwrap();
    let headers = Headers::default().with("number", number.to_string());
    (format!("key-{}", mixed % 11), value, Timestamp::from_millis(time), headers)
}

type Stored = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Headers);

/// The records of a topic, each partition in order.
fn records(log: &dyn Log, topic: &str) -> Vec<Vec<Stored>> {
    let of = |partition| {
        let (partition, mut found) = (TopicPartition::new(topic, partition), Vec::new());
        let mut next = log.bounds(&partition).unwrap().start;
        loop {
            let batches = log.read(&partition, next, 1 << 20).unwrap();
            let Some(last) = batches.last() else { return found };
            next = last.end();
            for batch in &batches {
                let take = |_, record: tidemill::record::StoredRecord<'_>| {
                    let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
                    found.push((record.timestamp.as_millis(), key, value, record.headers().unwrap()));
                    Ok::<_, std::convert::Infallible>(())
                };
                batch.for_each(take).unwrap();
            }
        }
    };
    let partitions = log.topic(topic).unwrap().unwrap().partitions;
    (0..partitions).map(of).collect()
}

/// The records of each key, in order, whichever partition they lie in: partitions of other tasks come in between.
fn by_key(log: &dyn Log, topic: &str) -> Vec<Stored> {
    let mut all = records(log, topic).concat();
    // Stable: the order within a key stays.
    all.sort_by(|(_, one, ..), (_, other, ..)| one.cmp(other));
    all
}

#[tokio::test]
async fn answers_are_those_of_an_application_that_never_moved() {
    const END: u64 = 3_000;
    let (program, folder) = (Program::new("graduate"), tempfile::tempdir().unwrap());
    let (stayed, moved, state) = (folder.path().join("s"), folder.path().join("m"), folder.path().join("state"));

    let app = program.embedded(&stayed).await;
    program.feed(&app, END).await;
    app.settled().await.unwrap();
    app.close().await.unwrap();

    let app = program.embedded(&moved).await;
    program.feed(&app, 1_400).await;
    app.settled().await.unwrap();
    app.close().await.unwrap();
    // Places in the middle of the input.
    program.append(&moved, 1_400, 1_500);

    let to = KafkaLog::open(settings()).unwrap();
    {
        let from = EmbeddedLog::open(&moved, LogSettings::default()).unwrap();
        let graduation = Graduation::plan(&from, &to).unwrap();
        assert!(!graduation.is_resumed);
        let done = graduation.carry_out(&from, &to, &mut |_| ()).unwrap();
        assert!(done.records > 1_500 * 3, "{done:?}");
        for spec in from.topics().unwrap() {
            // Those of changelogs may be fewer by now.
            if !spec.config.cleanup.compacts() {
                assert!(records(&to, &spec.name) == records(&from, &spec.name), "{}", spec.name);
            }
        }
        let application = program.0.application();
        let (before, after) = (from.progress(&application).unwrap(), to.progress(&application).unwrap());
        assert_eq!(after.notes, before.notes, "stream times and operator times came along");
        assert_eq!(after.inputs.len(), before.inputs.len());
        for (partition, at) in &before.inputs {
            assert_eq!(after.inputs[partition].partition_time, at.partition_time, "{partition}");
        }
        let input = program.0.topic("in");
        assert_eq!(committed(brokers(), &application, &input, PARTITIONS).len(), PARTITIONS as usize);
        let again = Graduation::plan(&from, &to).unwrap_err();
        assert!(again.to_string().contains("has graduated already"), "{again}");
    }

    let app = program.on_kafka(&state).await;
    assert!(app.restored() > 0, "state came as changelogs");
    // The feed's position came along, too: it goes on behind what it has sent, and so what was appended is sent once more by nobody.
    program.feed(&app, 1_400).await;
    let feed = app.feed("numbers");
    assert_eq!(feed.position().unwrap(), Some(1_400_u64.to_be_bytes().to_vec()));
    let mut none = feed.batch();
    let (key, value, timestamp, headers) = record(1_500);
    none.add_with(&program.topic("in"), key, value, timestamp, &headers).unwrap();
    none.send(1_501_u64.to_be_bytes().to_vec()).await.unwrap();
    program.feed(&app, END).await;
    app.settled().await.unwrap();
    app.close().await.unwrap();

    let expected = EmbeddedLog::open(&stayed, LogSettings::default()).unwrap();
    for name in ["in", "sums", "groups", "minutes"] {
        let topic = program.0.topic(name);
        let (found, expected) = (by_key(&to, &topic), by_key(&expected, &topic));
        assert!(!expected.is_empty());
        assert_eq!(found.len(), expected.len(), "{name}");
        // What a group counts comes from several partitions, in an order of its own; the counts are the same.
        let differs = found
            .iter()
            .zip(&expected)
            .find(|((_, key, value, _), (_, other, others, _))| (key, value) != (other, others));
        assert_eq!(differs, None, "{name}");
    }
}

#[tokio::test]
async fn an_interrupted_graduation_is_begun_again() {
    let (program, folder) = (Program::new("interrupted"), tempfile::tempdir().unwrap());
    let app = program.embedded(folder.path()).await;
    program.feed(&app, 800).await;
    app.settled().await.unwrap();
    app.close().await.unwrap();
    let to = KafkaLog::open(settings()).unwrap();
    for pieces in [1, 4] {
        let from = EmbeddedLog::open(folder.path(), LogSettings::default()).unwrap();
        let graduation = Graduation::plan(&from, &to).unwrap();
        let mut left = pieces;
        // As a kill would, it ends between two pieces, and nothing is tidied up.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            graduation.carry_out(&from, &to, &mut |_| {
                left -= 1;
                assert!(left > 0, "interrupted");
            })
        }));
        assert!(ended.is_err());
    }
    let from = EmbeddedLog::open(folder.path(), LogSettings::default()).unwrap();
    let graduation = Graduation::plan(&from, &to).unwrap();
    assert!(graduation.is_resumed && graduation.topics.iter().all(|topic| topic.again), "{graduation}");
    graduation.carry_out(&from, &to, &mut |_| ()).unwrap();
    for name in ["in", "sums", "groups", "minutes"] {
        let topic = program.0.topic(name);
        assert!(records(&to, &topic) == records(&from, &topic), "{name}: each record once");
    }
}

#[tokio::test]
async fn what_stands_in_the_way_is_said_at_once_and_nothing_is_done() {
    let (program, folder) = (Program::new("refused"), tempfile::tempdir().unwrap());
    let app = program.embedded(folder.path()).await;
    program.feed(&app, 10).await;
    app.settled().await.unwrap();
    let running = EmbeddedLog::open(folder.path(), LogSettings::default()).unwrap_err();
    assert!(running.to_string().contains("close it first"), "{running}");
    app.close().await.unwrap();
    let to = KafkaLog::open(settings()).unwrap();
    create_topic(brokers(), &program.0.topic("sums"), 1, &[]);
    let taken = program.0.topic("in");
    create_topic(brokers(), &taken, PARTITIONS, &[]);
    let from = EmbeddedLog::open(folder.path(), LogSettings::default()).unwrap();
    let empty = Graduation::plan(&from, &to).unwrap_err().to_string();
    assert!(!empty.contains(&taken), "an empty topic may be there: {empty}");
    let mut batch = BatchBuilder::default();
    batch.push(Timestamp::from_millis(1), None, Some(b"somebody's"), &Headers::NONE);
    let append = Append { to: TopicPartition::new(&*taken, 1), records: batch.finish(Offset::ZERO) };
    to.append(vec![append], "", Notes::new()).unwrap();
    let error = Graduation::plan(&from, &to).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    for text in
        [format!("`{taken}` has records there"), format!("`{}` has 1 partitions there", program.0.topic("sums"))]
    {
        assert!(error.to_string().contains(&text), "{error}");
    }
    assert_eq!(to.topic(&program.0.topic("groups")).unwrap(), None, "nothing was made");
}
