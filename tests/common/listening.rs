//! Programs that listen somewhere, and say where in their first line.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A program that runs. It is killed when this is dropped.
pub(crate) struct Listening {
    process: Child,
    /// Where it listens, such as `http://127.0.0.1:4711`.
    pub(crate) address: String,
    /// Held open, because whoever cannot say anything any more fails.
    _said: BufReader<ChildStdout>,
}

impl Listening {
    /// Starts a service among the examples on a free port.
    pub(crate) fn start(mut program: Command) -> Listening {
        program.args(["--listen", "127.0.0.1:0", "--commit-every", "20"]);
        let mut process = program.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{program:?} said `{line}`"));
        Listening { process, address: address.to_owned(), _said: said }
    }

    /// Asks it to end, and gives its exit code.
    #[cfg(unix)]
    pub(crate) fn end(mut self) -> Option<i32> {
        let kill = Command::new("sh").args(["-c", "kill -TERM $0"]).arg(self.process.id().to_string()).status();
        assert!(kill.unwrap().success());
        self.process.wait().unwrap().code()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
