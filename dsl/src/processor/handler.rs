//! What becomes of records that fail: settings, and the verdict over one record.
//!
//! Rule: nothing is skipped unless the program says so, and a panic is never skipped.

use std::fmt;
use std::sync::Arc;

use super::{Address, DropReason, ProcessError};
use crate::record::{Headers, Timestamp, TopicName};

/// On which part of its way a record failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Its bytes are not of the topic's types.
    Deserialization,
    /// User code returned an error: a `try_` verb, a processor or a punctuation.
    #[default]
    Processing,
    /// A record made from it cannot be written: its serde refuses it, it is too large, or its topic or partition does not
    /// exist.
    Production,
}

impl Stage {
    /// How a record that was skipped at this stage is counted.
    pub fn drop_reason(self) -> DropReason {
        match self {
            Stage::Deserialization => DropReason::Deserialization,
            Stage::Processing => DropReason::Processing,
            Stage::Production => DropReason::Production,
        }
    }
}

/// What becomes of one record that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// The task fails, and with it the application. The next start meets the record again.
    #[default]
    Fail,
    /// The record is left out and counted.
    Skip,
    /// The record is left out and counted, and written to this topic, in the same commit as everything else.
    DeadLetter(TopicName),
}

/// A record that failed, as a handler sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedRecord<'a> {
    /// On which part of its way.
    pub stage: Stage,
    /// What happened; it names the node, if there is one.
    pub error: &'a ProcessError,
    /// The record's topic, partition and offset; `None` in a punctuation.
    pub address: Option<&'a Address>,
    /// The record's time; in a punctuation the time of that.
    pub timestamp: Timestamp,
    /// The key's bytes, as they were read. Under [`PartialEffects::Keep`] they are gone, and so are those of the value, once
    /// something that follows from the record was sent.
    pub key: Option<&'a [u8]>,
    /// The value's bytes, as they were read.
    pub value: Option<&'a [u8]>,
    /// The record's headers.
    pub headers: &'a Headers,
}

type Decide = dyn Fn(&FailedRecord<'_>) -> Verdict + Send + Sync;

/// Says what becomes of records that fail. By default they fail the task.
///
/// ```
/// use tidemill_dsl::processor::{ErrorHandler, Verdict};
///
/// let skip = ErrorHandler::skip();
/// let to_topic = ErrorHandler::dead_letter("orders-dead");
/// let by_kind = ErrorHandler::decide(|failed| match failed.error.cause().downcast_ref::<std::num::ParseIntError>() {
///     Some(_) => Verdict::Skip,
///     None => Verdict::Fail,
/// });
/// ```
#[derive(Clone, Default)]
pub struct ErrorHandler(Choice);

#[derive(Clone)]
enum Choice {
    Always(Verdict),
    Decide(Arc<Decide>),
}

impl Default for Choice {
    fn default() -> Self {
        Choice::Always(Verdict::Fail)
    }
}

impl ErrorHandler {
    /// Fails the task: the default.
    pub fn fail() -> Self {
        ErrorHandler::default()
    }

    /// Leaves the record out and counts it.
    pub fn skip() -> Self {
        ErrorHandler(Choice::Always(Verdict::Skip))
    }

    /// Leaves the record out, counts it, and writes it to a topic.
    pub fn dead_letter(topic: &str) -> Self {
        ErrorHandler(Choice::Always(Verdict::DeadLetter(topic.into())))
    }

    /// Asks a function about each record. It must give the same answer each time: a record that is processed again, after
    /// a crash, is judged again.
    pub fn decide(decide: impl Fn(&FailedRecord<'_>) -> Verdict + Send + Sync + 'static) -> Self {
        ErrorHandler(Choice::Decide(Arc::new(decide)))
    }

    /// What becomes of every record; `None` when a function is asked about each.
    ///
    /// ```
    /// use tidemill_dsl::processor::{ErrorHandler, Verdict};
    ///
    /// assert_eq!(ErrorHandler::skip().verdict(), Some(&Verdict::Skip));
    /// assert_eq!(ErrorHandler::decide(|_| Verdict::Skip).verdict(), None);
    /// ```
    pub fn verdict(&self) -> Option<&Verdict> {
        match &self.0 {
            Choice::Always(verdict) => Some(verdict),
            Choice::Decide(_) => None,
        }
    }

    /// Whether any record may be left out.
    pub(crate) fn may_skip(&self) -> bool {
        !matches!(self.0, Choice::Always(Verdict::Fail))
    }

    pub(crate) fn judge(&self, failed: &FailedRecord<'_>) -> Verdict {
        match &self.0 {
            Choice::Always(verdict) => verdict.clone(),
            Choice::Decide(decide) => decide(failed),
        }
    }

    /// The same, leaving records out where it would write dead letters.
    fn without_letters(&self) -> Self {
        let without = |verdict| match verdict {
            Verdict::DeadLetter(_) => Verdict::Skip,
            verdict => verdict,
        };
        match &self.0 {
            Choice::Always(verdict) => ErrorHandler(Choice::Always(without(verdict.clone()))),
            Choice::Decide(decide) => {
                let decide = decide.clone();
                ErrorHandler::decide(move |failed| without(decide(failed)))
            }
        }
    }

    fn dead_letter_topic(&self) -> Option<&TopicName> {
        match &self.0 {
            Choice::Always(Verdict::DeadLetter(topic)) => Some(topic),
            Choice::Always(_) | Choice::Decide(_) => None,
        }
    }
}

impl fmt::Debug for ErrorHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Choice::Always(verdict) => verdict.fmt(f),
            Choice::Decide(_) => f.write_str("Decide(..)"),
        }
    }
}

