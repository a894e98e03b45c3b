//! Shows movements and balances, for people or as JSON.

use std::io::Write;

use serde::Serialize;
use tidemill::{ReadRecord, Subscription};

use crate::model::{Account, Movement};
use crate::support::Failure;
use crate::support::output::{Out, json_line, numbers, print};

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Line<'a> {
    /// The error is there in every line, null where there is none, so that every line has the same fields.
    Movement {
        account: &'a str,
        amount: i64,
        error: Option<&'a str>,
    },
    Balance {
        account: &'a str,
        amount: i64,
    },
}

/// Prints all movements, as they are read, and then the balances in the order of the accounts.
pub(crate) fn results(
    movements: Subscription<String, Movement>,
    balances: Vec<(String, Account)>,
    json: bool,
) -> Result<(), Failure> {
    print(move |out| if json { as_json(out, movements, &balances) } else { as_text(out, movements, balances) })
}

fn as_json(
    out: &mut Out,
    movements: Subscription<String, Movement>,
    balances: &[(String, Account)],
) -> Result<(), Failure> {
    each(movements, |account, Movement { amount, error }| {
        json_line(out, &Line::Movement { account, amount: *amount, error: error.as_deref() })
    })?;
    balances
        .iter()
        .try_for_each(|(account, Account { balance })| json_line(out, &Line::Balance { account, amount: *balance }))
}

fn as_text(
    out: &mut Out,
    movements: Subscription<String, Movement>,
    balances: Vec<(String, Account)>,
) -> Result<(), Failure> {
    each(movements, |account, Movement { amount, error }| {
        match error {
            None => writeln!(out, "{account:<20} {amount:>+12}")?,
            Some(reason) => writeln!(out, "{account:<20} {:>12}  {reason}", "refused")?,
        }
        Ok(())
    })?;
    let rows = balances.into_iter().map(|(account, Account { balance })| (account, balance));
    writeln!(out, "\n{}", numbers(["account", "balance"], rows))?;
    Ok(())
}

fn each(
    mut movements: Subscription<String, Movement>,
    mut show: impl FnMut(&str, &Movement) -> Result<(), Failure>,
) -> Result<(), Failure> {
    loop {
        let records = movements.read()?;
        if records.is_empty() {
            return Ok(());
        }
        for ReadRecord { key, value, .. } in &records {
            value.iter().try_for_each(|movement| show(key, movement))?;
        }
    }
}
