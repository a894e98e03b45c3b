//! A process's membership in its application's group.
//!
//! Rule: the consumer that is the member never fetches. What the brokers give it is taken at once; what they ask back is given
//! when nobody here works on it any more, and meanwhile the member goes on showing that it is alive.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, RebalanceProtocol};
use rdkafka::error::RDKafkaErrorCode as Code;
use tidemill_dsl::record::{Timestamp, TopicPartition};

use super::super::{Change, LogError, LogErrorKind, Member, Membership, Session};
use super::client::{self, Quiet, Rebalance};
use super::departure;
use super::fault::{coded, fault};
use super::foreign;
use super::joined::Joined;
use super::reader::number;
use super::session::KafkaSession;
use super::settings::GroupProtocol;
use super::share::Share;
use super::{Core, passed};

/// How often a group is asked for that does not let the process in yet.
const AGAIN: Duration = Duration::from_secs(1);
/// Brokers of the newer protocol have a session timeout of their own, which is 45 seconds unless changed.
const REFUSED_FOR: Duration = Duration::from_secs(120);
/// How long one look for news may take.
const A_LOOK: Duration = Duration::from_millis(1);
/// How soon it is heard of what the group wants.
const LISTEN_EVERY: Duration = Duration::from_millis(20);

/// A topic that does not exist: whoever wants nothing else gives everything back.
const NOTHING: &str = "tidemill-nothing";

/// See [`Membership`].
pub(super) struct KafkaMember {
    core: Arc<Core>,
    member: Member,
    protocol: GroupProtocol,
    share: Arc<Share>,
    sessions: Vec<Arc<dyn Session>>,
    /// What the brokers asked back and was not given yet.
    asked_back: Option<Vec<TopicPartition>>,
    /// Since when the group refuses the process, because it still has one of its name.
    refused: Option<Refused>,
}

/// A group still counts an earlier process of the same name among its members.
#[derive(Clone, Copy)]
struct Refused {
    since: Timestamp,
    tried: Timestamp,
}

impl KafkaMember {
    /// Joins the group, once nobody foreign is in it.
    pub(super) fn join(core: &Arc<Core>, member: &Member) -> Result<Self, LogError> {
        foreign::wait_for_none(core, member)?;
        let protocol = match core.settings.group_protocol {
            GroupProtocol::Auto => GroupProtocol::Consumer,
            chosen => chosen,
        };
        let share = Arc::new(Share::new(subscribed(core, member, protocol)?));
        let session = |worker: usize| session_of(core, member, &share, worker);
        let sessions = (0..member.workers.max(1)).map(session).collect::<Result<_, _>>()?;
        let (core, member) = (core.clone(), member.clone());
        Ok(KafkaMember { core, member, protocol, share, sessions, asked_back: None, refused: None })
    }

    fn lost(&mut self, why: String) -> Change {
        self.asked_back = None;
        self.share.lose(&why);
        Change::Lost(why)
    }

    /// What is wrong with the client for good, if anything.
    fn trouble(&mut self, consumer: &BaseConsumer<Quiet>) -> Result<Option<Change>, LogError> {
        let Some((code, reason)) = consumer.client().fatal_error() else { return Ok(None) };
        let unsupported = matches!(code, Code::UnsupportedVersion | Code::UnsupportedFeature);
        if unsupported && self.protocol == GroupProtocol::Consumer {
            if self.core.settings.group_protocol == GroupProtocol::Consumer {
                let message = "the brokers do not have the group protocol `consumer`: choose `Auto` or `Classic`";
                return Err(LogError::new(LogErrorKind::Invalid, message));
            }
            tracing::info!(target: "tidemill::kafka", "the brokers have the classic group protocol only");
            self.protocol = GroupProtocol::Classic;
            return self.subscribe_again();
        }
        if code == Code::UnreleasedInstanceId && self.share.is_empty() {
            return self.refused();
        }
        match coded("", code).kind() {
            LogErrorKind::Invalid => Err(coded(&format!("cannot be in group `{}`", self.member.application), code)),
            _ => Ok(Some(self.lost(format!("the client gave up: {reason}")))),
        }
    }

