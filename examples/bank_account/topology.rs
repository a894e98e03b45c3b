//! The bank in two forms. Both apply the same rule; they differ in who knows the balance when it is decided.

use clap::ValueEnum;
use tidemill::Topic;
use tidemill::state::Store;
use tidemill::topology::{Topology, TopologyErrors};

use crate::model::{Account, Movement, Operation};
use crate::{event_sourced, join};

/// Which form of the bank runs. Each has an application id, topics and stores of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Each operation is decided against its account in one step, which keeps the account too.
    EventSourced,
    /// Movements are summed up into a table of accounts, and operations are joined with that table.
    Join,
}

/// A bank: what runs, and where its operations come in and its results lie.
pub(crate) struct Bank {
    pub(crate) application: &'static str,
    pub(crate) topology: Topology,
    pub(crate) operations: Topic<String, Operation>,
    pub(crate) movements: Topic<String, Movement>,
    pub(crate) accounts: Store<String, Account>,
}

impl Form {
    /// The bank in this form.
    pub(crate) fn bank(self) -> Result<Bank, TopologyErrors> {
        Ok(match self {
            Form::Join => Bank {
                application: "bank-join",
                topology: join::topology()?,
                operations: join::OPERATIONS,
                movements: join::MOVEMENTS,
                accounts: join::ACCOUNTS,
            },
            Form::EventSourced => Bank {
                application: "bank",
                topology: event_sourced::topology()?,
                operations: event_sourced::OPERATIONS.topic().clone(),
                movements: event_sourced::MOVEMENTS,
                accounts: event_sourced::ACCOUNTS,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use tidemill_testkit::explorer::Explorer;

    use super::*;
    use crate::crashes;

    #[test]
    fn crashes_leave_no_trace_in_either_form() {
        for form in [Form::EventSourced, Form::Join] {
            let bank = form.bank().unwrap();
            let operations = [10, 10, -20].map(|amount| ("alice", Operation { amount }));
            let explorer = Explorer::new(&bank.topology).input(&bank.operations, operations);
            crashes::leave_no_trace(bank.application, &explorer);
        }
    }
}
