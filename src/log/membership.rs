//! A process's share of the work of an application that several processes run together.
//!
//! Rule: a partition is worked on by one member at a time. A member that is told to give partitions back goes on working until
//! it has committed and says so; one that lost them, because it was taken for dead, commits nothing more.

use std::sync::Arc;
use std::time::Duration;

use tidemill_dsl::record::{TopicName, TopicPartition};

use super::{Log, LogError, Session};

/// Who joins, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The application: members of the same one share its partitions.
    pub application: String,
    /// What tells this process from the application's others, and is the same after a restart. Letters, digits, `.`, `_`, `-`.
    pub instance: String,
    /// The topics whose partitions are shared out.
    pub topics: Vec<TopicName>,
    /// How many sessions the process wants.
    pub workers: usize,
}

/// What has become of a member's share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// These partitions are the member's from now on, besides those that it has.
    Assigned(Vec<TopicPartition>),
    /// The member is to give these back: commit what was done with them, and call [`Membership::released`].
    Revoked(Vec<TopicPartition>),
    /// The member has nothing any more, and what it has not committed is void. Drop it and join again.
    Lost(String),
}

/// A process among those that share an application's work.
///
/// Dropping it is like a crash: the others learn of it when its time is over.
pub trait Membership: Send {
    /// The session of a worker, counted from 0. Workers that get the same one commit together.
    fn session(&self, worker: usize) -> Arc<dyn Session>;

    /// A session for one more worker than the member joined for: one of its own, or one that other workers have too.
    fn add_session(&mut self) -> Result<Arc<dyn Session>, LogError> {
        Ok(self.session(0))
    }

    /// How often [`next`](Self::next) is to be called, so that changes are heard of soon and the member is taken for alive; `None`
    /// where nothing changes by itself.
    fn call_every(&self) -> Option<Duration>;

    /// What has changed since the last call, if anything; never waits for long. Before a `Revoked` is answered, nothing else
    /// comes but `Lost`.
    fn next(&mut self) -> Result<Option<Change>, LogError>;

    /// Answers the last `Revoked`: nobody here works on those partitions any more.
    fn released(&mut self) -> Result<(), LogError>;

    /// Gives everything back, after the last commit, so that others can take it at once.
    fn leave(self: Box<Self>) -> Result<(), LogError>;
}

/// The only process that there is, which has all partitions for ever.
pub(super) struct SoleMember {
    session: Arc<dyn Session>,
    /// What it will be told of at the first call.
    untold: Option<Vec<TopicPartition>>,
}

impl SoleMember {
    /// Joins a log that one process has for itself.
    pub(super) fn join<L: Log + ?Sized>(log: &L, member: &Member) -> Result<Self, LogError> {
        let mut all = Vec::new();
        for topic in &member.topics {
            let partitions = log.topic(topic)?.map_or(0, |spec| spec.partitions);
            all.extend((0..partitions).map(|partition| TopicPartition::new(topic.clone(), partition)));
        }
        Ok(SoleMember { session: Arc::from(log.session(&member.application)?), untold: Some(all) })
    }
}

impl Membership for SoleMember {
    fn session(&self, _worker: usize) -> Arc<dyn Session> {
        self.session.clone()
    }

    fn call_every(&self) -> Option<Duration> {
        None
    }

    fn next(&mut self) -> Result<Option<Change>, LogError> {
        Ok(self.untold.take().map(Change::Assigned))
    }

    fn released(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    fn leave(self: Box<Self>) -> Result<(), LogError> {
        Ok(())
    }
}
