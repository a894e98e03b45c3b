//! A start that cannot go well says why, and changes nothing.

use tidemill::log::TopicSpec;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, Error, ErrorKind, Settings, Topic};

use crate::support::{IN, OUT, shared_log, soon, sums};

const RATES: Topic<String, i64> = Topic::of("rates");

fn join() -> Topology {
    let builder = StreamsBuilder::new();
    let rates = builder.table(&RATES);
    builder.stream(&IN).join(&rates, |value, rate| value * rate).to(&OUT);
    builder.build().unwrap()
}

async fn refused(builder: tidemill::AppBuilder) -> Error {
    let error = builder.start().await.err().expect("this does not start");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    error
}

#[tokio::test]
async fn topics_that_are_joined_need_equal_numbers_of_partitions() {
    let error = refused(App::builder("app", join()).memory().topic(&IN, 2).topic(&RATES, 3)).await.to_string();
    for text in ["`in` (2 partitions)", "`rates` (3 partitions)", "repartition one side"] {
        assert!(error.contains(text), "`{text}` is not in: {error}");
    }
}

#[tokio::test]
async fn missing_topics_are_all_named_when_they_are_not_created() {
    let log = shared_log();
    let settings = Settings { create_topics: false, ..soon() };
    let builder = || App::builder("app", sums()).log(log.clone()).settings(settings.clone());
    let error = refused(builder()).await.to_string();
    assert!(error.contains("reads the topic `in`, which does not exist: create it"), "{error}");
    assert!(error.contains("writes the topic `out`"), "{error}");
    assert_eq!(log.topics().unwrap(), [], "nothing was created");
    log.create_topic(&TopicSpec::new("in", 1)).unwrap();
    log.create_topic(&TopicSpec::new("out", 1)).unwrap();
    builder().start().await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn an_application_id_must_fit_into_topic_names() {
    for name in ["", "a b", "..", "a/b"] {
        let error = refused(App::builder(name, sums()).memory()).await.to_string();
        assert!(error.contains(&format!("the application id `{name}` is not allowed")), "{error}");
    }
}

#[tokio::test]
async fn a_topic_needs_a_partition() {
    let error = refused(App::builder("app", sums()).memory().topic(&IN, 0)).await;
    assert!(error.to_string().contains("0 partitions"), "{error}");
}

#[tokio::test]
async fn a_folder_is_one_applications_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let start = || App::builder("app", sums()).embedded(folder.path().join("data")).settings(soon()).start();
    let app = start().await.unwrap();
    assert_eq!(start().await.err().unwrap().kind(), ErrorKind::Locked);
    app.close().await.unwrap();
    start().await.unwrap().close().await.unwrap();
}