    /// The group has a member of this name, which is this process before it died, or another process.
    fn refused(&mut self) -> Result<Option<Change>, LogError> {
        let now = self.core.now();
        let refused = self.refused.unwrap_or(Refused { since: now, tried: now });
        self.refused = Some(refused);
        if passed(refused.since, now) > (self.core.settings.session_timeout * 2).max(REFUSED_FOR) {
            let message = format!(
                "group `{}` has a member of the name `{}` that goes on being alive: give each process a name of its own",
                self.member.application, self.member.instance
            );
            return Err(LogError::new(LogErrorKind::Invalid, message));
        }
        if passed(refused.tried, now) < AGAIN {
            return Ok(None);
        }
        self.refused = Some(Refused { tried: now, ..refused });
        self.subscribe_again()
    }

    fn subscribe_again(&mut self) -> Result<Option<Change>, LogError> {
        self.share.replace(subscribed(&self.core, &self.member, self.protocol)?);
        Ok(None)
    }

    fn assigned(&mut self, list: &TopicPartitionList) -> Result<Change, LogError> {
        let partitions = partitions_of(list);
        self.share.add(&partitions, |consumer| {
            let from_somewhere = list_of(&partitions, Some(0))?;
            let taken = match consumer.rebalance_protocol() {
                RebalanceProtocol::Cooperative => consumer.incremental_assign(&from_somewhere),
                _ => consumer.assign(&from_somewhere),
            };
            taken
                .and_then(|()| consumer.pause(&from_somewhere))
                .map_err(|error| fault("cannot take partitions", &error))
        })?;
        self.refused = None;
        Ok(Change::Assigned(partitions))
    }

    fn give_back(&mut self, partitions: &[TopicPartition]) -> Result<(), LogError> {
        self.share.remove(partitions, |consumer| {
            let given = match consumer.rebalance_protocol() {
                RebalanceProtocol::Cooperative => consumer.incremental_unassign(&list_of(partitions, None)?),
                _ => consumer.unassign(),
            };
            given.map_err(|error| fault("cannot give partitions back", &error))
        })
    }

    /// Takes in what the client has heard.
    fn look(consumer: &BaseConsumer<Quiet>, limit: Duration) {
        match consumer.poll(limit) {
            Some(Err(error)) => {
                tracing::debug!(target: "tidemill::kafka", %error, "the member of the group has trouble")
            }
            Some(Ok(_)) => {
                tracing::debug!(target: "tidemill::kafka", "the member of the group fetched before it was paused")
            }
            None => {}
        }
    }
}

impl Membership for KafkaMember {
    fn session(&self, worker: usize) -> Arc<dyn Session> {
        self.sessions[worker % self.sessions.len()].clone()
    }

    fn add_session(&mut self) -> Result<Arc<dyn Session>, LogError> {
        let session = session_of(&self.core, &self.member, &self.share, self.sessions.len())?;
        self.sessions.push(session.clone());
        Ok(session)
    }

    fn call_every(&self) -> Option<Duration> {
        Some(LISTEN_EVERY)
    }

    fn next(&mut self) -> Result<Option<Change>, LogError> {
        if let Err(lost) = self.share.check() {
            return Ok(Some(self.lost(lost.to_string())));
        }
        let consumer = self.share.consumer();
        KafkaMember::look(&consumer, A_LOOK);
        if let Some(change) = self.trouble(&consumer)? {
            return Ok(Some(change));
        }
        if self.asked_back.is_some() {
            let lost = consumer.assignment_lost();
            return Ok(
                lost.then(|| self.lost("the group went on without this process before it gave its share back".into()))
            );
        }
        match consumer.client().context().next_rebalance() {
            None => Ok(None),
            Some(Rebalance::Assign(list)) => self.assigned(&list).map(Some),
            Some(Rebalance::Revoke(_)) if consumer.assignment_lost() => {
                Ok(Some(self.lost("the process was silent for too long, or the group forgot it".into())))
            }
            Some(Rebalance::Revoke(list)) => {
                let partitions = partitions_of(&list);
                self.asked_back = Some(partitions.clone());
                Ok(Some(Change::Revoked(partitions)))
            }
        }
    }

