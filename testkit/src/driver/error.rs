//! Why a driver could not go on.

use std::fmt;

use tidemill::record::TopicName;
use tidemill::serde::SerdeError;
use tidemill::state::StoreError;
use tidemill::task::TaskError;
use tidemill::topology::{InstantiateError, TopologyErrors};

/// A driver could not start, or a record made its task fail.
#[derive(Debug)]
#[non_exhaustive]
pub enum DriverError {
    /// The topology and the numbers of partitions do not fit.
    Topology(TopologyErrors),
    /// A task could not be made.
    Instantiate(InstantiateError),
    /// A task failed. The driver is of no use any more.
    Task(TaskError),
    /// A store could not write its changes.
    Store(StoreError),
    /// The test's own key or value cannot be written.
    Serde(SerdeError),
    /// No source reads the topic that the test sends to.
    NoReader(TopicName),
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DriverError::Topology(error) => error.fmt(f),
            DriverError::Instantiate(error) => error.fmt(f),
            DriverError::Task(error) => error.fmt(f),
            DriverError::Store(error) => error.fmt(f),
            DriverError::Serde(error) => write!(f, "the record to send cannot be written: {error}"),
            DriverError::NoReader(topic) => {
                write!(f, "no source of the topology reads topic `{topic}`: send to one of its inputs")
            }
        }
    }
}

impl std::error::Error for DriverError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DriverError::Topology(error) => Some(error),
            DriverError::Instantiate(error) => Some(error),
            DriverError::Task(error) => Some(error),
            DriverError::Store(error) => Some(error),
            DriverError::Serde(error) => Some(error),
            DriverError::NoReader(_) => None,
        }
    }
}

macro_rules! from {
    ($($variant:ident: $cause:ty),*) => {$(
        impl From<$cause> for DriverError {
            fn from(cause: $cause) -> Self {
                DriverError::$variant(cause)
            }
        }
    )*};
}

from!(Topology: TopologyErrors, Instantiate: InstantiateError, Task: TaskError, Store: StoreError, Serde: SerdeError);
