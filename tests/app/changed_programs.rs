//! A program that does not fit the state of the one before it is refused, or says what becomes of it.

use std::path::PathBuf;

use tidemill::graduate::Graduation;
use tidemill::log::{Append, Notes};
use tidemill::prelude::*;
use tidemill::record::{BatchBuilder, Offset, Timestamp, TopicPartition};
use tidemill::reset::Reset;
use tidemill::{App, ErrorKind};

use crate::changed_program::{self, Scene};
use crate::support::{IN, SUMS, out, shared_log, soon, start, sums};

fn in_memory() -> Scene {
    let log = shared_log();
    Scene { application: "app".into(), place: Box::new(move |app| app.log(log.clone())) }
}

fn in_folder(folder: &tempfile::TempDir) -> Scene {
    let folder: PathBuf = folder.path().join("data");
    Scene { application: "app".into(), place: Box::new(move |app| app.embedded(&folder)) }
}

macro_rules! on_both_logs {
    ($($row:ident)*) => {
        mod memory {
            $(#[tokio::test] async fn $row() { super::changed_program::$row(&super::in_memory()).await })*
        }
        mod embedded {
            $(#[tokio::test] async fn $row() {
                let folder = tempfile::tempdir().unwrap();
                super::changed_program::$row(&super::in_folder(&folder)).await
            })*
        }
    };
}

on_both_logs! {
    added_filter
    added_filter_above_a_named_store
    renamed_store
    dropped_store
    other_partition_count
    other_serde
    removed_part
    two_renames_at_once
    renamed_windows
    older_values
}

/// Only where there is a folder do rows outlive the process without a changelog.
#[tokio::test]
async fn other_changelog() {
    let folder = tempfile::tempdir().unwrap();
    changed_program::other_changelog(&in_folder(&folder)).await;
}

/// Records between two parts that were not processed yet are not thrown away without a word.
#[tokio::test]
async fn a_repartition_topic_with_records_is_not_forgotten() {
    const COUNTS: Store<String, i64> = Store::of("counts");
    let log = shared_log();
    let by_value = || {
        let builder = StreamsBuilder::new();
        builder.stream(&IN).group_by(|_, value| value.to_string()).named("by-value").count_with(&COUNTS);
        builder.build().unwrap()
    };
    start(by_value(), &log, soon()).await.close().await.unwrap();
    let waiting = TopicPartition::new("app-by-value-repartition", 0);
    let mut records = BatchBuilder::default();
    records.push(Timestamp::from_millis(1), Some(b"7"), Some(&7_i64.to_be_bytes()), &Headers::NONE);
    log.append(vec![Append { to: waiting.clone(), records: records.finish(Offset::ZERO) }], "", Notes::new()).unwrap();

    let other = || App::builder("app", sums()).log(log.clone()).settings(soon()).drop_state("counts");
    let told = other().start().await.err().expect("it is refused").to_string();
    assert!(told.contains("topic `app-by-value-repartition` has records that were not processed yet"), "{told}");
    assert!(!told.contains("store `counts`"), "about that the program has decided: {told}");
    assert!(log.topic("app-counts-changelog").unwrap().is_some(), "nothing was changed");
    // The old program processes them, and then they are no obstacle any more.
    let app = start(by_value(), &log, soon()).await;
    app.settled().await.unwrap();
    assert_eq!(app.table(&COUNTS).get("7").await.unwrap(), Some(1));
    app.close().await.unwrap();
    other().start().await.unwrap().close().await.unwrap();
    assert_eq!(log.topic("app-counts-changelog").unwrap(), None);
}

/// What a move that was interrupted has left in the new changelog is not taken for rows.
#[tokio::test]
async fn an_interrupted_rename_begins_again() {
    let log = shared_log();
    let app = start(sums(), &log, soon()).await;
    app.send(&IN, "a", 3).await.unwrap();
    app.settled().await.unwrap();
    app.close().await.unwrap();
    let half_made = TopicPartition::new("app-totals-changelog", 0);
    log.create_topic(&tidemill::log::TopicSpec::new("app-totals-changelog", 1)).unwrap();
    let mut records = BatchBuilder::default();
    records.push(Timestamp::from_millis(1), Some(b"stale"), Some(&7_i64.to_be_bytes()), &Headers::NONE);
    log.append(vec![Append { to: half_made, records: records.finish(Offset::ZERO) }], "", Notes::new()).unwrap();

    const TOTALS: Store<String, i64> = Store::of("totals");
    let builder = StreamsBuilder::new();
    builder.stream(&IN).group_by_key().reduce_with(&TOTALS, |sum, value| sum + value);
    let app = App::builder("app", builder.build().unwrap()).log(log.clone()).settings(soon());
    let app = app.rename_state("sums", "totals").start().await.unwrap();
    assert_eq!(app.restored(), 1);
    assert_eq!(app.table(&TOTALS).get("a").await.unwrap(), Some(3));
    assert_eq!(app.table(&TOTALS).get("stale").await.unwrap(), None);
    app.close().await.unwrap();
    assert_eq!(log.topic("app-sums-changelog").unwrap(), None);
}

#[tokio::test]
async fn after_a_reset_any_program_fits() {
    let log = shared_log();
    let app = start(sums(), &log, soon()).await;
    app.send(&IN, "a", 3).await.unwrap();
    app.settled().await.unwrap();
    assert_eq!(out(&app), [3]);
    app.close().await.unwrap();
    let builder = StreamsBuilder::new();
    builder.stream(&IN).for_each(|_, _| {});
    let other = builder.build().unwrap();
    let refused = App::builder("app", other.clone()).log(log.clone()).start().await.err().expect("it is refused");
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    Reset::of("app").plan(&*log).unwrap().carry_out(&*log).unwrap();
    start(other, &log, soon()).await.close().await.unwrap();
    assert_eq!(log.topic(&format!("app-{}-changelog", SUMS.name())).unwrap(), None);
}

/// What the next program is compared with moves to Kafka, or to whatever log, with everything else.
#[tokio::test]
async fn a_graduation_takes_along_what_programs_are_compared_with() {
    let (log, other) = (shared_log(), shared_log());
    let app = start(sums(), &log, soon()).await;
    app.send(&IN, "a", 3).await.unwrap();
    app.settled().await.unwrap();
    app.close().await.unwrap();
    Graduation::plan(&*log, &*other).unwrap().carry_out(&*log, &*other, &mut |_| ()).unwrap();
    let builder = StreamsBuilder::new();
    builder.stream(&IN).for_each(|_, _| {});
    let refused = App::builder("app", builder.build().unwrap()).log(other.clone()).start().await.err();
    assert!(refused.expect("it is refused").to_string().contains("store `sums`"));
    start(sums(), &other, soon()).await.close().await.unwrap();
}
