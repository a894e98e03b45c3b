//! Rules about topics.

use std::time::Duration;

use tidemill::log::{Append, Cleanup, InputProgress, Log, LogErrorKind, Progress, TopicConfig, TopicSpec};
use tidemill::record::Offset;

use super::{batch, kind, partition};

/// Creating a topic again is fine with the same number of partitions, and an error with another.
pub fn a_topic_is_created_once(log: &dyn Log) {
    let config =
        TopicConfig { cleanup: Cleanup::Compact, retention: Some(Duration::from_secs(7)), ..TopicConfig::default() };
    let spec = TopicSpec { config, ..TopicSpec::new("orders", 3) };
    assert_eq!(log.topic("orders").unwrap(), None);
    log.create_topic(&spec).unwrap();
    log.create_topic(&TopicSpec::new("orders", 3)).unwrap();
    assert_eq!(kind(log.create_topic(&TopicSpec::new("orders", 4))), Some(LogErrorKind::Invalid));
    assert_eq!(log.topic("orders").unwrap().as_ref(), Some(&spec));
    log.create_topic(&TopicSpec::new("customers", 1)).unwrap();
    assert_eq!(log.topics().unwrap(), [TopicSpec::new("customers", 1), spec]);
}

/// What Kafka would not take as a topic is refused, so that programs move from one log to another.
pub fn topic_names_are_kafkas(log: &dyn Log) {
    let long = "x".repeat(250);
    for name in ["", ".", "..", "a b", "a/b", "ä", &long] {
        assert_eq!(kind(log.create_topic(&TopicSpec::new(name, 1))), Some(LogErrorKind::Invalid), "`{name}`");
    }
    assert_eq!(kind(log.create_topic(&TopicSpec::new("none", 0))), Some(LogErrorKind::Invalid));
    for name in ["a", "A.b_c-9", "...", &long[1..]] {
        log.create_topic(&TopicSpec::new(name, 1)).unwrap();
    }
}

/// Calls about topics and partitions that do not exist fail with `UnknownTopic`.
pub fn what_does_not_exist_is_an_error(log: &dyn Log) {
    log.create_topic(&TopicSpec::new("t", 2)).unwrap();
    let session = log.session("app").unwrap();
    for missing in [partition("u", 0), partition("t", 2)] {
        let append = || tidemill::log::Append { to: missing.clone(), records: batch(&["x"]) };
        let unknown = Some(LogErrorKind::UnknownTopic);
        assert_eq!(kind(log.bounds(&missing)), unknown);
        assert_eq!(kind(log.read(&missing, Offset::ZERO, 1)), unknown);
        assert_eq!(kind(log.append(vec![append()], "", Default::default())), unknown);
        assert_eq!(kind(session.stage(append())), unknown);
        assert_eq!(kind(session.read(&missing, Offset::ZERO, 1)), unknown);
        assert_eq!(kind(session.end(&missing)), unknown);
        assert_eq!(kind(session.follow(&missing, Offset::ZERO)), unknown);
    }
}

/// Records that were deleted cannot be read any more; those behind them keep their offsets.
pub fn deleted_records_are_gone(log: &dyn Log) {
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let to = partition("t", 0);
    for text in ["a", "b", "c"] {
        log.append(vec![Append { to: to.clone(), records: batch(&[text]) }], "", Default::default()).unwrap();
    }
    log.delete_records(&to, Offset::new(2)).unwrap();
    log.delete_records(&to, Offset::new(1)).unwrap();
    let bounds = log.bounds(&to).unwrap();
    assert_eq!((bounds.start.get(), bounds.end.get()), (2, 3));
    assert_eq!(kind(log.read(&to, Offset::new(1), 9)), Some(LogErrorKind::OutOfRange));
    let left = log.read(&to, Offset::new(2), usize::MAX).unwrap();
    assert_eq!(left.iter().map(|batch| batch.end().get()).max(), Some(3));
    log.delete_records(&to, Offset::new(99)).unwrap();
    assert_eq!(log.bounds(&to).unwrap().start.get(), 3, "no further than the end");
    assert_eq!(kind(log.delete_records(&partition("t", 1), Offset::ZERO)), Some(LogErrorKind::UnknownTopic));
}

/// A deleted topic is gone with its records and with what was read of it; its name can be used again. One in use stays.
pub fn a_topic_is_deleted(log: &dyn Log) {
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    log.create_topic(&TopicSpec::new("other", 1)).unwrap();
    let to = partition("t", 0);
    log.append(vec![Append { to: to.clone(), records: batch(&["old"]) }], "", Default::default()).unwrap();
    let session = log.session("app").unwrap();
    let reached = InputProgress { next: Offset::new(1), partition_time: None };
    session.commit(&Progress { inputs: [(to.clone(), reached)].into(), notes: Default::default() }).unwrap();
    session.stage(Append { to: to.clone(), records: batch(&["staged"]) }).unwrap();
    assert_eq!(kind(log.delete_topic("t")), Some(LogErrorKind::Invalid));
    drop(session);
    log.delete_topic("t").unwrap();
    assert_eq!(kind(log.delete_topic("t")), Some(LogErrorKind::UnknownTopic));
    assert_eq!(kind(log.bounds(&to)), Some(LogErrorKind::UnknownTopic));
    assert_eq!(log.topics().unwrap(), [TopicSpec::new("other", 1)]);
    log.create_topic(&TopicSpec::new("t", 3)).unwrap();
    assert_eq!(log.bounds(&to).unwrap().end, Offset::ZERO);
    assert!(log.session("app").unwrap().progress().unwrap().inputs.is_empty());
}
