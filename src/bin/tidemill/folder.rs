//! Opens the log in a folder, for reading or for writing.

use std::path::Path;

use tidemill::log::{Durability, EmbeddedLog, Log, LogSettings, TopicSpec};
use tidemill::record::TopicPartition;

use crate::failure::Failure;

/// A log is made by an application; a wrong path must not make one.
pub(crate) fn check(folder: &Path) -> Result<(), Failure> {
    // The log itself says of a copy that is not finished what it is.
    if ["tidemill-log", "copy.unfinished"].iter().any(|name| folder.join(name).exists()) {
        return Ok(());
    }
    let shown = folder.display();
    Err(Failure::new(format!("there is no log in `{shown}`: name the folder that was given to `App::embedded`")))
}

/// The log as it is now, without a lock: an application may go on writing it.
pub(crate) fn read(folder: &Path) -> Result<EmbeddedLog, Failure> {
    check(folder)?;
    Ok(EmbeddedLog::open_read_only(folder, LogSettings { recent_bytes: 0, ..LogSettings::default() })?)
}

/// The log for itself alone; what it writes is durable when it is told so.
pub(crate) fn write(folder: &Path) -> Result<EmbeddedLog, Failure> {
    check(folder)?;
    Ok(EmbeddedLog::open(folder, LogSettings { durability: Durability::EveryCommit, ..LogSettings::default() })?)
}

/// A topic that is there.
pub(crate) fn topic(log: &dyn Log, name: &str) -> Result<TopicSpec, Failure> {
    log.topic(name)?.ok_or_else(|| {
        let known: Vec<String> =
            log.topics().unwrap_or_default().iter().map(|spec| format!("`{}`", spec.name)).collect();
        let known = if known.is_empty() { "no topics".to_owned() } else { known.join(", ") };
        Failure::new(format!("there is no topic `{name}`: the folder has {known}"))
    })
}

/// The partitions of a topic, or the one that was asked for.
pub(crate) fn partitions(spec: &TopicSpec, chosen: Option<u32>) -> Result<Vec<TopicPartition>, Failure> {
    let of = |partition| TopicPartition::new(spec.name.clone(), partition);
    match chosen {
        None => Ok((0..spec.partitions).map(of).collect()),
        Some(partition) if partition < spec.partitions => Ok(vec![of(partition)]),
        Some(partition) => Err(Failure::new(format!(
            "there is no partition {partition} of topic `{}`: it has {}, counted from 0",
            spec.name, spec.partitions
        ))),
    }
}
