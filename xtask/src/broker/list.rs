//! Shows the brokers of this machine.

use super::folder::Folder;
use super::probe;
use super::process::Process;

/// A line for each broker: its address, what it does, its process and its folder.
pub(super) fn list() -> String {
    let rows: String = Folder::all().iter().map(row).collect();
    if rows.is_empty() {
        return "there are no brokers: `cargo xtask broker start` makes one\n".into();
    }
    format!("{:<18}{:<12}{:<10}folder\n{rows}", "address", "state", "process")
}

fn row(folder: &Folder) -> String {
    let address = folder.port().broker();
    let (state, process) = match Process::of(folder) {
        None => ("stopped", String::new()),
        Some(process) => (if probe::answers(address) { "answers" } else { "silent" }, process.number().to_string()),
    };
    format!("{:<18}{state:<12}{process:<10}{}\n", address.to_string(), folder.path().display())
}
