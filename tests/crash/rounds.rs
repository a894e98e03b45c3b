//! How many kills are tried, and what they met.

use std::fmt;

/// The variable that asks for more; `cargo xtask test --long` sets it.
pub(crate) const ROUNDS: &str = "TIDEMILL_CRASH_ROUNDS";

/// Kills that have to strike a running process, for each program that is killed.
pub(crate) fn rounds() -> u32 {
    std::env::var(ROUNDS).map_or(12, |rounds| rounds.parse().expect("the number of rounds is a number"))
}

/// What kills met.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Processes that were started to be killed.
    pub(crate) rounds: u32,
    /// Those that were killed before they were done.
    pub(crate) kills: u32,
    /// Those of which something was stored, and not everything.
    pub(crate) amid: u32,
    /// Records of the input that were compared after kills.
    pub(crate) records: u64,
}

impl Tally {
    /// Fails where most processes are done before they are killed.
    pub(crate) fn begin(&self, repeat: &str) {
        let Tally { rounds: tried, kills, .. } = self;
        assert!(*tried < 5 * rounds() + 20, "{kills} of {tried} kills struck: the moments are wrong; {repeat}");
    }

    pub(crate) fn count(&mut self, struck: bool) {
        self.rounds += 1;
        self.kills += u32::from(struck);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { rounds, kills, amid, records } = self;
        write!(
            f,
            "{rounds} rounds, {kills} kills struck, {amid} amid its work; {records} records compared with the model"
        )
    }
}
