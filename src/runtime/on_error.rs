//! What becomes of an application after an error that no handler took.
//!
//! Rule: what was not committed is void whatever is said here. It says only whether this process goes on from the last commit by itself,
//! after which pause, and how often.

use std::sync::Arc;
use std::time::Duration;

use tidemill_dsl::record::Timestamp;

use crate::error::{Error, ErrorKind};

/// No pause grows beyond this, unless the first one is longer.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// What a process does after an error that no handler took: Kafka Streams' `StreamsUncaughtExceptionHandler` (KIP-671).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// It stops: [`AppState::Failed`](crate::AppState::Failed). Other processes of the application go on, with its share too.
    #[default]
    StopClient,
    /// New workers begin where the last commit was, with state as it was then: nothing is lost, and nothing is doubled.
    ReplaceWorkers,
    /// It stops, and so do all other processes that share its work now, within moments: Kafka Streams' `SHUTDOWN_APPLICATION`. They are
    /// told through the brokers, so those that cannot reach them run on, and so does one that starts later.
    StopApplication,
}

/// What becomes of an application after an error of its tasks, of their stores or of the log.
///
/// Only errors that may be gone the next time are worth it: those of the program's code, and of what cannot be reached
/// ([`ErrorKind::Processing`], [`ErrorKind::Unavailable`]). All others, such as damaged bytes, stop the process at once; a share that was
/// lost to other processes is joined again in any case.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::time::Duration;
/// use tidemill::{App, ErrorPolicy, OnError, Settings, Topic, stream::StreamsBuilder};
///
/// const IN: Topic<String, i64> = Topic::of("in");
/// const OUT: Topic<String, i64> = Topic::of("out");
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (builder, calls) = (StreamsBuilder::new(), AtomicU32::new(0));
/// let works_the_second_time = move |_: &String, value: &i64| match calls.fetch_add(1, Ordering::Relaxed) {
///     0 => Err("the disk of somebody else is full"),
///     _ => Ok(*value),
/// };
/// builder.stream(&IN).try_map_values(works_the_second_time).to(&OUT);
///
/// let response = OnError::ReplaceWorkers;
/// let on_error = ErrorPolicy { response, retries: 3, back_off: Duration::from_millis(10), ..ErrorPolicy::default() };
/// let settings = Settings { on_error, ..Settings::default() };
/// let app = App::builder("steady", builder.build()?).memory().settings(settings).start().await?;
/// app.send(&IN, "a", 1).await?;
/// app.settled().await?;
/// assert_eq!(app.subscribe(&OUT)?.read()?.len(), 1);
/// # app.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPolicy {
    /// What is done, where [`AppBuilder::on_error`](crate::AppBuilder::on_error) does not decide it for each error.
    pub response: OnError,
    /// How often workers are replaced before the next error stops the process: 5.
    pub retries: u32,
    /// How long the pause before the first new workers is: 1 s. Each next one is twice as long, up to a minute.
    pub back_off: Duration,
    /// After how long without an error the retries are counted anew: 5 min.
    pub calm: Duration,
    /// How long the brokers may be away from a process that has work before that is an error like others, up to which it tries again by
    /// itself: `None`, which is as long as it takes. Kafka Streams' `task.timeout.ms` (KIP-572), there for each task and 5 min; here the
    /// tasks of a process commit together. Zero: the first failure is the error.
    pub task_timeout: Option<Duration>,
}

impl Default for ErrorPolicy {
    fn default() -> Self {
        ErrorPolicy {
            response: OnError::default(),
            retries: 5,
            back_off: Duration::from_secs(1),
            calm: Duration::from_secs(300),
            task_timeout: None,
        }
    }
}

/// The program's own answer to an error.
pub(super) type Decide = Arc<dyn Fn(&Error) -> OnError + Send + Sync>;

/// The errors of a process since it was calm, and what is done about the next one.
pub(super) struct Failures {
    policy: ErrorPolicy,
    decide: Option<Decide>,
    /// How often workers were replaced since it was calm.
    replaced: u32,
    /// When those that were replaced last began.
    since: Option<Timestamp>,
    /// Since when the log cannot be reached.
    away_since: Option<Timestamp>,
    /// Whether the last error was to stop all processes.
    stops_all: bool,
}

impl Failures {
    pub(super) fn new(policy: ErrorPolicy, decide: Option<Decide>) -> Self {
        Failures { policy, decide, replaced: 0, since: None, away_since: None, stops_all: false }
    }

    /// Whether it is tried again after a failure of a term that had its tasks running, or not, though the log cannot be reached.
    pub(super) fn waits_for_log(&mut self, had_run: bool, now: Timestamp) -> bool {
        if had_run {
            self.away_since = None;
        }
        let since = *self.away_since.get_or_insert(now);
        let away = u64::try_from(now.as_millis().saturating_sub(since.as_millis())).unwrap_or(0);
        self.policy.task_timeout.is_none_or(|timeout| Duration::from_millis(away) < timeout)
    }

    /// Whether the last error is to stop all processes of the application.
    pub(super) fn stops_application(&self) -> bool {
        self.stops_all
    }

