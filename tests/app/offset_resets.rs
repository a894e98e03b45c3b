//! An application that has no place in a partition begins where its sources say; one whose next record was removed too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidemill::log::{Append, Log, Notes, TopicSpec};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill::stream::{Consumed, StreamsBuilder};
use tidemill::topology::{OffsetReset, Topology};
use tidemill::{App, ErrorKind, ManualClock, Settings, Topic};

use crate::support::{IN, OUT, append, out, shared_log, soon, start, wait_until};

/// Passes values on.
fn passing() -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).to(&OUT);
    builder.build().unwrap()
}

fn resetting(offset_reset: OffsetReset) -> Settings {
    let mut settings = soon();
    settings.tasks.offset_reset = offset_reset;
    settings
}

/// A log on which the application has processed 0 and 1, and of whose records those before 4 of 0..6 are gone.
async fn cut_off() -> Arc<dyn Log> {
    let log = shared_log();
    let app = start(passing(), &log, soon()).await;
    app.send(&IN, "a", 0).await.unwrap();
    app.send(&IN, "a", 1).await.unwrap();
    app.settled().await.unwrap();
    app.close().await.unwrap();
    (2..6).for_each(|value| append(&*log, &IN, value, value));
    log.delete_records(&TopicPartition::new("in", 0), Offset::new(4)).unwrap();
    log
}

#[tokio::test]
async fn an_application_whose_next_record_was_removed_goes_on_with_those_that_are_kept() {
    let log = cut_off().await;
    for expected in [&[0, 1, 4, 5][..], &[0, 1, 4, 5]] {
        let app = start(passing(), &log, soon()).await;
        app.settled().await.unwrap();
        assert_eq!(out(&app), expected);
        app.close().await.unwrap();
    }
}

#[tokio::test]
async fn with_latest_it_goes_on_behind_what_is_there() {
    let log = cut_off().await;
    let app = start(passing(), &log, resetting(OffsetReset::Latest)).await;
    app.send(&IN, "a", 6).await.unwrap();
    app.settled().await.unwrap();
    assert_eq!(out(&app), [0, 1, 6]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn with_fail_it_does_not_start_and_says_what_is_missing() {
    let log = cut_off().await;
    let app = App::builder("app", passing()).log(log.clone()).settings(resetting(OffsetReset::Fail));
    let error = app.start().await.err().expect("records are gone");
    assert_eq!(error.kind(), ErrorKind::Lagged);
    let said = "goes on at 2 in `in-0`, which has records from 4 to before 6";
    assert!(error.to_string().contains(said) && error.to_string().contains("`OffsetReset::Earliest`"), "{error}");
    // Nothing was changed by the try.
    let app = start(passing(), &log, soon()).await;
    app.settled().await.unwrap();
    assert_eq!(out(&app), [0, 1, 4, 5]);
    app.close().await.unwrap();
}

/// A log whose topic has the values 0..4, each as old as it says in minutes after the start of 1970.
fn filled() -> Arc<dyn Log> {
    let log = shared_log();
    log.create_topic(&TopicSpec::new("in", 1)).unwrap();
    (0..4).for_each(|value| append(&*log, &IN, value, value * 60_000));
    log
}

#[tokio::test]
async fn a_new_application_that_may_not_skip_begins_with_the_first_record_that_is_kept() {
    let log = filled();
    log.delete_records(&TopicPartition::new("in", 0), Offset::new(1)).unwrap();
    let app = start(passing(), &log, resetting(OffsetReset::Fail)).await;
    app.settled().await.unwrap();
    assert_eq!(out(&app), [1, 2, 3]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn where_a_new_application_began_at_the_end_is_stored_before_it_processed_anything() {
    let log = filled();
    let app = start(passing(), &log, resetting(OffsetReset::Latest)).await;
    app.settled().await.unwrap();
    app.close().await.unwrap();
    append(&*log, &IN, 7, 0);
    let app = start(passing(), &log, resetting(OffsetReset::Latest)).await;
    app.settled().await.unwrap();
    assert_eq!(out(&app), [7], "the record came between the starts, and none of those before the first");
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_duration_says_how_old_the_first_record_may_be() {
    for (minutes, expected) in [(1, &[2, 3][..]), (10, &[0, 1, 2, 3]), (0, &[3])] {
        let clock = ManualClock::default();
        clock.advance(Duration::from_secs(180));
        let since = OffsetReset::Since(Duration::from_secs(minutes * 60));
        let app = App::builder("app", passing()).log(filled()).settings(resetting(since)).clock(clock);
        let app = app.start().await.unwrap();
        app.settled().await.unwrap();
        assert_eq!(out(&app), expected, "{minutes} minutes");
        app.close().await.unwrap();
    }
    let clock = ManualClock::default();
    clock.advance(Duration::from_secs(3_600));
    let since = OffsetReset::Since(Duration::from_secs(60));
    let app = App::builder("app", passing()).log(filled()).settings(resetting(since)).clock(clock);
    let app = app.start().await.unwrap();
    app.settled().await.unwrap();
    assert!(out(&app).is_empty(), "all are older");
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_source_says_otherwise_than_the_settings() {
    const OTHER: Topic<String, i64> = Topic::of("other");
    let log = filled();
    log.create_topic(&TopicSpec::new("other", 1)).unwrap();
    append(&*log, &OTHER, 100, 0);
    let builder = StreamsBuilder::new();
    builder.stream_with(&IN, Consumed::default().reset(OffsetReset::Latest)).merge(&builder.stream(&OTHER)).to(&OUT);
    let app = start(builder.build().unwrap(), &log, resetting(OffsetReset::Earliest)).await;
    app.settled().await.unwrap();
    assert_eq!(out(&app), [100]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn records_that_are_removed_under_a_slow_application_are_skipped_or_stop_it() {
    for (reset, goes_on) in [(OffsetReset::Earliest, true), (OffsetReset::Fail, false)] {
        let log = shared_log();
        log.create_topic(&TopicSpec::new("in", 1)).unwrap();
        let (slow, began) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let builder = StreamsBuilder::new();
        let (held, begins) = (slow.clone(), began.clone());
        let wait = move |_: &String, _: &i64| {
            begins.store(true, Ordering::SeqCst);
            while held.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        };
        builder.stream(&IN).peek(wait).to(&OUT);
        let app = start(builder.build().unwrap(), &log, resetting(reset)).await;
        append(&*log, &IN, 0, 0);
        wait_until("the first record", || began.load(Ordering::SeqCst)).await;
        // More than is fetched at once.
        let mut records = BatchBuilder::default();
        (0..60_000).for_each(|_| records.push(Timestamp::ZERO, Some(b"a"), Some(&[0; 8]), &Headers::NONE));
        let partition = TopicPartition::new("in", 0);
        log.append(vec![Append { to: partition.clone(), records: records.finish(Offset::ZERO) }], "", Notes::new())
            .unwrap();
        append(&*log, &IN, 7, 0);
        log.delete_records(&partition, Offset::new(60_001)).unwrap();
        slow.store(false, Ordering::SeqCst);
        if goes_on {
            app.settled().await.unwrap();
            assert_eq!(out(&app), [0, 7]);
            app.close().await.unwrap();
        } else {
            assert_eq!(app.ended().await.unwrap_err().kind(), ErrorKind::Lagged);
        }
    }
}
