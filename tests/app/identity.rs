//! A store on disk is what it was made as, and belongs to the changelog that made it.

use std::path::Path;

use tidemill::log::{Append, Cleanup, EmbeddedLog, Log, LogSettings, Notes, TopicConfig, TopicSpec};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill::reset::Reset;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, Error, ErrorKind};

use crate::support::{IN, SUMS, soon, sums};

async fn started(folder: &Path, topology: Topology) -> Result<App, Error> {
    App::builder("app", topology).embedded(folder).settings(soon()).start().await
}

/// A folder in which `SUMS` has rows and a checkpoint.
async fn filled(folder: &Path) {
    let app = started(folder, sums()).await.unwrap();
    for key in ["a", "b", "c"] {
        app.send(&IN, key, 1).await.unwrap();
    }
    app.settled().await.unwrap();
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_changelog_that_was_made_again_and_has_grown_past_the_checkpoint_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("data");
    filled(&folder).await;
    let changelog = TopicPartition::new("app-sums-changelog", 0);
    {
        let log = EmbeddedLog::open(&folder, LogSettings::default()).unwrap();
        let (id, reached) = (log.topic_id(&changelog.topic).unwrap(), log.bounds(&changelog).unwrap().end);
        log.delete_topic(&changelog.topic).unwrap();
        let config = TopicConfig { cleanup: Cleanup::Compact, ..TopicConfig::default() };
        log.create_topic(&TopicSpec { config, ..TopicSpec::new(changelog.topic.clone(), 1) }).unwrap();
        assert_ne!(log.topic_id(&changelog.topic).unwrap(), id);
        let mut records = BatchBuilder::default();
        for n in 0..reached.get() + 5 {
            let value = i64::try_from(n).unwrap().to_be_bytes();
            records.push(Timestamp::ZERO, Some(b"restored"), Some(&value), &Headers::NONE);
        }
        let append = Append { to: changelog.clone(), records: records.finish(Offset::ZERO) };
        log.append(vec![append], "", Notes::new()).unwrap();
    }
    let app = started(&folder, sums()).await.unwrap();
    assert_eq!(app.restored(), 8, "the store begins anew, with all records of the new changelog");
    assert_eq!(app.table(&SUMS).all().await.unwrap(), [("restored".to_owned(), 7)]);
    app.close().await.unwrap();
    // That is the store's changelog from now on.
    let app = started(&folder, sums()).await.unwrap();
    assert_eq!(app.restored(), 0);
    assert_eq!(app.table(&SUMS).all().await.unwrap(), [("restored".to_owned(), 7)]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_store_of_another_shape_is_refused_and_left_alone() {
    const TEXTS: Store<String, String> = Store::of("sums");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("data");
    filled(&folder).await;
    let texts = || {
        let builder = StreamsBuilder::new();
        let texts = builder.stream(&IN).group_by_key();
        texts.aggregate(&TEXTS, String::new, |text: String, _key, n| format!("{text}{n}"));
        builder.build().unwrap()
    };
    let app = started(&folder, sums()).await.unwrap();
    assert_eq!((app.restored(), app.table(&SUMS).approximate_count().await.unwrap()), (0, 3));
    app.close().await.unwrap();
    let error = started(&folder, texts()).await.err().expect("the store is another one");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("store `sums` was made as"), "{error}");
    // Who says nothing of the folder leaves what lies there, and the log knows no program any more.
    let log = EmbeddedLog::open(&folder, LogSettings::default()).unwrap();
    Reset::of("app").plan(&log).unwrap().carry_out(&log).unwrap();
    drop(log);
    let error = started(&folder, texts()).await.err().expect("the store in the folder is another one");
    let said = ["store `sums` of application `app` was made as", "give the store a name that was not used before"];
    assert!(said.iter().all(|text| error.to_string().contains(text)), "{error}");
    // Unless the program gives them up.
    let app = App::builder("app", texts()).embedded(&folder).settings(soon()).drop_state("sums").start().await.unwrap();
    app.settled().await.unwrap();
    assert_eq!(app.table(&TEXTS).get("a").await.unwrap(), Some("1".to_owned()));
    app.close().await.unwrap();
}