/// What becomes of the effects that a record had before it failed and was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PartialEffects {
    /// They are taken back: changes of stores, outputs, timers, times, counts, and the fields of processors that implement
    /// [`snapshot`](super::Processor::snapshot). A record is processed as a whole or not at all.
    #[default]
    Undo,
    /// They stay, and only the node that failed leaves the record out: what its parents and their other children do goes
    /// on. That is what Kafka Streams does.
    Keep,
}

/// What becomes of records that cannot be read, processed or written.
///
/// ```
/// use tidemill_dsl::processor::{ErrorHandler, ErrorSettings};
///
/// let errors = ErrorSettings { deserialization: ErrorHandler::dead_letter("unreadable"), ..ErrorSettings::default() };
/// assert_eq!(errors.dead_letter_topics().map(|topic| &**topic).collect::<Vec<_>>(), ["unreadable"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ErrorSettings {
    /// For records whose bytes are not of the topic's types.
    pub deserialization: ErrorHandler,
    /// For user code that returns an error, punctuations included.
    pub processing: ErrorHandler,
    /// For records that cannot be written.
    pub production: ErrorHandler,
    /// For processors of global stores that return an error. Other failures there are those of `deserialization`. A dead
    /// letter from a global topic is not written: every process reads it, and each would write one.
    pub global: ErrorHandler,
    /// What becomes of the effects that such a record had already.
    pub partial_effects: PartialEffects,
}

impl ErrorSettings {
    /// The same handler for everything; partial effects are undone.
    pub fn all(handler: ErrorHandler) -> Self {
        ErrorSettings {
            deserialization: handler.clone(),
            processing: handler.clone(),
            production: handler.clone(),
            global: handler,
            partial_effects: PartialEffects::Undo,
        }
    }

    /// Whether a record may be left out that had effects already.
    pub(crate) fn may_skip_halfway(&self) -> bool {
        self.processing.may_skip() || self.production.may_skip()
    }

    /// Those of the task that maintains the global stores.
    pub(crate) fn of_globals(&self) -> Self {
        ErrorSettings {
            deserialization: self.deserialization.without_letters(),
            processing: self.global.without_letters(),
            ..self.clone()
        }
    }

    /// The handler for failures at a stage.
    pub(crate) fn at(&self, stage: Stage) -> &ErrorHandler {
        match stage {
            Stage::Deserialization => &self.deserialization,
            Stage::Processing => &self.processing,
            Stage::Production => &self.production,
        }
    }

    /// The topics that all failing records of a stage go to. Topics that a function chooses are not known beforehand.
    pub fn dead_letter_topics(&self) -> impl Iterator<Item = &TopicName> {
        [&self.deserialization, &self.processing, &self.production]
            .into_iter()
            .filter_map(|handler| handler.dead_letter_topic())
    }
}
