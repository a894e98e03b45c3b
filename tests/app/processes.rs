//! Two processes of one application, here in one: what the group says to each is scripted, the log in memory is theirs together.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidemill::log::{InputProgress, Log, LogError, Member, Membership, MemoryLog, Progress, Session, TopicSpec};
use tidemill::record::{TopicPartition, partition_of};
use tidemill::topology::Topology;
use tidemill::{App, AppBuilder, Settings};

use crate::done_by_log::done_by_log;
use crate::membership::{Script, Scripted};

/// How many partitions `in` and `out` have.
pub(crate) const PARTITIONS: u32 = 4;

/// The log in memory has one session for each application, and one progress: each process has a session of its own name, and what
/// they have done is put together.
struct Together(MemoryLog);

impl Deref for Together {
    type Target = MemoryLog;

    fn deref(&self) -> &MemoryLog {
        &self.0
    }
}

impl Together {
    fn progress(&self, application: &str) -> Result<Progress, LogError> {
        let mut all = Progress::default();
        for process in ["one", "two"] {
            let Progress { inputs, notes } = self.0.progress(&format!("{application}-{process}"))?;
            let newer = |known: &InputProgress, at: &InputProgress| known.next >= at.next;
            for (input, at) in inputs {
                if !all.inputs.get(&input).is_some_and(|known| newer(known, &at)) {
                    all.inputs.insert(input, at);
                }
            }
            all.notes.extend(notes);
        }
        Ok(all)
    }
}

/// The log as one process sees it.
struct OfOne {
    log: Arc<Together>,
    name: &'static str,
    script: Arc<Script>,
}

impl Log for OfOne {
    done_by_log!();
    fn session(&self, application: &str) -> Result<Box<dyn Session>, LogError> {
        self.log.session(&format!("{application}-{}", self.name))
    }
    fn is_shared(&self) -> bool {
        true
    }
    fn join(&self, member: &Member) -> Result<Box<dyn Membership>, LogError> {
        self.script.joined.fetch_add(1, Ordering::SeqCst);
        let session = Arc::from(self.session(&member.application)?);
        Ok(Box::new(Scripted { session, script: self.script.clone() }))
    }
}

/// A process of application `app`, and what its group says to it.
pub(crate) struct Process {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) script: Arc<Script>,
}

/// Two processes, `one` and `two`, and topics `in` and `out`.
pub(crate) fn two() -> [Process; 2] {
    let log = Arc::new(Together(MemoryLog::default()));
    for topic in ["in", "out"] {
        log.create_topic(&TopicSpec::new(topic, PARTITIONS)).unwrap();
    }
    ["one", "two"].map(|name| {
        let script = Arc::new(Script::default());
        Process { log: Arc::new(OfOne { log: log.clone(), name, script: script.clone() }), script }
    })
}

impl Process {
    pub(crate) fn builder(&self, topology: Topology, settings: Settings) -> AppBuilder {
        App::builder("app", topology).log(self.log.clone()).settings(settings)
    }

    /// Where the process's changelogs end.
    pub(crate) fn end(&self, topic: &str, partition: u32) -> u64 {
        self.log.bounds(&TopicPartition::new(topic, partition)).unwrap().end.get()
    }
}

/// A key of a partition.
pub(crate) fn key_of(partition: u32) -> String {
    let mut names = (0..).map(|number| format!("key-{number}"));
    let is_of = |name: &String| partition_of(name.as_bytes(), PARTITIONS) == partition;
    names.find(is_of).expect("names do not end")
}
