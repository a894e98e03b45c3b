//! The line that a run prints.

use serde::{Deserialize, Serialize};

use crate::goal::{Check, Goal};
#[cfg(feature = "kafka")]
use crate::judge::Mark as Elsewhere;
use crate::machine::{self, Mark, rounded};
use crate::options::Head;

/// What the measured process found out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) records: u64,
    pub(crate) wall_s: f64,
    pub(crate) cpu_s: f64,
    pub(crate) records_per_s: u64,
    pub(crate) records_per_cpu_s: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steady_records_per_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steady_records_per_cpu_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) running_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_from_spawn_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restored: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restore_s: Option<f64>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) latency: Option<Latency>,
    pub(crate) rss_peak_mb: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) judge_cpu_s: Option<f64>,
    pub(crate) other_cpu_s: f64,
    pub(crate) stolen_cpu_s: f64,
    pub(crate) load_before: String,
    pub(crate) load_after: String,
}

/// From the moment when a record was due to the moment when it was seen, in milliseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) rate: u64,
    pub(crate) lost: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
}

impl Measured {
    /// The rates of `records` between two marks.
    pub(crate) fn between(start: &Mark, end: &Mark, records: u64, load_before: String) -> Self {
        let (wall, cpu) = (end.wall_since(start), end.cpu_since(start));
        Measured {
            records,
            wall_s: rounded(wall),
            cpu_s: rounded(cpu),
            records_per_s: (records as f64 / wall).round() as u64,
            records_per_cpu_s: (records as f64 / cpu).round() as u64,
            rss_peak_mb: machine::rss_peak_mb(),
            other_cpu_s: rounded(end.others_since(start)),
            stolen_cpu_s: rounded(end.stolen_since(start)),
            load_before,
            load_after: machine::load(),
            ..Measured::default()
        }
    }

    /// The same of another process.
    #[cfg(feature = "kafka")]
    pub(crate) fn of_process(start: &Elsewhere, end: &Elsewhere, records: u64, load: String, rss_peak_mb: f64) -> Self {
        let (wall, cpu) = (end.wall_since(start), end.cpu_since(start));
        Measured {
            records,
            wall_s: rounded(wall),
            cpu_s: rounded(cpu),
            records_per_s: (records as f64 / wall).round() as u64,
            records_per_cpu_s: (records as f64 / cpu).round() as u64,
            rss_peak_mb,
            judge_cpu_s: Some(rounded(end.judge_since(start))),
            other_cpu_s: rounded(end.others_since(start)),
            stolen_cpu_s: rounded(end.stolen_since(start)),
            load_before: load,
            load_after: machine::load(),
            ..Measured::default()
        }
    }

    /// As [`with_second_half`](Self::with_second_half), of another process.
    #[cfg(feature = "kafka")]
    pub(crate) fn with_second_half_of_process(self, half: Option<&Elsewhere>, end: &Elsewhere) -> Self {
        let taken = half.map(|half| (end.wall_since(half), end.cpu_since(half)));
        self.with_half(taken)
    }

    /// The rates of the second half of the records, unless too little is left to tell.
    pub(crate) fn with_second_half(self, half: Option<&Mark>, end: &Mark) -> Self {
        self.with_half(half.map(|half| (end.wall_since(half), end.cpu_since(half))))
    }

    /// With what the second half took: seconds, and CPU seconds.
    fn with_half(self, taken: Option<(f64, f64)>) -> Self {
        let Some((wall, cpu)) = taken.filter(|(_, cpu)| *cpu >= 0.5) else { return self };
        let rate = |seconds: f64| Some((self.records as f64 / 2.0 / seconds).round() as u64);
        Measured { steady_records_per_s: rate(wall), steady_records_per_cpu_s: rate(cpu), ..self }
    }
}

/// Everything about a run.
#[derive(Serialize)]
pub(crate) struct Line {
    #[serde(flatten)]
    pub(crate) head: Head,
    #[serde(flatten)]
    pub(crate) measured: Measured,
    #[serde(flatten)]
    pub(crate) outcome: Option<Outcome>,
    pub(crate) options: &'static str,
}

/// The check of the output.
#[derive(Serialize)]
pub(crate) struct Outcome {
    pub(crate) outputs: u64,
    pub(crate) goal: String,
    pub(crate) reached: i64,
    pub(crate) misses: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) wrong: bool,
}

impl Outcome {
    pub(crate) fn of(goal: Goal, check: &Check) -> Self {
        let (goal, reached, wrong) = (goal.name(), check.reached(), check.is_wrong(goal));
        Outcome { outputs: check.outputs, goal, reached, misses: check.misses, wrong }
    }
}

/// How this program was built.
pub(crate) const BUILD: &str = if cfg!(debug_assertions) { "debug: the figures mean nothing" } else { "optimised" };
