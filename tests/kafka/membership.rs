//! Processes that share the partitions of an application, here as memberships of one process.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use tidemill::log::kafka::{GroupProtocol, KafkaLog, KafkaSettings};
use tidemill::log::{Append, Change, InputProgress, Log, LogErrorKind, Member, Membership, Notes, Progress, TopicSpec};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};

const PARTITIONS: u32 = 4;
const LIMIT: Duration = Duration::from_secs(60);

fn settings(prefix: &str, protocol: GroupProtocol) -> KafkaSettings {
    KafkaSettings {
        notes_topic: format!("{prefix}notes").into(),
        group_protocol: protocol,
        session_timeout: Duration::from_secs(6),
        poll_timeout: Duration::from_secs(6),
        ..KafkaSettings::new(crate::brokers())
    }
}

fn now() -> Duration {
    UNIX_EPOCH.elapsed().expect("the clock is set")
}

/// A member that does at once what it is told, and remembers what it has.
struct Process {
    membership: Option<Box<dyn Membership>>,
    has: BTreeSet<TopicPartition>,
    lost: Option<String>,
    revoked: usize,
}

impl Process {
    fn join(log: &KafkaLog, prefix: &str, instance: &str) -> Process {
        let topics = ["a", "b"].map(|topic| format!("{prefix}{topic}").into()).to_vec();
        let member = Member { application: format!("{prefix}app"), instance: instance.to_owned(), topics, workers: 1 };
        let membership = Some(log.join(&member).expect("the group can be joined"));
        Process { membership, has: BTreeSet::new(), lost: None, revoked: 0 }
    }

    fn member(&mut self) -> &mut dyn Membership {
        &mut **self.membership.as_mut().expect("the process has not left")
    }

    fn look(&mut self) {
        match self.member().next().expect("the group can be asked") {
            Some(Change::Assigned(partitions)) => self.has.extend(partitions),
            Some(Change::Revoked(partitions)) => {
                self.revoked += 1;
                self.has.retain(|partition| !partitions.contains(partition));
                self.member().released().expect("partitions can be given back");
            }
            Some(Change::Lost(why)) => {
                self.has.clear();
                self.lost = Some(why);
            }
            None => {}
        }
    }

    fn leave(&mut self) {
        self.membership.take().expect("the process has not left").leave().expect("a member can leave");
    }
}

/// Lets the processes look until `done`.
fn until(processes: &mut [&mut Process], what: &str, done: impl Fn(&[&mut Process]) -> bool) {
    let begun = now();
    while !done(processes) {
        assert!(now() - begun < LIMIT, "{what}: {:?}", processes.iter().map(|one| &one.has).collect::<Vec<_>>());
        for process in processes.iter_mut().filter(|process| process.lost.is_none()) {
            process.look();
        }
    }
}

/// Whether each has as many partitions of both topics, the same numbers of both, and together they have all.
fn are_shared(processes: &[&mut Process], counts: &[usize]) -> bool {
    let mut all = BTreeSet::new();
    let fair = processes.iter().zip(counts).all(|(process, count)| {
        let numbers: BTreeSet<u32> = process.has.iter().map(|partition| partition.partition).collect();
        all.extend(process.has.iter().cloned());
        process.has.len() == 2 * count && numbers.len() == *count
    });
    fair && all.len() == 2 * PARTITIONS as usize
}

fn with_topics(prefix: &str, protocol: GroupProtocol) -> KafkaLog {
    let log = KafkaLog::open(settings(prefix, protocol)).expect("the broker can be reached");
    for topic in ["a", "b"] {
        log.create_topic(&TopicSpec::new(format!("{prefix}{topic}"), PARTITIONS)).unwrap();
    }
    log
}

fn members_come_and_go(protocol: GroupProtocol) {
    let prefix = crate::prefix();
    let log = with_topics(&prefix, protocol);
    let mut one = Process::join(&log, &prefix, "one");
    until(&mut [&mut one], "one has all", |all| are_shared(all, &[4]));
    assert!(log.members(&format!("{prefix}app")).unwrap().len() >= 2, "a session and a member");
    let mut two = Process::join(&log, &prefix, "two");
    until(&mut [&mut one, &mut two], "two share", |all| are_shared(all, &[2, 2]));
    assert!(one.revoked > 0);
    let mut three = Process::join(&log, &prefix, "zed");
    until(&mut [&mut one, &mut two, &mut three], "three share", |all| are_shared(all, &[2, 1, 1]));
    two.leave();
    let begun = now();
    until(&mut [&mut one, &mut three], "the others have it at once", |all| are_shared(all, &[2, 2]));
    assert!(now() - begun < Duration::from_secs(20), "{:?}", now() - begun);
    one.leave();
    until(&mut [&mut three], "the last one has all", |all| are_shared(all, &[4]));
    three.leave();
}

#[test]
fn members_come_and_go_where_brokers_decide() {
    members_come_and_go(GroupProtocol::Consumer);
}

#[test]
fn members_come_and_go_where_a_member_decides() {
    members_come_and_go(GroupProtocol::Classic);
}

