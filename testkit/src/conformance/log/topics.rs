//! Rules about topics.

use std::time::Duration;

use tidemill::log::{Cleanup, Log, LogErrorKind, TopicConfig, TopicSpec};
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
        assert_eq!(kind(session.end_watch(&missing)), unknown);
    }
}
