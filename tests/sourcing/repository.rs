//! A repository keeps aggregates in memory, and saves what was added to them against the version that they had.

use std::future::{Future, ready};
use std::sync::Mutex;

use tidemill::event_sourcing::{Batches, EventBatch, Loaded, MemoryEvents, Provider, Recorded, Repository, SaveError};
use tidemill::log::{Append, Log, MemoryLog, Notes, TopicSpec};
use tidemill::prelude::*;
use tidemill::record::{BatchBuilder, Offset, TopicPartition};
use tidemill::serde::Serde;
use tidemill::{Error, ErrorKind};

use crate::users::{User, UserEvent, created, modified, tags, topics, user};

fn key() -> String {
    "7".into()
}

/// A provider that says what it is told to, and remembers what it was asked.
#[derive(Default)]
struct Mock {
    stored: Vec<Recorded<String, UserEvent>>,
    sent: Mutex<Vec<Call>>,
    answers: Mutex<Vec<Result<u64, SaveError>>>,
}

/// The version, the events, the id.
type Call = (u64, Vec<UserEvent>, Option<String>);

impl Provider<User> for &Mock {
    fn fetch_all(&self, _: usize) -> Result<Batches<'_, User>, Error> {
        let loaded = Loaded { read: self.stored.len() as u64, total: self.stored.len() as u64 };
        Ok(Box::new(std::iter::once(Ok(EventBatch { events: self.stored.clone(), loaded }))))
    }

    fn send(
        &self,
        _: String,
        expected: u64,
        events: Vec<UserEvent>,
        id: Option<String>,
    ) -> impl Future<Output = Result<u64, SaveError>> + Send {
        let version = expected + events.len() as u64;
        self.sent.lock().unwrap().push((expected, events, id));
        ready(self.answers.lock().unwrap().pop().unwrap_or(Ok(version)))
    }

    fn close(self) -> impl Future<Output = Result<(), Error>> + Send {
        ready(Ok(()))
    }
}

#[test]
fn a_typed_event_is_resolved_by_its_type_and_written_with_its_names() {
    let old = br#"{"id":"7","type":"UserCreatedEvent","create_time":"2020-07-24T10:00:00Z","version":0,"first_name":"Ada","last_name":"Byron"}"#;
    assert_eq!(tags().read(old).unwrap(), created("Ada", "Byron"));
    let mut bytes = Vec::new();
    tags().write(&modified("Ada", "Lovelace"), &mut bytes).unwrap();
    assert_eq!(bytes, br#"{"first_name":"Ada","last_name":"Lovelace","type":"UserModifiedEvent"}"#);
}

#[test]
fn a_replay_makes_the_aggregate() {
    let mut users = Repository::<User, _>::new(MemoryEvents::default());
    users.replay(&key(), &[created("Ada", "Byron"), modified("Ada", "Lovelace")]);
    assert_eq!((users.get(&key()), users.version(&key())), (Some(&user("Ada", "Lovelace")), 2));
    assert!(users.uncommitted(&key()).is_empty(), "they are stored already");
    assert_eq!((users.get(&"8".to_owned()), users.version(&"8".to_owned())), (None, 0));
}

#[test]
fn loading_from_a_provider_makes_the_aggregate() {
    let event = |version, event| Recorded { key: key(), version, event };
    let stored = vec![event(Some(1), created("Ada", "Byron")), event(None, modified("Ada", "Lovelace"))];
    let mock = Mock { stored, ..Mock::default() };
    let mut users = Repository::new(&mock);
    let mut seen = Vec::new();
    assert_eq!(users.load(20, |loaded| seen.push(loaded)).unwrap(), Loaded { read: 2, total: 2 });
    assert_eq!((users.get(&key()), seen), (Some(&user("Ada", "Lovelace")), vec![Loaded { read: 2, total: 2 }]));
}

#[test]
fn a_gap_between_versions_is_an_error_and_changes_nothing() {
    let stored = vec![Recorded { key: key(), version: Some(2), event: created("Ada", "Byron") }];
    let mock = Mock { stored, ..Mock::default() };
    let mut users = Repository::new(&mock);
    users.add_or_modify(key(), user("Grace", "Hopper"), 9);
    let error = users.load(20, |_| ()).unwrap_err();
    assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains("version 2 where 1 is next"), "{error}");
    assert_eq!((users.get(&key()), users.version(&key())), (Some(&user("Grace", "Hopper")), 9));
}

