//! Why a task failed.

use std::fmt;

use tidemill_dsl::processor::ProcessError;

use super::TaskId;

/// What the owner of a failed task can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskErrorKind {
    /// A record cannot be read, or user code failed or panicked. The same record will fail again.
    Processing,
    /// The task failed before and was used again.
    Failed,
}

/// A task failed; the text names the task, the node and the record.
#[derive(Debug)]
pub struct TaskError {
    kind: TaskErrorKind,
    task: TaskId,
    cause: Option<ProcessError>,
}

impl TaskError {
    pub(super) fn processing(task: &TaskId, cause: ProcessError) -> Self {
        TaskError { kind: TaskErrorKind::Processing, task: task.clone(), cause: Some(cause) }
    }

    pub(super) fn used_after_failure(task: &TaskId) -> Self {
        TaskError { kind: TaskErrorKind::Failed, task: task.clone(), cause: None }
    }

    /// What the owner can do.
    pub fn kind(&self) -> TaskErrorKind {
        self.kind
    }

    /// The task.
    pub fn task(&self) -> &TaskId {
        &self.task
    }

    /// What happened, with the node and the record.
    pub fn cause(&self) -> Option<&ProcessError> {
        self.cause.as_ref()
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => write!(f, "task {}: {cause}", self.task),
            None => write!(
                f,
                "task {} failed before: drop it and make a new one, which restores from the last commit",
                self.task
            ),
        }
    }
}

impl std::error::Error for TaskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause.cause() as _)
    }
}
