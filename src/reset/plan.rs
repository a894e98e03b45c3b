//! What a reset would do, and its doing.
//!
//! Rule: a reset that was interrupted is finished by doing it again, because each of its steps may be done twice. Until then the
//! application must not start: its places and its state need not fit together.

use std::fmt;
use std::path::{Path, PathBuf};

use tidemill_dsl::record::{Offset, TopicName, TopicPartition};

use super::{Reset, ResetTo, owned};
use crate::error::{Error, ErrorKind};
use crate::log::{InputProgress, Log, Progress, offset_at};
use crate::store::{PROCESS_LOCK, state_folder};

/// Where an application is in an input, and where it will begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputReset {
    /// The input.
    pub partition: TopicPartition,
    /// The offset that it would process next as things are.
    pub from: Offset,
    /// The offset that it will process next.
    pub to: Offset,
}

/// What a reset would do. `Display` gives a line for each step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetPlan {
    /// The application.
    pub application: String,
    /// The inputs in which it begins elsewhere, by topic and number.
    pub inputs: Vec<InputReset>,
    /// The application's own topics, by name: they are deleted. A start makes them again.
    pub topics: Vec<TopicName>,
    /// The folder with the application's stores, which is removed.
    pub folder: Option<PathBuf>,
    /// Who works for the application now, in words: as long as somebody does, nothing is done.
    pub members: Vec<String>,
    /// How far the application is afterwards.
    progress: Progress,
    /// Whether something is known of it that will not be.
    forgets: bool,
}

pub(super) fn of(reset: &Reset, log: &dyn Log) -> Result<ResetPlan, Error> {
    let application = &reset.application;
    let (before, others) = (log.progress(application)?, log.applications()?);
    let mut topics: Vec<TopicName> = log.topics()?.into_iter().map(|spec| spec.name).collect();
    topics.retain(|name| owned::owns(application, &others, name));
    check_inputs(reset, &before)?;
    let mut progress = Progress::default();
    let mut inputs = Vec::new();
    for (partition, at) in &before.inputs {
        // What lies in topics that go is forgotten with them.
        if topics.contains(&partition.topic) {
            continue;
        }
        if reset.inputs.as_ref().is_some_and(|chosen| !chosen.contains(&partition.topic)) {
            progress.inputs.insert(partition.clone(), *at);
            continue;
        }
        let to = target(reset.to, log, partition)?;
        progress.inputs.insert(partition.clone(), InputProgress { next: to, partition_time: None });
        inputs.push(InputReset { partition: partition.clone(), from: at.next, to });
    }
    let folder = reset.folder.as_deref().map(|folder| state_folder(folder, application)).filter(|path| path.exists());
    let (members, forgets) = (log.members(application)?, before != progress);
    Ok(ResetPlan { application: application.clone(), inputs, topics, folder, members, progress, forgets })
}

/// What was named must be there: a slip of the pen would leave an input where it is.
fn check_inputs(reset: &Reset, progress: &Progress) -> Result<(), Error> {
    let read = |name: &TopicName| progress.inputs.keys().any(|input| input.topic == *name);
    let Some(unread) = reset.inputs.iter().flatten().find(|name| !read(name)) else { return Ok(()) };
    let mut known: Vec<String> = progress.inputs.keys().map(|input| format!("`{}`", input.topic)).collect();
    known.dedup();
    let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
    let message = format!("application `{}` has read nothing of `{unread}`: it has read {known}", reset.application);
    Err(Error::new(ErrorKind::Invalid, message))
}

fn target(to: ResetTo, log: &dyn Log, partition: &TopicPartition) -> Result<Offset, Error> {
    Ok(match to {
        ResetTo::Start => log.bounds(partition)?.start,
        ResetTo::End => log.bounds(partition)?.end,
        ResetTo::Time(time) => offset_at(log, partition, time)?,
    })
}

impl ResetPlan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        !self.forgets && self.topics.is_empty() && self.folder.is_none()
    }

    /// Does what the plan says. When it fails half-way, plan and do it again before the application starts.
    ///
    /// # Errors
    ///
    /// `Locked` while somebody works for the application, or has its stores open; nothing was done then. What the log or the file
    /// system says, else.
    pub fn carry_out(&self, log: &dyn Log) -> Result<(), Error> {
        // The plan may be old.
        let members = log.members(&self.application)?;
        if !members.is_empty() {
            return Err(Error::new(ErrorKind::Locked, self.refusal(&members)));
        }
        let _held = self.folder.as_deref().map(hold).transpose()?;
        log.set_progress(&self.application, &self.progress)?;
        // The next program has nothing to fit to.
        crate::runtime::forget(log, &self.application)?;
        if let Some(folder) = &self.folder {
            remove(folder)?;
        }
        for topic in &self.topics {
            log.delete_topic(topic)?;
        }
        Ok(())
    }

    fn refusal(&self, members: &[String]) -> String {
        let (application, members) = (&self.application, members.join(", "));
        format!(
            "application `{application}` is running ({members}): close it first, it would go on with what was reset"
        )
    }
}

/// Holds the folder of a process of the application: one that lost its share of the work may still have its stores open.
fn hold(stores: &Path) -> Result<Option<std::fs::File>, Error> {
    let lock = stores.ancestors().nth(2).map(|folder| folder.join(PROCESS_LOCK));
    let Some(lock) = lock.and_then(|lock| std::fs::File::open(lock).ok()) else { return Ok(None) };
    match lock.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => {
            let message = format!("the stores in `{}` are open in another process: close it first", stores.display());
            Err(Error::new(ErrorKind::Locked, message))
        }
        _ => Ok(Some(lock)),
    }
}

fn remove(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            let message =
                format!("cannot remove `{}`: {cause}; see to its permissions and reset again", folder.display());
            Err(Error::new(ErrorKind::Unavailable, message))
        }
        _ => Ok(()),
    }
}

impl fmt::Display for ResetPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for InputReset { partition, from, to } in &self.inputs {
            writeln!(f, "begin {partition} at {to} instead of {from}")?;
        }
        for topic in &self.topics {
            writeln!(f, "delete topic {topic}")?;
        }
        match &self.folder {
            Some(folder) => writeln!(f, "remove {}", folder.display()),
            None => Ok(()),
        }
    }
}
