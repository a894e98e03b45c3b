//! Why a task failed.

use std::fmt;

use tidemill_dsl::processor::{ProcessError, Stage};

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
///
/// As small as a pointer, because every step returns a result.
#[derive(Debug)]
pub struct TaskError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: TaskErrorKind,
    task: TaskId,
    cause: Option<ProcessError>,
}

impl TaskError {
    pub(super) fn processing(task: &TaskId, cause: ProcessError) -> Self {
        TaskError(Box::new(Inner { kind: TaskErrorKind::Processing, task: task.clone(), cause: Some(cause) }))
    }

    pub(super) fn used_after_failure(task: &TaskId) -> Self {
        TaskError(Box::new(Inner { kind: TaskErrorKind::Failed, task: task.clone(), cause: None }))
    }

    /// What the owner can do.
    pub fn kind(&self) -> TaskErrorKind {
        self.0.kind
    }

    /// The task.
    pub fn task(&self) -> &TaskId {
        &self.0.task
    }

    /// What happened, with the node and the record.
    pub fn cause(&self) -> Option<&ProcessError> {
        self.0.cause.as_ref()
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = &self.0.task;
        match &self.0.cause {
            Some(cause) => {
                write!(f, "task {task}: {cause}")?;
                match cause.stage() {
                    Stage::Deserialization => {
                        f.write_str("; to leave such records out, set the `deserialization` handler of `errors`")
                    }
                    _ => Ok(()),
                }
            }
            None => {
                write!(f, "task {task} failed before: drop it and make a new one, which restores from the last commit")
            }
        }
    }
}

impl std::error::Error for TaskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(|cause| cause.cause() as _)
    }
}