#[tokio::test]
async fn an_added_event_is_uncommitted_until_it_is_saved() {
    let mock = Mock::default();
    let mut users = Repository::new(&mock);
    users.add_event(&key(), created("Ada", "Byron"));
    assert_eq!((users.uncommitted(&key()).len(), users.version(&key())), (1, 0));
    assert_eq!(users.get(&key()), Some(&user("Ada", "Byron")), "it is seen before it is saved");
    assert_eq!(users.save(&key()).await.unwrap(), 1);
    assert_eq!((users.uncommitted(&key()).len(), users.version(&key())), (0, 1));
    assert_eq!(*mock.sent.lock().unwrap(), [(0, vec![created("Ada", "Byron")], None)]);
    assert_eq!(users.save(&key()).await.unwrap(), 1, "there is nothing to send");
    assert_eq!(mock.sent.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn after_a_snapshot_the_version_goes_on() {
    let mock = Mock::default();
    let mut users = Repository::new(&mock);
    users.add_or_modify(key(), user("Ada", "Byron"), 41);
    users.decide(&key(), &"Augusta".to_owned(), 0.into()).unwrap();
    assert_eq!(users.save(&key()).await.unwrap(), 42);
    assert_eq!(*mock.sent.lock().unwrap(), [(41, vec![modified("Augusta", "Byron")], None)]);
}

#[test]
fn a_refused_command_adds_nothing() {
    let mut users = Repository::<User, _>::new(MemoryEvents::default());
    assert_eq!(users.decide(&key(), &"Ada".to_owned(), 0.into()), Err("there is no user `7`".to_owned()));
    assert!(users.uncommitted(&key()).is_empty() && users.get(&key()).is_none());
}

#[tokio::test]
async fn of_two_repositories_one_saves_and_the_other_hears_of_it() {
    let events = MemoryEvents::<User>::default();
    events.send(key(), 0, vec![created("Ada", "Byron")], None).await.unwrap();
    let mut one = Repository::new(events);
    one.load(1, |_| ()).unwrap();
    one.add_event(&key(), modified("Ada", "Lovelace"));
    // Somebody else was faster: this one still means version 0.
    one.add_or_modify("8".into(), user("Grace", "Murray"), 0);
    one.add_event(&"8".to_owned(), created("Grace", "Murray"));
    assert_eq!(one.save(&"8".to_owned()).await.unwrap(), 1);
    one.add_or_modify("8".into(), user("Grace", "Murray"), 0);
    one.add_event(&"8".to_owned(), modified("Grace", "Hopper"));
    let conflict = one.save(&"8".to_owned()).await.unwrap_err();
    assert!(matches!(conflict, SaveError::Conflict { expected: 0, actual: 1 }), "{conflict}");
    assert_eq!(one.uncommitted(&"8".to_owned()), [modified("Grace", "Hopper")], "nothing that was added is lost");
    one.discard(&"8".to_owned());
    assert_eq!(one.get(&"8".to_owned()), Some(&user("Grace", "Murray")));
    assert_eq!(one.save(&key()).await.unwrap(), 2);
}

#[tokio::test]
async fn several_keys_are_saved_at_once_each_with_its_own_outcome() {
    let mut users = Repository::<User, _>::new(MemoryEvents::default());
    for id in ["7", "8", "9"] {
        users.add_event(&id.to_owned(), created("Ada", id));
    }
    users.add_event(&"7".to_owned(), modified("Ada", "Lovelace"));
    // The events of `8` are meant for a version that there is not.
    users.add_or_modify("8".into(), user("Grace", "Murray"), 5);
    users.add_event(&"8".to_owned(), modified("Grace", "Hopper"));
    let saved = users.save_all(["9", "8", "7", "9", "none"].map(str::to_owned)).await;
    assert_eq!(saved.keys().collect::<Vec<_>>(), ["7", "8", "9", "none"]);
    assert!(matches!((&saved["7"], &saved["9"], &saved["none"]), (Ok(2), Ok(1), Ok(0))), "{saved:?}");
    assert!(matches!(&saved["8"], Err(SaveError::Conflict { expected: 5, actual: 0 })), "{saved:?}");
    assert_eq!(users.uncommitted(&"8".to_owned()), [modified("Grace", "Hopper")]);
    assert!(users.uncommitted(&"7".to_owned()).is_empty());
    assert!(!users.keys().any(|key| key == "none"), "asking for a key does not make it");
}

#[tokio::test]
async fn saves_of_several_keys_are_under_way_together() {
    struct Together(tokio::sync::Barrier);
    impl Provider<User> for &Together {
        fn fetch_all(&self, _: usize) -> Result<Batches<'_, User>, Error> {
            Ok(Box::new(std::iter::empty()))
        }

        async fn send(&self, _: String, version: u64, _: Vec<UserEvent>, _: Option<String>) -> Result<u64, SaveError> {
            // Each waits for all the others.
            self.0.wait().await;
            Ok(version + 1)
        }

        async fn close(self) -> Result<(), Error> {
            Ok(())
        }
    }
    let provider = Together(tokio::sync::Barrier::new(40));
    let mut users = Repository::<User, _>::new(&provider);
    let keys: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    keys.iter().for_each(|key| users.add_event(key, created("Ada", key)));
    let saved = tokio::time::timeout(std::time::Duration::from_secs(30), users.save_all(keys)).await;
    assert!(saved.expect("none waits for another to end").into_values().all(|saved| matches!(saved, Ok(1))));
}

#[tokio::test]
async fn what_is_in_doubt_is_sent_again_with_its_id_before_anything_else() {
    let mock = Mock::default();
    let cause = tidemill::log::LogError::new(tidemill::log::LogErrorKind::Unavailable, "gone").into();
    mock.answers.lock().unwrap().push(Err(SaveError::Unknown { id: "i1".into(), cause }));
    let mut users = Repository::new(&mock);
    users.add_event(&key(), created("Ada", "Byron"));
    assert!(matches!(users.save(&key()).await, Err(SaveError::Unknown { .. })));
    users.add_event(&key(), modified("Ada", "Lovelace"));
    assert_eq!(users.save(&key()).await.unwrap(), 2);
    let (first, second) = (vec![created("Ada", "Byron")], vec![modified("Ada", "Lovelace")]);
    let calls = [(0, first.clone(), None), (0, first, Some("i1".to_owned())), (1, second, None)];
    assert_eq!(*mock.sent.lock().unwrap(), calls);
    assert_eq!(users.get(&key()), Some(&user("Ada", "Lovelace")));
}

async fn on_topics(log: std::sync::Arc<dyn Log>) -> Repository<User, tidemill::event_sourcing::TopicEvents<User>> {
    let settings = Settings { partitions: 3, threads: 2, ..Settings::default() };
    let builder = App::builder("users", topics().topology().unwrap()).settings(settings);
    let app = builder.log(log).start().await.unwrap();
    Repository::new(tidemill::event_sourcing::TopicEvents::new(app, &topics()))
}

#[tokio::test]
async fn events_in_a_topic_are_loaded_at_the_next_start_a_batch_at_a_time() {
    let log: std::sync::Arc<dyn Log> = std::sync::Arc::new(MemoryLog::default());
    let mut users = on_topics(log.clone()).await;
    assert_eq!(users.load(20, |_| ()).unwrap(), Loaded { read: 0, total: 0 }, "empty partitions end at once");
    for number in 0..5 {
        let key = number.to_string();
        users.add_event(&key, created("Ada", &key));
        users.add_event(&key, modified("Augusta", &key));
        assert_eq!(users.save(&key).await.unwrap(), 2);
    }
    users.close().await.unwrap();

    let mut users = on_topics(log).await;
    let mut seen = Vec::new();
    users.load(4, |loaded| seen.push((loaded.read, loaded.total))).unwrap();
    assert_eq!(seen, [(4, 10), (8, 10), (10, 10)], "the last batch is a part of one");
    assert_eq!(users.keys().count(), 5);
    assert_eq!((users.get(&"3".to_owned()), users.version(&"3".to_owned())), (Some(&user("Augusta", "3")), 2));
    // The task that decides knows better than a repository that is behind.
    users.add_or_modify("3".into(), user("Ada", "3"), 1);
    users.add_event(&"3".to_owned(), modified("Late", "3"));
    let conflict = users.save(&"3".to_owned()).await.unwrap_err();
    assert!(matches!(conflict, SaveError::Conflict { expected: 1, actual: 2 }), "{conflict}");
    users.load(100, |_| ()).unwrap();
    users.decide(&"3".to_owned(), &"In time".to_owned(), 0.into()).unwrap();
    assert_eq!(users.save(&"3".to_owned()).await.unwrap(), 3);
    users.close().await.unwrap();
}

#[tokio::test]
async fn a_topic_that_others_have_written_is_loaded_too_and_an_unknown_type_is_an_error() {
    let log: std::sync::Arc<dyn Log> = std::sync::Arc::new(MemoryLog::default());
    log.create_topic(&TopicSpec::new("users-events", 3)).unwrap();
    let write = |partition, text: &str| {
        let mut batch = BatchBuilder::default();
        batch.push(0.into(), Some(b"7"), Some(text.as_bytes()), &Headers::NONE);
        let to = TopicPartition::new("users-events", partition);
        log.append(vec![Append { to, records: batch.finish(Offset::ZERO) }], "", Notes::new()).unwrap();
    };
    write(1, r#"{"id":"7","type":"UserCreatedEvent","version":0,"first_name":"Ada","last_name":"Byron"}"#);
    write(1, r#"{"type":"UserModifiedEvent","payload":{"first_name":"Ada","last_name":"Lovelace"},"Event":null}"#);
    let mut users = on_topics(log.clone()).await;
    users.load(20, |_| ()).unwrap();
    assert_eq!((users.get(&key()), users.version(&key())), (Some(&user("Ada", "Lovelace")), 2));
    write(1, r#"{"type":"UserDeletedEvent"}"#);
    let error = users.load(20, |_| ()).unwrap_err();
    assert!(error.to_string().contains("nobody knows events of type `UserDeletedEvent`"), "{error}");
    assert_eq!(users.get(&key()), Some(&user("Ada", "Lovelace")), "the repository is as it was");
    users.close().await.unwrap();
}
