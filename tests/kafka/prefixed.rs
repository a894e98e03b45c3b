//! A log in a corner of its own: names of topics, applications and scopes begin with something that no other test has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tidemill::log::{
    Append, Bounds, Cleaned, EndWatch, Log, LogError, Notes, OwnRecords, Progress, Session, TopicId, TopicSpec,
    Written, note_name, note_parts,
};
use tidemill::record::{Batch, Offset, Timestamp, TopicName, TopicPartition};

pub(crate) struct Prefixed<L> {
    log: L,
    names: Names,
}

#[derive(Clone)]
struct Names(Arc<str>);

impl<L> Prefixed<L> {
    pub(crate) fn new(log: L, prefix: &str) -> Self {
        Prefixed { log, names: Names(prefix.into()) }
    }
}

impl Names {
    /// Names that are none, or too long for one more letter, stay.
    fn outer(&self, name: &str) -> String {
        let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let stays = !legal || ["", ".", ".."].contains(&name) || name.len() > 200;
        if stays { name.to_owned() } else { format!("{}{name}", self.0) }
    }

    fn inner<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(&*self.0)
    }

    fn partition(&self, partition: &TopicPartition) -> TopicPartition {
        TopicPartition::new(self.outer(&partition.topic), partition.partition)
    }

    fn append(&self, append: Append) -> Append {
        Append { to: self.partition(&append.to), records: append.records }
    }

    fn spec(&self, spec: TopicSpec) -> Option<TopicSpec> {
        let name = TopicName::from(self.inner(&spec.name)?);
        Some(TopicSpec { name, ..spec })
    }

    fn committed(&self, progress: &Progress) -> Progress {
        let inputs = progress.inputs.iter().map(|(at, reached)| (self.partition(at), *reached)).collect();
        let name = |name: &String| match note_parts(name) {
            Some((what, home)) => note_name(what, &self.partition(&home)),
            None => name.clone(),
        };
        let notes = progress.notes.iter().map(|(note, value)| (name(note), value.clone())).collect();
        Progress { inputs, notes }
    }

    fn told(&self, progress: Progress) -> Progress {
        let inputs: BTreeMap<_, _> = progress
            .inputs
            .into_iter()
            .filter_map(|(at, reached)| Some((TopicPartition::new(self.inner(&at.topic)?, at.partition), reached)))
            .collect();
        let name = |name: String| match note_parts(&name) {
            Some((what, home)) => {
                note_name(what, &TopicPartition::new(self.inner(&home.topic).unwrap_or_default(), home.partition))
            }
            None => name,
        };
        Progress { inputs, notes: progress.notes.into_iter().map(|(note, value)| (name(note), value)).collect() }
    }
}

impl<L: Log> Log for Prefixed<L> {
    fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        self.log.create_topic(&TopicSpec { name: self.names.outer(&spec.name).into(), ..spec.clone() })
    }

    fn check(&self) -> Result<(), LogError> {
        self.log.check()
    }

    fn topic(&self, name: &str) -> Result<Option<TopicSpec>, LogError> {
        Ok(self.log.topic(&self.names.outer(name))?.and_then(|spec| self.names.spec(spec)))
    }

    fn topic_id(&self, name: &str) -> Result<Option<TopicId>, LogError> {
        self.log.topic_id(&self.names.outer(name))
    }

    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        Ok(self.log.topics()?.into_iter().filter_map(|spec| self.names.spec(spec)).collect())
    }

    fn delete_topic(&self, name: &str) -> Result<(), LogError> {
        self.log.delete_topic(&self.names.outer(name))
    }

    fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, LogError> {
        self.log.bounds(&self.names.partition(partition))
    }

    fn settled(&self, partition: &TopicPartition) -> Result<Bounds, LogError> {
        self.log.settled(&self.names.partition(partition))
    }

    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError> {
        self.log.read(&self.names.partition(partition), from, bytes_max)
    }

    fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<(), LogError> {
        self.log.delete_records(&self.names.partition(partition), before)
    }

    fn complete_from(&self, partition: &TopicPartition, away: Duration) -> Result<Offset, LogError> {
        self.log.complete_from(&self.names.partition(partition), away)
    }

    fn clean(&self, now: Timestamp) -> Result<Cleaned, LogError> {
        self.log.clean(now)
    }

    fn post(&self, appends: Vec<Append>, scope: &str, notes: Notes) -> Result<Written, LogError> {
        let appends = appends.into_iter().map(|append| self.names.append(append)).collect();
        self.log.post(appends, &self.names.outer(scope), notes)
    }

    fn notes(&self, scope: &str) -> Result<Notes, LogError> {
        self.log.notes(&self.names.outer(scope))
    }

    fn wake_at_change(&self, waker: &Waker) {
        self.log.wake_at_change(waker);
    }

    fn applications(&self) -> Result<Vec<String>, LogError> {
        let all = self.log.applications()?;
        Ok(all.iter().filter_map(|name| self.names.inner(name)).map(str::to_owned).collect())
    }

    fn progress(&self, application: &str) -> Result<Progress, LogError> {
        Ok(self.names.told(self.log.progress(&self.names.outer(application))?))
    }

    fn members(&self, application: &str) -> Result<Vec<String>, LogError> {
        self.log.members(&self.names.outer(application))
    }

    fn set_progress(&self, application: &str, progress: &Progress) -> Result<(), LogError> {
        self.log.set_progress(&self.names.outer(application), &self.names.committed(progress))
    }

    fn session(&self, application: &str) -> Result<Box<dyn Session>, LogError> {
        let session = self.log.session(&self.names.outer(application))?;
        Ok(Box::new(PrefixedSession { session, names: self.names.clone() }))
    }
}

struct PrefixedSession {
    session: Box<dyn Session>,
    names: Names,
}

impl Session for PrefixedSession {
    fn own_records(&self) -> OwnRecords {
        self.session.own_records()
    }

    fn progress(&self) -> Result<Progress, LogError> {
        Ok(self.names.told(self.session.progress()?))
    }

    fn read(&self, partition: &TopicPartition, from: Offset, bytes_max: usize) -> Result<Vec<Arc<Batch>>, LogError> {
        self.session.read(&self.names.partition(partition), from, bytes_max)
    }

    fn end(&self, partition: &TopicPartition) -> Result<Offset, LogError> {
        self.session.end(&self.names.partition(partition))
    }

    fn follow(&self, partition: &TopicPartition, from: Offset) -> Result<EndWatch, LogError> {
        self.session.follow(&self.names.partition(partition), from)
    }

    fn unfollow(&self, partition: &TopicPartition) {
        self.session.unfollow(&self.names.partition(partition));
    }

    fn stage(&self, append: Append) -> Result<Option<Offset>, LogError> {
        self.session.stage(self.names.append(append))
    }

    fn commit(&self, progress: &Progress) -> Result<(), LogError> {
        self.session.commit(&self.names.committed(progress))
    }

    fn abort(&self) -> Result<(), LogError> {
        self.session.abort()
    }

    fn wait(&self, seen: u64, limit: Duration) -> u64 {
        self.session.wait(seen, limit)
    }

    fn wake(&self) {
        self.session.wake();
    }
}
