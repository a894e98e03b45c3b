//! The process of a broker, as it is seen from other calls: by the number in its folder.
//!
//! Rule: a number counts only while the process of that number is a broker of that folder; systems use numbers again.

use std::path::Path;
use std::process::{Command, Stdio};

use super::folder::Folder;

/// A process that runs a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process(u32);

/// How to end a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Term,
    Kill,
}

impl Process {
    /// Notes the process that was started for a folder.
    pub(super) fn note(folder: &Folder, number: u32) -> Result<(), String> {
        let path = folder.pid();
        std::fs::write(&path, number.to_string())
            .map_err(|error| format!("cannot write `{}`: {error}; see to its permissions", path.display()))
    }

    /// The process that runs the broker of a folder now.
    pub(super) fn of(folder: &Folder) -> Option<Process> {
        let number = std::fs::read_to_string(folder.pid()).ok()?.trim().parse().ok()?;
        let process = Process(number);
        process.runs(folder).then_some(process)
    }

    pub(super) fn number(self) -> u32 {
        self.0
    }

    pub(super) fn runs(self, folder: &Folder) -> bool {
        command_line(self.0).contains(&*folder.properties().to_string_lossy())
    }

    pub(super) fn signal(self, signal: Signal) -> Result<(), String> {
        let name = match signal {
            Signal::Term => "-TERM",
            Signal::Kill => "-KILL",
        };
        // The shell's own command: a program of that name is not everywhere.
        let done = Command::new("sh").args(["-c", "kill \"$0\" \"$1\"", name]).arg(self.0.to_string()).status();
        match done {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("cannot run `sh` to end process {}: {error}; end it by hand", self.0)),
        }
    }
}

/// The arguments of a running process; empty when there is none of this number, or one that has ended.
fn command_line(number: u32) -> String {
    let processes = Path::new("/proc");
    if processes.join("self").exists() {
        let bytes = std::fs::read(processes.join(number.to_string()).join("cmdline")).unwrap_or_default();
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let listed =
        Command::new("ps").args(["-ww", "-o", "args=", "-p", &number.to_string()]).stderr(Stdio::null()).output();
    listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_number_counts_while_it_is_that_brokers() {
        let this = std::env::current_exe().unwrap();
        assert!(command_line(std::process::id()).contains(&*this.file_name().unwrap().to_string_lossy()));
        let folder = Folder::of("7000".parse().unwrap()).unwrap();
        assert!(!Process(std::process::id()).runs(&folder), "it runs, and is no broker");
    }

    #[test]
    fn a_process_that_has_ended_runs_no_more() {
        let mut waits = Command::new("sh");
        waits.args(["-c", "echo ready; read line"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = waits.spawn().unwrap();
        let mut ready = [0; 5];
        child.stdout.take().unwrap().read_exact(&mut ready).unwrap();
        assert!(!command_line(child.id()).is_empty());
        Process(child.id()).signal(Signal::Kill).unwrap();
        child.wait().unwrap();
        assert_eq!(command_line(child.id()), "");
    }
}
