//! The topologies of `tests/kafka/java`, as programs here write them. Keys are texts, values eight-byte numbers.

use std::time::Duration;

use tidemill::Topic;
use tidemill::serde::SerdeRef;
use tidemill::state::{SessionStore, Store, WindowStore};
use tidemill::stream::{Buffer, Stream, StreamsBuilder, Suppressed, Table};
use tidemill::topology::Topology;
use tidemill::window::{Session, Tumbling, Windowed};

const SIZE: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(5);

const COUNTS: Store<String, i64> = Store::of("counts");
const PRICES: Store<String, i64> = Store::of("prices");
const LEFT: Store<String, i64> = Store::of("left");
const RIGHT: Store<String, i64> = Store::of("right");
const WINDOWS: WindowStore<String, i64> = WindowStore::of("windows");
const SESSIONS: SessionStore<String, i64> = SessionStore::of("sessions");

/// The names of all of them, as `tests/kafka/java` knows them.
pub(super) const ALL: [&str; 7] = [
    "count",
    "count-by-value",
    "windowed-count",
    "suppressed-count",
    "session-count",
    "stream-table-join",
    "foreign-key-join",
];

/// The topics of one of them: `in`, `in2`, `out`.
pub(super) struct Topics {
    pub(super) first: Topic<String, i64>,
    pub(super) second: Topic<String, i64>,
    pub(super) out: Topic<String, i64>,
}

impl Topics {
    pub(super) fn named([first, second, out]: [&str; 3]) -> Self {
        let of = |name: &str| Topic::new(name, SerdeRef::of(), SerdeRef::of());
        Topics { first: of(first), second: of(second), out: of(out) }
    }
}

pub(super) fn topology(name: &str, topics: &Topics) -> Topology {
    let builder = StreamsBuilder::new();
    output(name, &builder, topics).to(&topics.out);
    builder.build().unwrap()
}

fn output<'b>(name: &str, b: &'b StreamsBuilder, topics: &Topics) -> Stream<'b, String, Option<i64>> {
    let at_start = |key: &Windowed<String>, _: &Option<i64>| format!("{}@{}", key.key, key.window.start.as_millis());
    match name {
        "count" => b.stream(&topics.first).group_by_key().count_with(&COUNTS).to_stream(),
        "count-by-value" => {
            let grouped =
                b.stream(&topics.first).group_by(|_, value| format!("value-{}", value % 10)).named("by-value");
            grouped.count_with(&COUNTS).to_stream()
        }
        "windowed-count" => windows(b, topics).to_stream().select_key(at_start),
        "suppressed-count" => {
            let closed =
                windows(b, topics).suppress(Suppressed::until_window_closes(Buffer::unbounded())).named("closed");
            closed.to_stream().select_key(at_start)
        }
        "session-count" => {
            let sessions = b.stream(&topics.first).group_by_key().windowed_by(Session::gap(SIZE).with_grace(GRACE));
            sessions.count_with(&SESSIONS).to_stream().select_key(|key, _| {
                format!("{}@{}-{}", key.key, key.window.start.as_millis(), key.window.end.as_millis())
            })
        }
        "stream-table-join" => {
            let prices = b.table_with(&topics.second, &PRICES);
            let joined = b.stream(&topics.first);
            joined.left_join(&prices, |value, price| Some(value * 1000 + price.copied().unwrap_or(-1)))
        }
        "foreign-key-join" => {
            let (left, right) = (b.table_with(&topics.first, &LEFT), b.table_with(&topics.second, &RIGHT));
            left.join_on(&right, |_, value| format!("key-{}", value % 10), |left, right| left * 1000 + right)
                .to_stream()
        }
        other => panic!("there is no topology `{other}`"),
    }
}

fn windows<'b>(b: &'b StreamsBuilder, topics: &Topics) -> Table<'b, Windowed<String>, i64> {
    let grouped = b.stream(&topics.first).group_by_key();
    grouped.windowed_by(Tumbling::of(SIZE).with_grace(GRACE)).count_with(&WINDOWS)
}
