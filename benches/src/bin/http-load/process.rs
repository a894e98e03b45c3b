//! The service as a process, on a folder of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::service::Service;

/// Ends with this.
pub(crate) struct Process {
    child: Child,
    /// Such as `127.0.0.1:4711`.
    address: String,
    _folder: TempDir,
    /// Held open, because whoever cannot say anything any more fails.
    _said: BufReader<ChildStdout>,
}

impl Process {
    /// Starts the example that was built beside this program.
    pub(crate) fn start(service: Service, commit_every_ms: u64, sync_every_ms: u64) -> Result<Process> {
        let program = std::env::current_exe()?.with_file_name("examples").join(service.example());
        ensure!(program.exists(), "`{}` is not built: run `cargo build --release --examples`", program.display());
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(&program);
        command.arg("--data").arg(folder.path().join("data")).args(["--listen", "127.0.0.1:0"]);
        command.args(["--commit-every", &commit_every_ms.to_string()]);
        command.args(["--sync-every", &sync_every_ms.to_string()]).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start `{}`", program.display()))?;
        let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
        let address = loop {
            let mut line = String::new();
            ensure!(said.read_line(&mut line)? > 0, "`{}` ended before it listened", program.display());
            if let Some(address) = line.trim().strip_prefix("listening on http://") {
                break address.to_owned();
            }
        };
        Ok(Process { child, address, _folder: folder, _said: said })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// CPU seconds of all its threads.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        cpu_seconds(&self.child.id().to_string())
    }

    /// The most memory that it had, in megabytes.
    pub(crate) fn rss_peak_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes: f64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0);
        kilobytes / 1_000.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn own_cpu_seconds() -> f64 {
    cpu_seconds("self")
}

/// User and system time of a process, in seconds. Where there is no `/proc`, 0.
fn cpu_seconds(process: &str) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name stands in brackets and may have blanks; the times are the 12th and 13th fields behind it.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or_default().to_owned()
}
