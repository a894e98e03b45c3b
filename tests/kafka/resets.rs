//! An application on Kafka begins again: its group has other places, its own topics are gone.

use std::collections::BTreeMap;

use tidemill::log::kafka::{KafkaLog, KafkaSettings};
use tidemill::log::{InputProgress, Log, Notes, Progress, note_name};
use tidemill::record::{Offset, Timestamp, TopicPartition};
use tidemill::reset::{Reset, ResetTo};
use tidemill::topology::{TopicKind, TopicNeed};

use crate::support::{Input, Names, Producer, brokers, committed, create_topic, topic_names};

/// An application that has read all of `in` and has a changelog.
fn scene() -> (KafkaLog, Names, String) {
    let names = Names::of("reset");
    let (application, input) = (names.application(), names.topic("in"));
    create_topic(brokers(), &input, 1, &[]);
    let inputs: Vec<Input> = (0..10).map(|n| Input::long("k", n, 1_700_000_000_000 + n * 1_000)).collect();
    Producer::new(brokers()).write(&input, &inputs);
    let log = KafkaLog::open(KafkaSettings::new(brokers())).unwrap();
    let changelog = format!("{application}-counts-changelog").as_str().into();
    log.create_own_topic(&TopicNeed {
        name: changelog,
        partitions: 1,
        kind: TopicKind::Changelog,
        settings: BTreeMap::new(),
    })
    .unwrap();
    let partition = TopicPartition::new(input.as_str(), 0);
    let at = InputProgress { next: Offset::new(10), partition_time: Some(Timestamp::from_millis(1_700_000_009_000)) };
    let notes = Notes::from([(note_name("stream-time", &partition), 5_i64.to_be_bytes().to_vec())]);
    log.session(&application).unwrap().commit(&Progress { inputs: [(partition, at)].into(), notes }).unwrap();
    (log, names, input)
}

#[test]
fn places_are_set_and_own_topics_deleted() {
    for (to, next) in
        [(ResetTo::Start, 0), (ResetTo::Time(Timestamp::from_millis(1_700_000_003_500)), 4), (ResetTo::End, 10)]
    {
        let (log, names, input) = scene();
        let application = names.application();
        assert_eq!(committed(brokers(), &application, &input, 1)[&0].next, 10);
        let plan = Reset::of(&*application).to(to).plan(&log).unwrap();
        assert!(plan.to_string().contains(&format!("begin {input}-0 at {next} instead of 10\n")), "{plan}");
        plan.carry_out(&log).unwrap();
        assert_eq!(committed(brokers(), &application, &input, 1)[&0].next, next, "{to:?}");
        let progress = log.progress(&application).unwrap();
        assert_eq!(progress.inputs.into_values().map(|at| at.partition_time).collect::<Vec<_>>(), [None]);
        assert!(progress.notes.is_empty(), "what was noted is forgotten");
        assert!(topic_names(brokers(), &format!("{application}-")).is_empty(), "its own topics are gone");
        assert_eq!(topic_names(brokers(), &input).len(), 1, "its input is not");
    }
}
