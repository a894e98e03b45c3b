//! What a bank must have done with a list of operations: computed in the plainest way, and compared with what it printed.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::chance::Chance;

const ACCOUNTS: u64 = 300;

/// An operation, as it stands in a line of input.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) account: String,
    pub(crate) amount: i64,
}

impl Operation {
    /// A deposit, or a little less often a withdrawal.
    pub(crate) fn any(chance: &mut Chance) -> Self {
        let amount = 1 + chance.below(500).cast_signed();
        let sign = if chance.below(9) < 5 { 1 } else { -1 };
        Operation { account: format!("account-{:03}", chance.below(ACCOUNTS)), amount: sign * amount }
    }

    pub(crate) fn line(&self) -> String {
        format!("{{\"account\":\"{}\",\"amount\":{}}}\n", self.account, self.amount)
    }
}

/// Movements of each account in order, and balances.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    movements: BTreeMap<String, Vec<(i64, Option<String>)>>,
    balances: BTreeMap<String, i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Movement { account: String, amount: i64, error: Option<String> },
    Balance { account: String, amount: i64 },
}

impl Books {
    /// What the rule gives. The table of the join has a row for every account that asked for anything; `event_sourced`
    /// keeps none for an account that never had anything.
    pub(crate) fn of<'a>(operations: impl IntoIterator<Item = &'a Operation>, form: &str) -> Books {
        let mut books = Books::default();
        for Operation { account, amount } in operations {
            let before = books.balances.get(account).copied();
            let accepted = before.unwrap_or(0) >= -amount;
            let movement = if accepted { (*amount, None) } else { (0, Some("insufficient funds".to_owned())) };
            if accepted || form == "join" {
                books.balances.insert(account.clone(), before.unwrap_or(0) + movement.0);
            }
            books.movements.entry(account.clone()).or_default().push(movement);
        }
        books
    }

    /// What the bank printed with `--json`; no movement may stand behind a balance.
    pub(crate) fn printed(output: &str) -> Books {
        let mut books = Books::default();
        for line in output.lines() {
            match serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in `{line}`")) {
                Line::Movement { account, amount, error } => {
                    assert!(books.balances.is_empty(), "balances are last");
                    books.movements.entry(account).or_default().push((amount, error));
                }
                Line::Balance { account, amount } => {
                    assert!(books.balances.last_key_value().is_none_or(|(last, _)| *last < account), "sorted");
                    books.balances.insert(account, amount);
                }
            }
        }
        books
    }

    pub(crate) fn balance(&self, account: &str) -> Option<i64> {
        self.balances.get(account).copied()
    }

    /// All movements, and the refused ones among them.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let all = self.movements.values().flatten();
        all.fold((0, 0), |(all, refused), (_, error)| (all + 1, refused + usize::from(error.is_some())))
    }

    /// Fails with the first account that differs.
    pub(crate) fn assert_equal(&self, expected: &Books, repeat: &str) {
        for (account, movements) in &expected.movements {
            let found = self.movements.get(account);
            assert_eq!(found, Some(movements), "movements of `{account}`; {repeat}");
        }
        assert_eq!(self.balances, expected.balances, "balances; {repeat}");
        assert_eq!(self.movements.len(), expected.movements.len(), "accounts; {repeat}");
    }
}
