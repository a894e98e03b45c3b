//! Members of an application's group that are not ours.
//!
//! Rule: nobody is pushed out. A process of this engine that joined a group of Kafka Streams would take partitions from it, and
//! could turn the group into one that the others cannot be members of.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode as Code;

use super::super::{LogError, LogErrorKind, Member};
use super::client::MEMBER_NAME;
use super::fault::{coded, fault};
use super::{Core, departure, native, pause};

/// How often a group is looked at.
const AGAIN: Duration = Duration::from_millis(500);

/// Waits as long as the settings say until nobody foreign is in the group; an error that names them afterwards.
pub(super) fn wait_for_none(core: &Core, member: &Member) -> Result<(), LogError> {
    let application = &member.application;
    let limit = core.settings.foreign_members_wait;
    let mut waited = Duration::ZERO;
    loop {
        let mut foreign = members(core, application, MEMBER_NAME)?;
        if foreign.is_empty() && !departure::convert(core, member)? {
            foreign.push("an application of Kafka Streams with `group.protocol=streams`".to_owned());
        }
        if foreign.is_empty() {
            return Ok(());
        }
        if waited >= limit {
            let message = format!(
                "group `{application}` has members that are not this engine's: {}; stop them, wait for them \
                 (`KafkaSettings::foreign_members_wait`), or give the application another name",
                foreign.join(", ")
            );
            return Err(LogError::new(LogErrorKind::Invalid, message));
        }
        pause(AGAIN);
        waited += AGAIN;
    }
}

/// A group, once its coordinator is there: a cluster that has just been started, or a broker that went, has it moved for a moment.
fn group(core: &Core, application: &str) -> Result<native::Group, Code> {
    let limit = core.settings.answer_within;
    let mut waited = Duration::ZERO;
    loop {
        match native::group(core.topics.client(), application, limit) {
            Err(Code::NotCoordinator | Code::CoordinatorNotAvailable | Code::CoordinatorLoadInProgress)
                if waited < limit =>
            {
                pause(AGAIN);
                waited += AGAIN;
            }
            answer => return answer,
        }
    }
}

/// What the group's members call themselves, and where they are, without those whose names begin with `own`, if that is a name.
pub(super) fn members(core: &Core, application: &str, own: &str) -> Result<Vec<String>, LogError> {
    let what = format!("cannot ask who is in group `{application}`");
    let limit = core.settings.answer_within;
    let group = group(core, application).map_err(|code| coded(&what, code))?;
    let foreign = group.members.into_iter().filter(|(name, _)| own.is_empty() || !name.starts_with(own));
    let mut named: Vec<String> = foreign.map(|(name, host)| format!("`{name}` at {host}")).collect();
    // The question above knows groups of consumers only.
    let listed =
        core.topics.client().fetch_group_list(Some(application), limit).map_err(|error| fault(&what, &error))?;
    for group in listed.groups().iter().filter(|group| group.name() == application) {
        if !["", "consumer"].contains(&group.protocol_type()) && group.state() != "Empty" {
            named.push(format!("a group of the protocol `{}`", group.protocol_type()));
        }
    }
    Ok(named)
}
