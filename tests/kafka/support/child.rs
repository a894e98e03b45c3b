//! A process of this test program, to be killed, paused and continued.

use std::process::{Command, ExitStatus, Stdio};

use super::waiting::wait_for;

/// This program as a process of its own, to run one of its tests that does nothing otherwise; the variable says that it is meant,
/// and what to do.
pub(crate) fn itself(test: &str, variable: &str, work: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(variable, work);
    // What it prints of itself as a test would be counted with this one.
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// A process; killed when this is dropped.
pub(crate) struct Child {
    process: std::process::Child,
}

impl Child {
    pub(crate) fn start(command: &mut Command) -> Self {
        Child { process: command.spawn().unwrap() }
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Asks it to end, and waits until it has.
    #[track_caller]
    pub(crate) fn end_in_peace(&mut self) {
        self.terminate();
        let status = self.wait();
        assert!(status.success(), "a process ended with {status}");
    }

    /// Lets it stand still: its connections stay, and it says nothing.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets a paused process go on.
    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    /// Whether it runs, or stands still.
    pub(crate) fn is_there(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Fails if it has ended, and says how.
    #[track_caller]
    pub(crate) fn must_be_there(&mut self) {
        let ended = self.process.try_wait().unwrap();
        assert_eq!(ended, None, "process {} ended by itself", self.process.id());
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for("the end of a process", || self.process.try_wait().unwrap())
    }

    fn signal(&self, signal: &str) {
        // The shell's own command: a program of that name is not everywhere.
        let mut shell = Command::new("sh");
        let status = shell.args(["-c", "kill \"$0\" \"$1\"", signal]).arg(self.process.id().to_string()).status();
        assert!(status.unwrap().success(), "cannot send {signal}");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
