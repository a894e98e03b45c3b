//! Lets a group forget the name of a process that has left it.
//!
//! Rule: who has left counts for nobody. The client leaves a group of the newer protocol for a while only, when it goes by a name: the
//! name stays among the members until its time is over, and a Kafka Streams that joins meanwhile ends with an error. A member of
//! the classic protocol may take the name, and can leave for good.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::super::{LogError, Member};
use super::client::{self, MEMBER_NAME, Quiet, Rebalance};
use super::fault::{coded, fault};
use super::joined::Joined;
use super::settings::GroupProtocol;
use super::{Core, native, pause};

/// How long it may take. After that the brokers do it themselves.
const LIMIT: Duration = Duration::from_secs(5);
const A_LOOK: Duration = Duration::from_millis(10);

/// Makes an empty group of Kafka Streams' own protocol (KIP-1071) one that consumers can be members of: brokers let only a member of
/// the classic protocol take it over. Says whether the group is one that can be joined; it is not while others are in it.
pub(super) fn convert(core: &Core, member: &Member) -> Result<bool, LogError> {
    let what = format!("cannot take over group `{}`", member.application);
    let limit = core.settings.answer_within;
    let listed = core.topics.client().fetch_group_list(Some(&member.application), limit);
    let listed = listed.map_err(|error| fault(&what, &error))?;
    // It is there, and neither a classic group nor one of consumers: more is not told.
    if !listed.groups().iter().any(|group| group.name() == member.application && group.state() == "Dead") {
        return Ok(true);
    }
    let group = native::group(core.topics.client(), &member.application, limit);
    if group.map_err(|code| coded(&what, code))?.is_consumer {
        return Ok(true);
    }
    forget_by_heir(core, member, &what)
}

/// Has the group forget a member that has given everything back. Says whether it did, in time.
pub(super) fn forget(core: &Core, member: &Member) -> Result<bool, LogError> {
    if !is_member(core, member)? {
        return Ok(true);
    }
    forget_by_heir(core, member, &format!("cannot leave group `{}`", member.application))
}

/// Has somebody join in the place of the member, and leave.
fn forget_by_heir(core: &Core, member: &Member, what: &str) -> Result<bool, LogError> {
    let heir: BaseConsumer<Quiet> = client::member(&core.settings, member, GroupProtocol::Classic)?
        .create_with_context(Quiet::default())
        .map_err(|error| fault(what, &error))?;
    let heir = Joined::new(heir, core.settings.answer_within);
    let forgotten = leave_as(&heir, core, member, what);
    heir.context().close(&heir);
    forgotten
}

/// Joins in the place of the member, and leaves.
fn leave_as(heir: &BaseConsumer<Quiet>, core: &Core, member: &Member, what: &str) -> Result<bool, LogError> {
    let Some(topic) = topic_of_others(core, member, what)? else { return Ok(false) };
    heir.subscribe(&[&topic]).map_err(|error| fault(what, &error))?;
    let mut is_refused = false;
    let joined = until(|| {
        let told = heir.poll(A_LOOK).and_then(Result::err).and_then(|error| error.rdkafka_error_code());
        is_refused = told == Some(Code::InconsistentGroupProtocol);
        take_nothing(heir);
        Ok(is_refused || native::has_joined(heir.client()))
    })?;
    if is_refused || !joined {
        return Ok(false);
    }
    heir.unsubscribe();
    until(|| {
        heir.poll(A_LOOK);
        take_nothing(heir);
        Ok(!is_member(core, member)?)
    })
}

/// Answers what the brokers want of a member that is there to leave.
fn take_nothing(heir: &BaseConsumer<Quiet>) {
    let answered = match heir.context().next_rebalance() {
        // To take back what was never taken would not be an answer.
        Some(Rebalance::Assign(_)) => heir.assign(&TopicPartitionList::new()),
        Some(Rebalance::Revoke(_)) => heir.unassign(),
        None => Ok(()),
    };
    if let Err(error) = answered {
        tracing::debug!(target: "tidemill::kafka", %error, "a member that leaves could not answer");
    }
}

/// A topic that the group does not read, so that nobody has to give up anything. A member of the classic protocol does not join
/// without one that exists.
fn topic_of_others(core: &Core, member: &Member, what: &str) -> Result<Option<String>, LogError> {
    let found = core.topics.client().fetch_metadata(None, core.settings.answer_within);
    let found = found.map_err(|error| fault(what, &error))?;
    let others = found.topics().iter().filter(|topic| !member.topics.iter().any(|read| **read == *topic.name()));
    let led = others.filter(|topic| topic.error().is_none() && !topic.partitions().is_empty());
    let smallest = led.min_by_key(|topic| (topic.partitions().len(), topic.name()));
    Ok(smallest.map(|topic| topic.name().to_owned()))
}

fn is_member(core: &Core, member: &Member) -> Result<bool, LogError> {
    let what = || format!("cannot ask who is in group `{}`", member.application);
    let group = native::group(core.topics.client(), &member.application, core.settings.answer_within);
    let name = format!("{MEMBER_NAME}{}", member.instance);
    Ok(group.map_err(|code| coded(&what(), code))?.members.iter().any(|(client, _)| *client == name))
}

/// Looks again and again, until it is so or the time is over.
fn until(mut is_so: impl FnMut() -> Result<bool, LogError>) -> Result<bool, LogError> {
    let mut waited = Duration::ZERO;
    while !is_so()? {
        if waited >= LIMIT {
            return Ok(false);
        }
        pause(A_LOOK);
        waited += A_LOOK * 2;
    }
    Ok(true)
}
