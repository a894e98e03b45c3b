//! A store that was away while its changelog lost deletes has none of the deleted rows when it comes back.

use std::path::Path;
use std::time::Duration;

use tidemill::log::kafka::KafkaSettings;
use tidemill::serde::SerdeRef;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::{App, Settings, Topic};

use crate::support::{Input, Names, OwnBroker, Producer, create_topic, pause, read_all, wait_until};

const SUMS: Store<String, i64> = Store::of("sums");
const DELETED: i64 = 20;
const SOME_TIME: i64 = 1_700_000_000_000;

struct Scene {
    names: Names,
    broker: OwnBroker,
}

impl Scene {
    /// On a broker that cleans all the time and keeps deletes for a moment.
    fn new() -> Scene {
        let scene = Scene { names: Names::of("away"), broker: OwnBroker::start(&["log.cleaner.backoff.ms=100"]) };
        create_topic(scene.broker.address(), &scene.names.topic("in"), 1, &[]);
        let settings = [
            ("cleanup.policy", "compact"),
            ("segment.ms", "100"),
            ("min.cleanable.dirty.ratio", "0.0"),
            ("delete.retention.ms", "100"),
        ];
        create_topic(scene.broker.address(), &scene.changelog(), 1, &settings);
        scene
    }

    fn changelog(&self) -> String {
        format!("{}-sums-changelog", self.names.application())
    }

    async fn start(&self, folder: &Path) -> App {
        let builder = StreamsBuilder::new();
        let input: Topic<String, i64> = Topic::new(self.names.topic("in"), SerdeRef::of(), SerdeRef::of());
        let sum = |sum: i64, value: &i64| (*value != 0).then_some(sum + value);
        builder.stream(&input).group_by_key().reduce_with(&SUMS, sum);
        let settings = Settings { commit_interval: Duration::from_millis(50), ..Settings::default() };
        let app = App::builder(&self.names.application(), builder.build().unwrap());
        let app = app.kafka(KafkaSettings::new(self.broker.address())).settings(settings).state_folder(folder);
        app.start().await.unwrap()
    }

    fn send(&self, values: impl Iterator<Item = (String, i64)>) {
        let inputs: Vec<Input> = values.map(|(key, value)| Input::long(&key, value, SOME_TIME)).collect();
        Producer::new(self.broker.address()).write(&self.names.topic("in"), &inputs);
    }

    /// Whether the changelog has anything of the deleted rows, be it that they are deleted.
    fn knows_of_the_deleted(&self) -> bool {
        read_all(self.broker.address(), &self.changelog()).iter().any(|record| record.text_key() != "stays")
    }
}

fn keys() -> impl Iterator<Item = String> {
    (0..DELETED).map(|number| format!("deleted-{number}"))
}

async fn rows(app: &App) -> Vec<(String, i64)> {
    app.settled().await.unwrap();
    app.table(&SUMS).all().await.unwrap()
}

#[tokio::test]
async fn a_store_that_was_away_while_its_changelog_lost_deletes_is_restored_from_the_start() {
    let (scene, left, other) = (Scene::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let app = scene.start(left.path()).await;
    scene.send(keys().map(|key| (key, 1)));
    assert_eq!(rows(&app).await.len() as i64, DELETED);
    app.close().await.unwrap();

    let app = scene.start(other.path()).await;
    scene.send(keys().map(|key| (key, 0)));
    assert_eq!(rows(&app).await, []);
    let mut sent = 0;
    wait_until("a changelog without the deletes", || {
        // A segment ends, and may be cleaned, when something is written after its time.
        scene.send(std::iter::once(("stays".to_owned(), 1)));
        sent += 1;
        pause(Duration::from_millis(200));
        !scene.knows_of_the_deleted()
    });
    assert_eq!(rows(&app).await, [("stays".to_owned(), sent)]);
    app.close().await.unwrap();

    let app = scene.start(left.path()).await;
    assert_eq!(rows(&app).await, [("stays".to_owned(), sent)]);
    app.close().await.unwrap();
}
