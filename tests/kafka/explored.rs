//! What an application does on a real broker is among what the explorer says that it may do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidemill::log::kafka::{Guarantee, KafkaSettings};
use tidemill::serde::SerdeRef;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, Settings, Topic};
use tidemill_testkit::explorer::{Explorer, Kafka};

use crate::support::{Input, Names, Producer, Reader, brokers, create_topic, pause};

const SUMS: Store<String, i64> = Store::of("sums");
/// Powers of two, so that a sum says what it is made of.
const NUMBERS: [i64; 4] = [1, 2, 4, 8];
const COMMIT_EVERY: Duration = Duration::from_millis(40);
/// How long is waited between two numbers: rounds with each.
const PACES: [u64; 8] = [0, 2, 5, 10, 20, 40, 80, 250];
const ROUNDS: usize = 4;

/// Every number becomes an event, and says the sum of the events that it finds in the table which they make.
struct Loop(Names);

impl Loop {
    fn topic(&self, name: &str) -> Topic<String, i64> {
        Topic::new(self.0.topic(name), SerdeRef::of(), SerdeRef::of())
    }

    fn topology(&self) -> Topology {
        let builder = StreamsBuilder::new();
        let sums = builder.stream(&self.topic("events")).group_by_key().reduce_with(&SUMS, |sum, number| sum + number);
        let numbers = builder.stream(&self.topic("numbers"));
        numbers.left_join(&sums, |_, sum| sum.copied().unwrap_or(0)).to(&self.topic("seen"));
        numbers.to(&self.topic("events"));
        builder.build().unwrap()
    }

    /// What the numbers may find, in all runs.
    fn explored(&self, kafka: Kafka) -> BTreeSet<Vec<i64>> {
        let explorer = Explorer::new(&self.topology()).on(kafka);
        let report = explorer.input(&self.topic("numbers"), NUMBERS.map(|number| ("key", number))).explore();
        assert!(report.is_complete(), "{report}");
        let number = |record: &String| {
            let value = record.split(" = ").nth(1).and_then(|rest| rest.split(' ').next());
            value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{record}"))
        };
        let seen = format!("{}-0", self.0.topic("seen"));
        report.ends().iter().map(|end| end.records[&seen].iter().map(number).collect()).collect()
    }

    /// What they really find, at different paces: each round has a key of its own.
    async fn happened(&self, guarantee: Guarantee) -> BTreeMap<Vec<i64>, usize> {
        ["numbers", "events", "seen"].iter().for_each(|topic| create_topic(brokers(), &self.0.topic(topic), 1, &[]));
        let kafka =
            KafkaSettings { guarantee, session_timeout: Duration::from_secs(6), ..KafkaSettings::new(brokers()) };
        let settings = Settings { commit_interval: COMMIT_EVERY, ..Settings::default() };
        let folder = tempfile::tempdir().unwrap();
        let app = App::builder(&self.0.application(), self.topology()).kafka(kafka).settings(settings);
        let app = app.state_folder(folder.path()).start().await.unwrap();
        let (producer, seen) = (Producer::new(brokers()), Reader::new(brokers(), &self.0.topic("seen")));
        let mut found = BTreeMap::new();
        for round in 0..ROUNDS * PACES.len() {
            let (key, pace) = (format!("key-{round}"), Duration::from_millis(PACES[round % PACES.len()]));
            for (place, number) in NUMBERS.into_iter().enumerate() {
                let time = i64::try_from(round * NUMBERS.len() + place).unwrap();
                producer.write(&self.0.topic("numbers"), &[Input::long(&key, number, 1_700_000_000_000 + time)]);
                pause(pace);
            }
            let sums = seen.until("what the numbers of a round find", |found| found.len() == NUMBERS.len());
            assert!(sums.iter().all(|record| record.text_key() == key), "{sums:?}");
            *found.entry(sums.iter().map(|record| record.long().unwrap()).collect()).or_insert(0) += 1;
        }
        app.close().await.unwrap();
        found
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_among_what_is_explored() {
    for (guarantee, kafka) in
        [(Guarantee::ExactlyOnce, Kafka::exactly_once()), (Guarantee::AtLeastOnce, Kafka::at_least_once())]
    {
        let looped = Loop(Names::of("explored"));
        let (explored, happened) = (looped.explored(kafka), looped.happened(guarantee).await);
        assert_eq!(explored.len(), 14, "as Catalan says");
        println!("{guarantee:?}: {} of {} outcomes happened: {happened:?}", happened.len(), explored.len());
        let strange: Vec<_> = happened.keys().filter(|sums| !explored.contains(*sums)).collect();
        assert!(strange.is_empty(), "{guarantee:?}: happened, and not explored: {strange:?}");
        assert!(happened.len() > 1, "{guarantee:?}: the paces make a difference: {happened:?}");
    }
}
