//! The bank in two forms. Both apply the same rule; they differ in who knows the balance when it is decided.

use clap::ValueEnum;
use tidemill::Topic;
use tidemill::state::Store;
use tidemill::topology::{Topology, TopologyErrors};

use crate::model::{Account, Movement, Operation};
use crate::{join, single_step};

/// Which form of the bank runs. Each has an application id, topics and stores of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Movements are summed up into a table of accounts, and operations are joined with that table.
    Join,
    /// One stateful step reads the account, decides, and writes the account.
    SingleStep,
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
            Form::SingleStep => Bank {
                application: "bank-step",
                topology: single_step::topology()?,
                operations: single_step::OPERATIONS,
                movements: single_step::MOVEMENTS,
                accounts: single_step::ACCOUNTS,
            },
        })
    }
}
