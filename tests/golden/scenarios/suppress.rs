//! Tables whose changes wait: until a window is closed, for some time, or until too many do.

use tidemill::Topic;
use tidemill::state::{Store, WindowStore};
use tidemill::stream::{Buffer, StreamsBuilder, Suppressed, Table};
use tidemill::window::{Hopping, Session, Tumbling};

use super::windows::{N, in_sessions, ms, windowed};
use super::{Scenario, longs, texts};

const T: Store<String, String> = Store::of("t");
const COUNTS: Store<String, i64> = Store::of("n");
const SUM: Store<String, i64> = Store::of("sum");
const WINDOWED_SUM: WindowStore<String, i64> = WindowStore::of("sum");

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("suppress_window_close", suppress_window_close),
        Scenario::streams("suppress_hopping_close", suppress_hopping_close),
        Scenario::streams("suppress_session_close", suppress_session_close),
        Scenario::streams("suppress_time_limit", suppress_time_limit),
        Scenario::streams("suppress_time_limit_max_records", suppress_time_limit_max_records),
        Scenario::streams("suppress_zero_limit", suppress_zero_limit),
        Scenario::streams("suppress_shutdown_when_full", suppress_shutdown_when_full),
        Scenario::streams("suppress_table_groupby", suppress_table_groupby).store(&SUM),
        Scenario::streams("temperature_max_alarm", temperature_max_alarm),
    ]
}

fn suppress_window_close(b: &StreamsBuilder) {
    b.stream(&longs("in"))
        .group_by_key()
        .windowed_by(Tumbling::of(ms(100)).with_grace(ms(50)))
        .count_with(&N)
        .suppress(Suppressed::until_window_closes(Buffer::unbounded()))
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

fn suppress_hopping_close(b: &StreamsBuilder) {
    b.stream(&longs("in"))
        .group_by_key()
        .windowed_by(Hopping::of(ms(100), ms(50)).with_grace(ms(20)))
        .reduce_with(&WINDOWED_SUM, |x, y| x + y.unwrap_or(0))
        .suppress(Suppressed::until_window_closes(Buffer::unbounded()))
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

fn suppress_session_close(b: &StreamsBuilder) {
    const SESSIONS: tidemill::state::SessionStore<String, i64> = tidemill::state::SessionStore::of("n");
    b.stream(&texts("in"))
        .group_by_key()
        .windowed_by(Session::gap(ms(50)).with_grace(ms(30)))
        .count_with(&SESSIONS)
        .suppress(Suppressed::until_window_closes(Buffer::unbounded()))
        .to_stream()
        .to(&in_sessions::<i64>("out"));
}

fn table(b: &StreamsBuilder) -> Table<'_, String, String> {
    b.table_with(&Topic::of("in"), &T)
}

fn suppress_time_limit(b: &StreamsBuilder) {
    table(b).suppress(Suppressed::until_time_limit(ms(100), Buffer::unbounded())).to_stream().to(&texts("out"));
}

fn suppress_time_limit_max_records(b: &StreamsBuilder) {
    table(b)
        .suppress(Suppressed::until_time_limit(ms(200), Buffer::records(2).emit_early()))
        .to_stream()
        .to(&texts("out"));
}

fn suppress_zero_limit(b: &StreamsBuilder) {
    table(b).suppress(Suppressed::until_time_limit(ms(0), Buffer::unbounded())).to_stream().to(&texts("out"));
}

fn suppress_shutdown_when_full(b: &StreamsBuilder) {
    b.stream(&longs("in"))
        .group_by_key()
        .windowed_by(Tumbling::of(ms(100)))
        .count_with(&N)
        .suppress(Suppressed::until_window_closes(Buffer::records(2).fail_when_full()))
        .to_stream()
        .to(&windowed::<i64>("out", 100));
}

fn suppress_table_groupby(b: &StreamsBuilder) {
    b.stream(&texts("in"))
        .group_by_key()
        .count_with(&COUNTS)
        .suppress(Suppressed::until_time_limit(ms(100), Buffer::unbounded()))
        .named("sup")
        .group_by(|k, n| (super::first(k), *n))
        .reduce_with(&SUM, |sum, n| sum + n, |sum, n| sum - n)
        .to_stream()
        .to(&Topic::<String, i64>::of("out"));
}

fn temperature_max_alarm(b: &StreamsBuilder) {
    const MAX: WindowStore<String, i64> = WindowStore::of("max");
    b.stream(&longs("temperatures"))
        .filter(|_, v| v.is_some())
        .group_by_key()
        .windowed_by(Tumbling::of(ms(500)).with_grace(ms(200)))
        .reduce_with(&MAX, |x, y| x.max(y.unwrap_or(x)))
        .suppress(Suppressed::until_window_closes(Buffer::unbounded()))
        .to_stream()
        .filter(|_, v| v.is_some_and(|v| v > 25))
        .to(&windowed::<i64>("alarms", 500));
}
