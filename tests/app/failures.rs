//! User code that fails stops the application with the record's address; a corrected program goes on from the last commit.

use std::sync::Arc;
use std::time::Duration;
use tidemill::log::{EmbeddedLog, Log, LogSettings};
use tidemill::serde::{Serde, SerdeError, SerdeRef};
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;

use tidemill::{App, AppState, ErrorKind, Topic};
use tidemill_testkit::fault::SimulatedFiles;

use crate::support::{IN, LIMIT, OUT, append, never, out, shared_log, soon, start, sums};

/// Writes each value twice, and between the two `check` looks at it.
fn twice(check: impl Fn(i64) -> Result<(), String> + Send + Sync + 'static) -> Topology {
    let builder = StreamsBuilder::new();
    let input = builder.stream(&IN);
    input.to(&OUT);
    input.try_map_values(move |_, value| check(*value).map(|()| *value)).named("check").to(&OUT);
    builder.build().unwrap()
}

fn refuses(value: i64) -> Result<(), String> {
    if value == 3 { Err("three is refused".to_owned()) } else { Ok(()) }
}

fn panics(value: i64) -> Result<(), String> {
    assert_ne!(value, 3, "three is a crowd");
    Ok(())
}

async fn ends(app: &App) -> tidemill::Error {
    let error = app.ended().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Processing);
    error
}

async fn stops_and_goes_on(check: fn(i64) -> Result<(), String>, said: &str) {
    let log = shared_log();
    let app = start(twice(check), &log, never()).await;
    let feed = app.feed("numbers");
    let mut batch = feed.batch();
    (1..=4).for_each(|value| batch.add(&IN, "a", value).unwrap());
    batch.send(vec![4]).await.unwrap();
    let error = ends(&app).await.to_string();
    for text in ["node `check`", "record 2 of topic `in` partition 0", said] {
        assert!(error.contains(text), "`{text}` is not in: {error}");
    }
    assert!(matches!(app.state(), AppState::Failed(_)));
    assert_eq!(app.settled().await.unwrap_err().to_string(), error);
    assert_eq!(app.backlog().unwrap_err().to_string(), error);
    assert!(out(&app).is_empty(), "nothing of the epoch is visible");
    assert_eq!(app.close().await.unwrap_err().to_string(), error);
    // Without a correction it stops at the same record.
    let app = start(twice(check), &log, soon()).await;
    assert!(ends(&app).await.to_string().contains("record 2 of topic"));
    let halves = out(&app);
    assert!(halves.len().is_multiple_of(2) && halves.len() <= 4, "half of a record was committed: {halves:?}");
    drop(app);
    let app = start(twice(|_| Ok(())), &log, soon()).await;
    app.settled().await.unwrap();
    assert_eq!(out(&app), [1, 1, 2, 2, 3, 3, 4, 4]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn an_error_stops_the_application_and_a_corrected_one_goes_on() {
    stops_and_goes_on(refuses, "three is refused").await;
}

#[tokio::test]
async fn a_panic_stops_the_application_and_a_corrected_one_goes_on() {
    stops_and_goes_on(panics, "three is a crowd").await;
}

#[tokio::test]
async fn a_failure_in_one_thread_stops_the_others() {
    let log = shared_log();
    let builder = App::builder("app", twice(refuses)).log(log).topic(&IN, 4).topic(&OUT, 4).threads(4);
    let app = builder.start().await.unwrap();
    for key in ["a", "b", "c", "d", "e", "f"] {
        app.send(&IN, key, 1).await.unwrap();
    }
    app.send(&IN, "b", 3).await.unwrap();
    assert!(ends(&app).await.to_string().contains("three is refused"));
    assert!(app.close().await.is_err());
}

/// Reads and writes one byte; 3 is too much for it.
struct Touchy;

impl Serde<i64> for Touchy {
    fn write(&self, value: &i64, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        assert_ne!(*value, 3, "three is not written");
        out.push(u8::try_from(*value).unwrap());
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<i64, SerdeError> {
        assert_ne!(bytes, [2], "two is not read");
        Ok(bytes[0].into())
    }

    fn name(&self) -> String {
        "touchy".to_owned()
    }
}

/// Keeps the greatest value of each key, by way of the touchy serde.
fn greatest() -> Topology {
    let rows = Store::new("greatest", SerdeRef::<String>::of(), SerdeRef::new(Touchy));
    let builder = StreamsBuilder::new();
    builder.stream(&IN).group_by_key().aggregate(&rows, || 0, |top: i64, _key, value| top.max(*value));
    builder.build().unwrap()
}

#[tokio::test]
async fn a_panic_in_a_commit_or_a_restore_stops_the_application_too() {
    let log = shared_log();
    let builder = || App::builder("app", greatest()).log(log.clone()).settings(soon()).topic(&IN, 2).threads(2);
    let app = builder().start().await.unwrap();
    app.send(&IN, "a", 2).await.unwrap();
    app.settled().await.unwrap();
    app.send(&IN, "a", 3).await.unwrap();
    let error = ends(&app).await.to_string();
    assert!(error.contains("three is not written"), "{error}");
    assert_eq!(app.close().await.unwrap_err().to_string(), error);
    let error = builder().start().await.err().unwrap().to_string();
    assert!(error.contains("two is not read"), "{error}");
}

#[tokio::test]
async fn a_send_that_waits_for_an_epoch_does_not_outlive_the_failure_that_ends_it() {
    const LOOP: Topic<String, i64> = Topic::of("loop");
    let builder = StreamsBuilder::new();
    builder.stream(&IN).try_map_values(|_, value| refuses(*value).map(|()| *value)).to(&LOOP);
    builder.stream(&LOOP).for_each(|_, _| {});
    let log = shared_log();
    let app = start(builder.build().unwrap(), &log, never()).await;
    app.send(&IN, "a", 1).await.unwrap();
    let fail = async {
        // By now the send below waits behind the record that the open epoch has staged on this partition.
        tokio::time::sleep(Duration::from_millis(200)).await;
        append(&*log, &IN, 3, 0);
        app.ended().await
    };
    let looped = LOOP;
    let (sent, failed) = tokio::join!(app.send(&looped, "a", 10), fail);
    sent.unwrap();
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Processing);
    let closed = tokio::time::timeout(Duration::from_secs(5), app.close()).await;
    assert_eq!(closed.expect("nothing waits for the epoch any more").unwrap_err().kind(), ErrorKind::Processing);
}

#[tokio::test]
async fn an_idle_application_stops_when_its_log_breaks() {
    let files = SimulatedFiles::new();
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open_on(Arc::new(files.clone()), LogSettings::default()).unwrap());
    let app = start(sums(), &log, soon()).await;
    app.send(&IN, "a", 1).await.unwrap();
    app.settled().await.unwrap();
    files.limit(Some(0));
    assert_eq!(app.send(&IN, "a", 1).await.unwrap_err().kind(), ErrorKind::Unavailable);
    // No worker has anything to write, and yet the application does not go on as if nothing had happened.
    let ended = tokio::time::timeout(LIMIT, app.ended()).await.expect("it ends").unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Unavailable, "{ended}");
}
