//! What a command is answered.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::serde::Data;

/// The outcome of a command. As JSON: `{"accepted":{"version":2,"events":[..]}}` or `{"refused":..}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json, crate = crate)]
#[serde(rename_all = "kebab-case")]
pub enum Reply<E, R> {
    /// It was accepted.
    Accepted {
        /// The version of the state after it: how many events the key has had.
        version: u64,
        /// What happened because of it, in order.
        events: Vec<E>,
    },
    /// It was refused, and nothing has changed.
    Refused(Refusal<R>),
}

/// Why a command was refused. As JSON: `{"rule":..}`, `{"conflict":{"expected":1,"actual":2}}`, `"too-late"`,
/// `{"bad-header":{"header":".."}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json, crate = crate)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Refusal<R> {
    /// The aggregate refused it, for its own reason.
    Rule(R),
    /// It was meant for another version of the state. Look at the state as it is now, and decide whether to ask again.
    Conflict {
        /// The version that the command was meant for.
        expected: u64,
        /// The version that the state had.
        actual: u64,
    },
    /// It has an id and came so late that an earlier command with that id may have been forgotten. Whether there was one is not
    /// known; this one did nothing.
    TooLate,
    /// One of its headers cannot be read.
    BadHeader {
        /// The header's name.
        header: String,
    },
}

impl<E, R> Reply<E, R> {
    /// What happened, with the version after it.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn accepted(self) -> Result<(u64, Vec<E>), Refusal<R>> {
        match self {
            Reply::Accepted { version, events } => Ok((version, events)),
            Reply::Refused(refusal) => Err(refusal),
        }
    }

    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&Refusal<R>> {
        match self {
            Reply::Accepted { .. } => None,
            Reply::Refused(refusal) => Some(refusal),
        }
    }
}

impl<R> Refusal<R> {
    /// The aggregate's own reason, if that is what it was refused for.
    pub fn rule(&self) -> Option<&R> {
        match self {
            Refusal::Rule(reason) => Some(reason),
            _ => None,
        }
    }
}

impl<R: fmt::Display> fmt::Display for Refusal<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Rule(reason) => reason.fmt(f),
            Refusal::Conflict { expected, actual } => {
                write!(f, "the command was meant for version {expected}, and the state has version {actual}: look again")
            }
            Refusal::TooLate => f.write_str(
                "the command came later than its id is remembered for, so nobody knows whether it was decided before: look \
                 at the state, and ask with another id",
            ),
            Refusal::BadHeader { header } => write!(f, "header `{header}` cannot be read: write a decimal number"),
        }
    }
}

impl<R: fmt::Debug + fmt::Display> std::error::Error for Refusal<R> {}
