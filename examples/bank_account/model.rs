//! What a bank knows, and the one rule that it keeps: no account is ever overdrawn.

use serde::{Deserialize, Serialize};
use tidemill::serde::Data;

/// What a customer asks for: a deposit, or, if negative, a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) struct Operation {
    pub(crate) amount: i64,
}

/// What the bank did: the amount moved, or 0 with the reason why it refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) struct Movement {
    pub(crate) amount: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// What a customer has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) struct Account {
    pub(crate) balance: i64,
}

impl Operation {
    /// Decides the operation against an account; who has none has nothing in it.
    pub(crate) fn against(&self, account: Option<&Account>) -> Movement {
        let balance = account.map_or(0, |account| account.balance);
        match balance.checked_add(self.amount) {
            Some(left) if left >= 0 => Movement { amount: self.amount, error: None },
            Some(_) => Movement::refused("insufficient funds"),
            None => Movement::refused("the balance would be too great"),
        }
    }
}

impl Movement {
    pub(crate) fn refused(reason: &str) -> Movement {
        Movement { amount: 0, error: Some(reason.to_owned()) }
    }
}

impl Account {
    /// The account after a movement.
    pub(crate) fn after(self, movement: &Movement) -> Account {
        // A movement was decided against this balance, so nothing is cut off here.
        Account { balance: self.balance.saturating_add(movement.amount) }
    }
}