    /// The pause after which new workers begin; `None` when the process stops.
    pub(super) fn pause_after(&mut self, error: &Error, now: Timestamp) -> Option<Duration> {
        // Who was replaced, or stopped by another process, has nothing to say about the others.
        if matches!(error.kind(), ErrorKind::Fenced | ErrorKind::Closed) {
            return None;
        }
        let response = self.decide.as_ref().map_or(self.policy.response, |decide| decide(error));
        self.stops_all = response == OnError::StopApplication;
        let may_be_gone = matches!(error.kind(), ErrorKind::Processing | ErrorKind::Unavailable);
        if response != OnError::ReplaceWorkers || !may_be_gone {
            return None;
        }
        let calm = i64::try_from(self.policy.calm.as_millis()).unwrap_or(i64::MAX);
        if self.since.is_some_and(|since| now.as_millis().saturating_sub(since.as_millis()) >= calm) {
            self.replaced = 0;
        }
        if self.replaced >= self.policy.retries {
            return None;
        }
        let first = self.policy.back_off;
        let pause = first.saturating_mul(1_u32.checked_shl(self.replaced).unwrap_or(u32::MAX));
        let pause = pause.min(BACK_OFF_MAX.max(first));
        self.replaced += 1;
        // The pause is no calm.
        let pause_millis = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
        self.since = Some(Timestamp::from_millis(now.as_millis().saturating_add(pause_millis)));
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(retries: u32, decide: Option<Decide>) -> Failures {
        let policy = ErrorPolicy { response: OnError::ReplaceWorkers, retries, ..ErrorPolicy::default() };
        Failures::new(policy, decide)
    }

    fn seconds(failures: &mut Failures, at: i64) -> Option<u64> {
        let error = Error::new(ErrorKind::Processing, "no");
        failures.pause_after(&error, Timestamp::from_millis(at * 1_000)).map(|pause| pause.as_secs())
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_are_bounded() {
        let mut failures = failures(8, None);
        let pauses: Vec<_> = (0..9).map(|at| seconds(&mut failures, at)).collect();
        let expected = [1, 2, 4, 8, 16, 32, 60, 60].map(Some);
        assert_eq!((&pauses[..8], pauses[8]), (&expected[..], None));
    }

    #[test]
    fn a_great_many_retries_and_a_long_pause_overflow_nothing() {
        let mut failures = failures(u32::MAX, None);
        failures.policy.back_off = Duration::from_secs(3_600);
        assert!((0..200).all(|at| seconds(&mut failures, at) == Some(3_600)));
    }

    #[test]
    fn after_a_calm_retries_are_counted_anew_and_the_pause_is_no_calm() {
        let mut failures = failures(1, None);
        assert_eq!(seconds(&mut failures, 0), Some(1));
        assert_eq!(seconds(&mut failures, 300), None, "299 seconds of calm are too few");
        assert_eq!(seconds(&mut failures, 301), Some(1));
    }

    #[test]
    fn what_will_be_the_same_the_next_time_stops_the_process() {
        let mut failures = failures(9, None);
        for kind in [ErrorKind::Corrupt, ErrorKind::Fenced, ErrorKind::Invalid, ErrorKind::Locked, ErrorKind::TimedOut]
        {
            assert_eq!(failures.pause_after(&Error::new(kind, "no"), Timestamp::ZERO), None, "{kind:?}");
        }
    }

    #[test]
    fn what_happened_to_this_process_alone_stops_no_other() {
        let everything: Decide = Arc::new(|_| OnError::StopApplication);
        for (kind, stops) in [
            (ErrorKind::Processing, true),
            (ErrorKind::Corrupt, true),
            (ErrorKind::Fenced, false),
            (ErrorKind::Closed, false),
        ] {
            let mut failures = failures(9, Some(everything.clone()));
            assert_eq!(failures.pause_after(&Error::new(kind, "no"), Timestamp::ZERO), None);
            assert_eq!(failures.stops_application(), stops, "{kind:?}");
        }
    }

    #[test]
    fn a_log_that_is_away_is_waited_for_up_to_a_limit_from_the_last_run_on() {
        let waits = |failures: &mut Failures, had_run, at| failures.waits_for_log(had_run, Timestamp::from_millis(at));
        let mut patient = failures(0, None);
        assert!(waits(&mut patient, true, 0) && waits(&mut patient, false, i64::MAX), "without a limit");
        let mut limited = failures(0, None);
        limited.policy.task_timeout = Some(Duration::from_millis(100));
        assert!(waits(&mut limited, true, 5) && waits(&mut limited, false, 104));
        assert!(!waits(&mut limited, false, 105));
        assert!(waits(&mut limited, true, 106) && waits(&mut limited, false, 205), "it had run meanwhile");
        limited.policy.task_timeout = Some(Duration::ZERO);
        assert!(!waits(&mut limited, true, 300));
    }

    #[test]
    fn the_program_goes_before_the_settings() {
        let stop: Decide = Arc::new(|error| match error.to_string().as_str() {
            "no" => OnError::StopClient,
            _ => OnError::ReplaceWorkers,
        });
        let mut failures = failures(9, Some(stop));
        assert_eq!(seconds(&mut failures, 0), None);
        let other = Error::new(ErrorKind::Unavailable, "yes");
        assert_eq!(failures.pause_after(&other, Timestamp::ZERO), Some(Duration::from_secs(1)));
    }
}
