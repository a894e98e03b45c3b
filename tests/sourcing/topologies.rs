//! What `event_sourced` becomes: nodes, stores, topics, warnings and faults.

use std::time::Duration;

use tidemill::prelude::*;
use tidemill::processor::PartitionCounts;
use tidemill::topology::{TopicKind, TopicRef};

use crate::account::{ACCOUNTS, Account, COMMANDS, Command, EVENTS, topology, topology_with};

/// Commands have three partitions, all else has one.
struct Threefold;

impl PartitionCounts for Threefold {
    fn partitions(&self, topic: &str) -> Option<u32> {
        Some(if topic == "commands" { 3 } else { 1 })
    }
}

#[test]
fn stores_and_topics_are_called_after_the_store_of_states() {
    let topology = topology();
    let stores: Vec<&str> = topology.stores().iter().map(|store| &**store.name()).collect();
    assert_eq!(stores, ["accounts-versions", "accounts-receipts", "accounts"]);
    let plan = topology.plan("bank", Changelog::LastPerCommit, &[], &Threefold).unwrap();
    let internal: Vec<_> = plan.internal.iter().map(|need| (&*need.name, need.partitions)).collect();
    assert_eq!(
        internal,
        [
            ("bank-accounts-answers", 3),
            ("bank-accounts-changelog", 3),
            ("bank-accounts-receipts-changelog", 3),
            ("bank-accounts-versions-changelog", 3),
        ]
    );
    assert_eq!(plan.internal[0].kind, TopicKind::Answers);
    assert_eq!(plan.internal[2].kind, TopicKind::WindowChangelog { retention: Duration::from_millis(1_200_001) });
    assert_eq!(topology.subtopologies().len(), 1, "all of it is one task");
    assert!(topology.warnings(Changelog::LastPerCommit).is_empty());
}

#[test]
fn answers_are_found_by_the_topic_of_commands() {
    let answers = TopicRef::Internal("accounts-answers".into());
    let route = topology();
    let route = route.answers_to("commands").expect("it is decided");
    assert_eq!((route.topic(), route.node(), route.is_direct()), (answers.clone(), "decide", true));
    assert!(route.replies::<Account>().is_some() && topology().answers_to("events").is_none());
    let unasked = topology_with(EventSourced::default().unasked());
    assert!(unasked.answers_to("commands").is_none());
    // Behind a repartition topic too.
    const BY_NUMBER: Topic<i64, Command> = Topic::of("by-number");
    let builder = StreamsBuilder::new();
    builder.stream(&BY_NUMBER).select_key(|number, _| number.to_string()).event_sourced(&ACCOUNTS).events().to(&EVENTS);
    let topology = builder.build().unwrap();
    let route = topology.answers_to("by-number").expect("it is decided");
    assert_eq!((route.topic(), route.is_direct(), route.subtopology()), (answers, false, 1));
    assert!(topology.describe().contains("accounts-repartition"), "{}", topology.describe());
}

#[test]
fn the_number_of_partitions_for_answers_can_be_said() {
    let topology = topology_with(EventSourced::default().answer_partitions(7));
    let plan = topology.plan("bank", Changelog::LastPerCommit, &[], &Threefold).unwrap();
    assert_eq!((&*plan.internal[0].name, plan.internal[0].partitions), ("bank-accounts-answers", 7));
}

#[test]
fn commands_have_to_be_remembered_for_a_while() {
    let builder = StreamsBuilder::new();
    let options = EventSourced::default().remember(Duration::ZERO);
    builder.stream(&COMMANDS).event_sourced_with(&ACCOUNTS, options).named("decide").events().to(&EVENTS);
    let faults = builder.build().map(|_| ()).unwrap_err().to_string();
    assert!(faults.contains("`decide`") && faults.contains("less than a millisecond"), "{faults}");
}