    fn released(&mut self) -> Result<(), LogError> {
        self.asked_back.take().map_or(Ok(()), |partitions| self.give_back(&partitions))
    }

    /// A member that is known by a name keeps its share until its time is over, whatever it says when it leaves: so it first wants
    /// nothing any more.
    fn leave(mut self: Box<Self>) -> Result<(), LogError> {
        let consumer = self.share.consumer();
        let holds = !self.share.is_empty();
        match self.protocol {
            GroupProtocol::Classic => consumer.unsubscribe(),
            _ => consumer.subscribe(&[NOTHING]).map_err(|error| fault("cannot leave the group", &error))?,
        }
        self.released()?;
        let mut waited = Duration::ZERO;
        while holds && !self.share.is_empty() && waited < self.core.settings.answer_within {
            KafkaMember::look(&consumer, A_LOOK);
            waited += A_LOOK;
            match consumer.client().context().next_rebalance() {
                Some(Rebalance::Revoke(list)) => self.give_back(&partitions_of(&list))?,
                Some(Rebalance::Assign(list)) => drop(self.assigned(&list)?),
                None if consumer.client().fatal_error().is_some() => break,
                None => {}
            }
        }
        self.share.lose("the process left the group");
        if self.protocol != GroupProtocol::Classic {
            consumer.unsubscribe();
            if !departure::forget(&self.core, &self.member)? {
                let name = &self.member.instance;
                tracing::warn!(target: "tidemill::kafka", name, "the group learns by itself that the process has left");
            }
        }
        Ok(())
    }
}

impl Drop for KafkaMember {
    fn drop(&mut self) {
        self.share.lose("the process has dropped its membership");
        self.share.close();
    }
}

/// A consumer that has begun to join the group.
fn subscribed(core: &Core, member: &Member, protocol: GroupProtocol) -> Result<Joined, LogError> {
    let what = format!("cannot join group `{}`", member.application);
    let consumer: BaseConsumer<Quiet> = client::member(&core.settings, member, protocol)?
        .create_with_context(Quiet::default())
        .map_err(|error| fault(&what, &error))?;
    let topics: Vec<&str> = member.topics.iter().map(|topic| &**topic).collect();
    consumer.subscribe(&topics).map_err(|error| fault(&what, &error))?;
    Ok(Joined::new(consumer, core.settings.answer_within))
}

/// The session of a worker, whose transactions have a name of their own.
fn session_of(
    core: &Arc<Core>,
    member: &Member,
    share: &Arc<Share>,
    worker: usize,
) -> Result<Arc<dyn Session>, LogError> {
    let id = format!("{}-{}-{worker}", member.application, member.instance);
    Ok(Arc::new(KafkaSession::new(core.clone(), &member.application, &id, Some(share.clone()))?))
}

fn partitions_of(list: &TopicPartitionList) -> Vec<TopicPartition> {
    let partition = |topic: &str, number| TopicPartition::new(topic, u32::try_from(number).unwrap_or_default());
    let all: BTreeSet<_> = list.elements().iter().map(|part| partition(part.topic(), part.partition())).collect();
    all.into_iter().collect()
}

fn list_of(partitions: &[TopicPartition], at: Option<i64>) -> Result<TopicPartitionList, LogError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        let mut element = list.add_partition(&partition.topic, number(partition));
        if let Some(at) = at {
            let set = element.set_offset(rdkafka::Offset::Offset(at));
            set.map_err(|error| fault("cannot name partitions", &error))?;
        }
    }
    Ok(list)
}
