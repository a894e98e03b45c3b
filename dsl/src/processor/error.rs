//! A failure on a record's way: any error of user code, with the node and the record it struck.

use std::fmt;

use super::{Address, Stage};
use crate::state::{StoreError, StoreErrorKind};

/// Any error, boxed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a step on a record's way gives.
pub type Flow = Result<(), ProcessError>;

/// Processing of a record failed. Made from any error by `?`.
///
/// It is no `std::error::Error` itself, so that `?` can turn every error into it; the error that an application reports
/// has its text and its cause.
pub struct ProcessError(Box<Inner>);

struct Inner {
    cause: BoxError,
    /// The type that the cause had when it became a `ProcessError`.
    type_name: &'static str,
    stage: Stage,
    never_skipped: bool,
    node: Option<Box<str>>,
    address: Option<Address>,
    timer: Option<Box<FiredTimer>>,
}

/// The timer that a processor was called for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiredTimer {
    /// The timer's name.
    pub timer: Box<str>,
    /// The processor that it belongs to; what failed may be a node below it.
    pub node: Box<str>,
}

impl ProcessError {
    /// The cause.
    pub fn cause(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.0.cause
    }

    /// The cause, owned.
    pub fn into_cause(self) -> BoxError {
        self.0.cause
    }

    /// The innermost node that failed, if it is known.
    pub fn node(&self) -> Option<&str> {
        self.0.node.as_deref()
    }

    /// The record that was being processed, if it is known.
    pub fn address(&self) -> Option<&Address> {
        self.0.address.as_ref()
    }

    /// The name of the cause's type, as the compiler gives it: for people, not to be compared.
    pub fn type_name(&self) -> &'static str {
        self.0.type_name
    }

    /// On which part of the record's way it failed.
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    #[must_use]
    pub(crate) fn at_stage(mut self, stage: Stage) -> Self {
        self.0.stage = stage;
        self
    }

    /// Makes it an error that fails the task, whatever a handler says.
    #[must_use]
    pub(crate) fn never_skipped(mut self) -> Self {
        self.0.never_skipped = true;
        self
    }

    /// Whether it fails the task, whatever a handler says. So does a store that cannot be read or written: the next record
    /// would meet it too.
    pub(crate) fn is_never_skipped(&self) -> bool {
        let store = self.0.cause.downcast_ref::<StoreError>();
        self.0.never_skipped || store.is_some_and(|error| error.kind() != StoreErrorKind::Invalid)
    }

    /// The timer that was fired, if no record was being processed but a punctuation.
    pub fn timer(&self) -> Option<&FiredTimer> {
        self.0.timer.as_deref()
    }

    /// Names the timer that was fired.
    #[must_use]
    pub fn at_timer(mut self, timer: FiredTimer) -> Self {
        self.0.timer.get_or_insert_with(|| timer.into());
        self
    }

    /// Names the node, unless one is named already: the innermost stays.
    #[must_use]
    pub fn at_node(mut self, node: &str) -> Self {
        self.0.node.get_or_insert_with(|| node.into());
        self
    }

    /// Names the record, unless one is named already.
    #[must_use]
    pub fn at_record(mut self, address: &Address) -> Self {
        self.0.address.get_or_insert_with(|| address.clone());
        self
    }
}

impl<E: Into<BoxError>> From<E> for ProcessError {
    fn from(cause: E) -> Self {
        ProcessError(Box::new(Inner {
            cause: cause.into(),
            type_name: std::any::type_name::<E>(),
            stage: Stage::Processing,
            never_skipped: false,
            node: None,
            address: None,
            timer: None,
        }))
    }
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.0.node {
            write!(f, "node `{node}` failed")?;
        } else {
            write!(f, "processing failed")?;
        }
        if let Some(address) = &self.0.address {
            write!(f, " on {address}")?;
        }
        if let Some(FiredTimer { timer, node }) = self.timer() {
            write!(f, " on timer `{timer}` of `{node}`")?;
        }
        write!(f, ": {}", self.0.cause)
    }
}

impl fmt::Debug for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessError({self})")
    }
}
