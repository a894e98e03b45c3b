//! A dead letter is committed with everything else: seen once, also when the application stops in between.

use tidemill::processor::{ERROR_OFFSET, ERROR_PARTITION, ERROR_TOPIC, ERROR_TYPE, ErrorHandler, ErrorSettings};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::{TaskSettings, Topology};
use tidemill::{App, ErrorKind, Settings, Topic};

use crate::support::{IN, OUT, never, out, shared_log, soon, start};

const DEAD: Topic<String, i64> = Topic::of("dead");

/// Writes each value twice, and refuses 3 between the two.
fn twice() -> Topology {
    let builder = StreamsBuilder::new();
    let input = builder.stream(&IN);
    input.to(&OUT);
    let refuse = |_: &String, value: &i64| if *value == 3 { Err("three is refused") } else { Ok(*value) };
    input.try_map_values(refuse).to(&OUT);
    builder.build().unwrap()
}

fn with_dead_letters(settings: Settings) -> Settings {
    let errors = ErrorSettings::all(ErrorHandler::dead_letter(DEAD.name()));
    Settings { tasks: TaskSettings { errors, ..settings.tasks }, ..settings }
}

fn letters(app: &App) -> Vec<(i64, String)> {
    let records = app.subscribe(&DEAD).unwrap().read().unwrap();
    let offset = |record: &tidemill::ReadRecord<String, i64>| {
        assert_eq!(record.headers.last(ERROR_TOPIC), Some(&b"in"[..]));
        assert_eq!(record.headers.last(ERROR_PARTITION), Some(&b"0"[..]));
        assert_eq!(record.headers.last(ERROR_TYPE), Some(&b"&str"[..]));
        String::from_utf8(record.headers.last(ERROR_OFFSET).unwrap().to_vec()).unwrap()
    };
    records.into_iter().map(|record| (record.value.unwrap(), offset(&record))).collect()
}

#[tokio::test]
async fn a_dead_letter_is_committed_with_the_records_around_it_and_not_written_again() {
    let log = shared_log();
    let app = start(twice(), &log, with_dead_letters(never())).await;
    for value in [1, 3] {
        app.send(&IN, "a", value).await.unwrap();
    }
    assert!(letters(&app).is_empty() && out(&app).is_empty(), "nothing is seen before the commit");
    app.close().await.unwrap();

    let app = start(twice(), &log, with_dead_letters(soon())).await;
    app.settled().await.unwrap();
    assert_eq!(letters(&app), [(3, "1".to_owned())]);
    app.send(&IN, "a", 4).await.unwrap();
    app.settled().await.unwrap();
    assert_eq!(letters(&app), [(3, "1".to_owned())], "a start does not write it again");
    assert_eq!(out(&app), [1, 1, 4, 4], "nothing of the record that failed was written");
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_dead_letter_goes_with_its_epoch_when_the_application_fails() {
    let log = shared_log();
    let app = start(twice(), &log, with_dead_letters(never())).await;
    app.send(&IN, "a", 3).await.unwrap();
    // Somebody else takes over: what was not committed is gone with the first application.
    let next = start(twice(), &log, with_dead_letters(soon())).await;
    drop(app);
    next.settled().await.unwrap();
    assert_eq!(letters(&next), [(3, "0".to_owned())]);
    next.close().await.unwrap();
}

#[tokio::test]
async fn a_topic_for_dead_letters_that_is_missing_is_said_at_the_start() {
    let settings = Settings { create_topics: false, ..with_dead_letters(soon()) };
    let builder = App::builder("app", twice()).memory().topic(&IN, 1).topic(&OUT, 1).settings(settings);
    let error = builder.start().await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(text.contains("topic `dead` for dead letters does not exist: create it"), "{text}");
}