/// The share of a process that is gone waits for it.
#[test]
fn a_process_that_is_started_again_has_what_it_had() {
    let prefix = crate::prefix();
    let log = with_topics(&prefix, GroupProtocol::Classic);
    let (mut one, mut two) = (Process::join(&log, &prefix, "one"), Process::join(&log, &prefix, "two"));
    until(&mut [&mut one, &mut two], "two share", |all| are_shared(all, &[2, 2]));
    let (had, revoked) = (two.has.clone(), one.revoked);
    drop(two);
    let mut again = Process::join(&log, &prefix, "two");
    until(&mut [&mut one, &mut again], "two share again", |all| are_shared(all, &[2, 2]));
    assert_eq!(again.has, had);
    assert_eq!(one.revoked, revoked, "the other one has not heard of it");
    again.leave();
    one.leave();
}

/// Who does not look for too long loses its share, and commits nothing more.
fn a_silent_process_loses_its_share(protocol: GroupProtocol) {
    let prefix = crate::prefix();
    let log = with_topics(&prefix, protocol);
    let mut silent = Process::join(&log, &prefix, "one");
    until(&mut [&mut silent], "one has all", |all| are_shared(all, &[4]));
    let session = silent.member().session(0);
    let input = silent.has.first().expect("it has partitions").clone();
    let mut other = Process::join(&log, &prefix, "two");
    until(&mut [&mut other], "the other one has all", |all| are_shared(all, &[4]));
    let reached = InputProgress { next: Offset::new(1), partition_time: None };
    let late = Progress { inputs: [(input.clone(), reached)].into(), notes: Notes::new() };
    let mut batch = BatchBuilder::default();
    batch.push(Timestamp::from_millis(1), None, Some(b"late"), &Headers::NONE);
    // Before it has heard of its loss the brokers refuse it.
    let staged = session.stage(Append { to: input.clone(), records: batch.finish(Offset::ZERO) });
    let committed = staged.and_then(|_| session.commit(&late));
    assert_eq!(committed.unwrap_err().kind(), LogErrorKind::Lost, "{protocol:?}");
    until(&mut [&mut silent], "it hears of it", |all| all[0].lost.is_some());
    assert_eq!(session.commit(&Progress::default()).unwrap_err().kind(), LogErrorKind::Lost);
    assert!(log.read(&input, Offset::ZERO, 1000).unwrap().iter().all(|batch| batch.count() == 0), "aborted");
    other.leave();
}

#[test]
fn a_silent_process_loses_its_share_where_brokers_decide() {
    a_silent_process_loses_its_share(GroupProtocol::Consumer);
}

#[test]
fn a_silent_process_loses_its_share_where_a_member_decides() {
    a_silent_process_loses_its_share(GroupProtocol::Classic);
}

/// What is committed belongs to who holds the partition; a session of the new owner goes on there.
#[test]
fn a_partition_that_moves_takes_its_progress_with_it() {
    let prefix = crate::prefix();
    let log = with_topics(&prefix, GroupProtocol::Auto);
    let mut one = Process::join(&log, &prefix, "one");
    until(&mut [&mut one], "one has all", |all| are_shared(all, &[4]));
    let reached = InputProgress { next: Offset::new(7), partition_time: Some(Timestamp::from_millis(5)) };
    let inputs = one.has.iter().map(|partition| (partition.clone(), reached)).collect();
    let progress = Progress { inputs, notes: Notes::new() };
    one.member().session(0).commit(&progress).unwrap();
    let mut two = Process::join(&log, &prefix, "two");
    until(&mut [&mut one, &mut two], "two share", |all| are_shared(all, &[2, 2]));
    assert_eq!(two.member().session(0).progress().unwrap(), progress);
    let gone = two.has.first().expect("it has partitions").clone();
    let foreign = Progress { inputs: [(gone, reached)].into(), notes: Notes::new() };
    assert_eq!(one.member().session(0).commit(&foreign).unwrap_err().kind(), LogErrorKind::Lost);
    two.leave();
    one.leave();
}

/// Members of other makes are left alone.
#[test]
fn a_group_with_foreign_members_is_not_joined() {
    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};

    let prefix = crate::prefix();
    let log = with_topics(&prefix, GroupProtocol::Auto);
    let application = format!("{prefix}app");
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", crate::brokers()).set("group.id", &application).set("client.id", "somebody-else");
    let foreign: BaseConsumer = config.create().unwrap();
    foreign.subscribe(&[&format!("{prefix}a")]).unwrap();
    let begun = now();
    while foreign.assignment().unwrap().count() == 0 {
        assert!(now() - begun < LIMIT, "the foreign member has joined");
        foreign.poll(Duration::from_millis(50));
    }
    let topics = vec![format!("{prefix}a").into()];
    let member = Member { application, instance: "one".to_owned(), topics, workers: 1 };
    let refused = log.join(&member).err().expect("it is refused");
    assert_eq!(refused.kind(), LogErrorKind::Invalid);
    assert!(refused.to_string().contains("somebody-else"), "{refused}");
    foreign.unsubscribe();
    drop(foreign);
    let settings = KafkaSettings { foreign_members_wait: LIMIT, ..settings(&prefix, GroupProtocol::Auto) };
    KafkaLog::open(settings).unwrap().join(&member).expect("once it is gone, the group can be joined");
}
