//! Lets an application begin again: places in its inputs, its own topics, its state on disk.
//!
//! Rule: nothing changes before somebody has seen what would, and nothing changes while the application runs. What belongs to
//! an application is found by its id, as Kafka Streams' own reset tool finds it, so its program is not needed.

mod owned;
mod plan;

use std::path::PathBuf;

use tidemill_dsl::record::{Timestamp, TopicName, name_fault};

use crate::error::{Error, ErrorKind};
use crate::log::Log;

pub use plan::{InputReset, ResetPlan};

/// Where an application is to begin in its inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetTo {
    /// With the first record that each partition has.
    #[default]
    Start,
    /// With the first record of this time or a later one; behind the last record where there is none.
    Time(Timestamp),
    /// Behind the last record: what is there now is never read.
    End,
}

/// What to reset: an application, all its inputs or some of them.
///
/// ```
/// use tidemill::log::{Log, MemoryLog, Progress, TopicSpec};
/// use tidemill::reset::Reset;
///
/// let log = MemoryLog::new();
/// log.create_topic(&TopicSpec::new("bank-balances-changelog", 1))?;
/// let plan = Reset::of("bank").plan(&log)?;
/// assert_eq!(plan.to_string(), "delete topic bank-balances-changelog\n");
/// plan.carry_out(&log)?;
/// assert_eq!(log.topic("bank-balances-changelog")?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    application: String,
    to: ResetTo,
    inputs: Option<Vec<TopicName>>,
    folder: Option<PathBuf>,
}

impl Reset {
    /// Everything of an application: it begins with the first record of each input and knows nothing. Without
    /// [`folder`](Self::folder) what it has on disk stays.
    pub fn of(application: impl Into<String>) -> Self {
        Reset { application: application.into(), to: ResetTo::Start, inputs: None, folder: None }
    }

    /// Begins somewhere else than at the start.
    #[must_use]
    pub fn to(self, to: ResetTo) -> Self {
        Reset { to, ..self }
    }

    /// Begins again in these topics only; in its other inputs the application goes on where it is. Its state is lost all the same.
    #[must_use]
    pub fn inputs<N: Into<TopicName>>(self, topics: impl IntoIterator<Item = N>) -> Self {
        Reset { inputs: Some(topics.into_iter().map(Into::into).collect()), ..self }
    }

    /// Removes the stores in this folder too, which is the one that the application is given.
    #[must_use]
    pub fn folder(self, folder: impl Into<PathBuf>) -> Self {
        Reset { folder: Some(folder.into()), ..self }
    }

    /// Looks at what there is and says what would be done. Changes nothing, and works while the application runs.
    ///
    /// # Errors
    ///
    /// `Invalid` for a name that no application can have, and for an input of which the application has read nothing; what the
    /// log says when it cannot be read.
    pub fn plan(&self, log: &dyn Log) -> Result<ResetPlan, Error> {
        if let Some(fault) = name_fault(&self.application, 100) {
            let message = format!("`{}` is no application id: {fault}", self.application.escape_debug());
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        plan::of(self, log)
    }
}
