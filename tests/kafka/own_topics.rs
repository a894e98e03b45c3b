//! Topics of an application's own are set on Kafka as Kafka Streams sets them.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill::log::kafka::{KafkaLog, KafkaSettings};
use tidemill::log::{Log, TopicSpec};
use tidemill::record::{Offset, TopicPartition};
use tidemill::topology::{TopicKind, TopicNeed};

use crate::support::{Names, brokers, topic_config};

const PROCESSES: usize = 6;
const TOPICS: usize = 50;

#[test]
fn each_is_set_as_what_it_is_for_asks() {
    let (names, retention) = (Names::of("own"), Duration::from_secs(3 * 24 * 60 * 60));
    let log = KafkaLog::open(KafkaSettings::new(brokers())).unwrap();
    let kinds = [
        TopicKind::Repartition,
        TopicKind::Answers,
        TopicKind::Changelog,
        TopicKind::WindowChangelog { retention },
        TopicKind::DuplicatesChangelog { retention },
        TopicKind::VersionedChangelog { retention },
    ];
    for (number, kind) in kinds.into_iter().enumerate() {
        let name = names.topic(&number.to_string());
        let need = TopicNeed { name: name.as_str().into(), partitions: 2, kind, settings: BTreeMap::new() };
        log.create_own_topic(&need).unwrap();
        log.create_own_topic(&need).unwrap();
        let expected = kind.configs().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        assert_eq!(topic_config(brokers(), &name), expected, "{kind:?}");
        assert_eq!(log.topic(&name).unwrap().unwrap().partitions, 2);
    }
}

#[test]
fn what_the_program_sets_of_a_changelog_is_set() {
    let (names, log) = (Names::of("own"), KafkaLog::open(KafkaSettings::new(brokers())).unwrap());
    let set = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let need =
        |name: &str, settings| TopicNeed { name: name.into(), partitions: 1, kind: TopicKind::Changelog, settings };
    let name = names.topic("set");
    log.create_own_topic(&need(&name, set("delete.retention.ms", "5000"))).unwrap();
    assert_eq!(topic_config(brokers(), &name)["delete.retention.ms"], "5000");
    let wrong = names.topic("wrong");
    let error = log.create_own_topic(&need(&wrong, set("cleanup.policy", "shrink"))).unwrap_err();
    assert!(error.to_string().contains(&wrong), "{error}");
    assert_eq!(log.topic(&wrong).unwrap(), None);
}

/// Processes that start together make the same topics. Each can use one as soon as it is told that it is there, also where another
/// one was first and the broker that it asks has not heard of it yet.
#[test]
fn whoever_makes_a_topic_that_another_makes_at_that_moment_can_use_it_at_once() {
    let names = Names::of("own");
    let processes: Vec<_> = (0..PROCESSES).map(|_| KafkaLog::open(KafkaSettings::new(brokers())).unwrap()).collect();
    for number in 0..TOPICS {
        let topic = names.topic(&number.to_string());
        let make = |log: &KafkaLog| {
            log.create_topic(&TopicSpec::new(topic.as_str(), 1)).unwrap();
            assert_eq!(log.bounds(&TopicPartition::new(topic.as_str(), 0)).unwrap().end, Offset::ZERO);
        };
        std::thread::scope(|scope| processes.iter().for_each(|log| drop(scope.spawn(|| make(log)))));
    }
}
