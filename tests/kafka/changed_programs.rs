//! On brokers as on the other logs: a program that does not fit the state of the one before it is refused, or says what becomes of it.

use std::time::Duration;

use tidemill::log::kafka::KafkaSettings;
use tidemill::prelude::*;
use tidemill::{App, ErrorKind};

use crate::changed_program::{self, Scene};
use crate::support::{Names, brokers};

/// An application with a folder of its own, which its next programs have too.
fn on_brokers(word: &str, folder: &tempfile::TempDir) -> Scene {
    let folder = folder.path().join("data");
    let place = move |app: tidemill::AppBuilder| {
        let kafka = KafkaSettings { session_timeout: Duration::from_secs(6), ..KafkaSettings::new(brokers()) };
        app.kafka(kafka).state_folder(&folder)
    };
    Scene { application: Names::of(word).application(), place: Box::new(place) }
}

macro_rules! on_brokers {
    ($($row:ident)*) => {
        $(#[tokio::test] async fn $row() {
            let folder = tempfile::tempdir().unwrap();
            changed_program::$row(&on_brokers(stringify!($row), &folder)).await
        })*
    };
}

on_brokers! {
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
    other_changelog
}

/// State is not taken away from a process that works with it.
#[tokio::test]
async fn nothing_is_dropped_while_another_process_works() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let application = Names::of("works").application();
    let app = |store: &'static str, folder: &tempfile::TempDir| {
        let builder = StreamsBuilder::new();
        let input = Topic::<String, i64>::new(
            format!("{application}-in"),
            tidemill::serde::SerdeRef::of(),
            tidemill::serde::SerdeRef::of(),
        );
        builder.stream(&input).group_by_key().count_with(&Store::of(store));
        let kafka = KafkaSettings { session_timeout: Duration::from_secs(6), ..KafkaSettings::new(brokers()) };
        App::builder(&application, builder.build().unwrap())
            .topic(&input, 2)
            .kafka(kafka)
            .state_folder(folder.path().join("data"))
    };
    let works = app("counts", &here).start().await.unwrap();
    let refused = app("totals", &there).rename_state("counts", "totals").start().await.err().expect("it is refused");
    assert_eq!(refused.kind(), ErrorKind::Locked, "{refused}");
    assert!(refused.to_string().contains("while others work for it"), "{refused}");
    works.close().await.unwrap();
    app("totals", &there).rename_state("counts", "totals").start().await.unwrap().close().await.unwrap();
}
