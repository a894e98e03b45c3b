//! What is read from the operating system. Where there is no `/proc`, what comes from there is 0.

use std::time::Instant;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// What the clocks show at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    wall: Instant,
    /// CPU seconds of this process without those of the thread that marks.
    cpu: f64,
    stolen: f64,
    machine: f64,
}

impl Mark {
    pub(crate) fn now() -> Mark {
        let cpu = seconds(clock_gettime(ClockId::ProcessCPUTime)) - seconds(clock_gettime(ClockId::ThreadCPUTime));
        let (machine, stolen) = machine();
        Mark { wall: Instant::now(), cpu, stolen, machine }
    }

    /// As [`now`](Self::now), when the thread that marks is the one that works.
    pub(crate) fn with_this_thread() -> Mark {
        Mark { cpu: seconds(clock_gettime(ClockId::ProcessCPUTime)), ..Mark::now() }
    }

    pub(crate) fn wall_since(&self, start: &Mark) -> f64 {
        (self.wall - start.wall).as_secs_f64()
    }

    pub(crate) fn cpu_since(&self, start: &Mark) -> f64 {
        self.cpu - start.cpu
    }

    /// CPU seconds that the host took.
    pub(crate) fn stolen_since(&self, start: &Mark) -> f64 {
        self.stolen - start.stolen
    }

    /// CPU seconds of everything else on the machine: a difference of coarse numbers.
    pub(crate) fn others_since(&self, start: &Mark) -> f64 {
        (self.machine - start.machine - self.cpu_since(start)).max(0.0)
    }

    /// CPU seconds from the start of the process.
    pub(crate) fn cpu(&self) -> f64 {
        self.cpu
    }
}

fn seconds(time: Timespec) -> f64 {
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU seconds spent by the whole machine, and those stolen from it.
pub(crate) fn machine() -> (f64, f64) {
    const TICKS_PER_SECOND: f64 = 100.0;
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> = text.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    let field = |number: usize| fields.get(number).copied().unwrap_or(0.0) / TICKS_PER_SECOND;
    ([0, 1, 2, 5, 6].map(field).iter().sum(), field(7))
}

/// The most memory that this process had, in MB.
pub(crate) fn rss_peak_mb() -> f64 {
    rss_peak_mb_of("self")
}

/// The most memory that a process had, in MB.
pub(crate) fn rss_peak_mb_of(process: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    rounded(kilobytes.unwrap_or(0.0) / 1024.0)
}

/// How busy the machine is.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// To three places.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
