//! Random topologies give the same through one partition with the driver and through several partitions with an application.
//!
//! Compared is what does not depend on which of two partitions is read first: of streams all records of a key, in their order
//! as long as no new key was made; of tables the last row of each key. Grace periods are longer than the input; where results wait
//! for the end of a window, records of every key come last, after all others are through, and move the time of every partition on.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidemill::record::Headers;
use tidemill::serde::Data;
use tidemill::state::Store;
use tidemill::stream::{Buffer, Stream, StreamsBuilder, Suppressed, Table};
use tidemill::topology::Topology;
use tidemill::window::{Hopping, JoinWindows, Session, Sliding, Tumbling};
use tidemill::{App, Settings, Topic};
use tidemill_testkit::TestDriver;

const LEFT: Topic<String, i64> = Topic::of("left");
const RIGHT: Topic<String, i64> = Topic::of("right");
const OUT: Topic<String, Option<i64>> = Topic::of("out");

const BOTH: Store<String, i64> = Store::of("both");

/// How many keys records come with.
const KEYS: u8 = 6;
const GRACE_MS: i64 = 1_000_000;
const GRACE: Duration = Duration::from_millis(GRACE_MS.unsigned_abs());

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What is done to a stream.
#[derive(Clone, Debug)]
enum Step {
    /// Lets records through whose value this does not divide.
    Filter(i64),
    Add(i64),
    /// So many copies.
    Repeat(u8),
    /// A new key from the value.
    Rekey(i64),
}

/// How it ends.
#[derive(Clone, Debug)]
enum End {
    Stream,
    Count,
    /// A sum per key and window.
    Windowed(u64),
    /// The same when the window has closed.
    Closed(u64),
    /// A sum per key and window, of which each record is in some.
    Hopping(u64),
    /// A sum per key and window that ends with a record or begins behind one.
    Sliding(u64),
    /// A sum per key and session.
    Sessions(u64),
    /// A sum per key of what comes on both topics.
    Cogroup,
    /// A sum per key, joined with the sums of the other topic.
    JoinTables,
    /// The sums of the values of pairs with the other topic, by an inner or by an outer join.
    JoinStreams(u64, bool),
    /// A sum per key, of which each points to a sum of the other topic.
    JoinOn(i64),
    /// A sum per key, summed by another key.
    Regroup(i64),
}

#[derive(Clone, Debug)]
struct Plan {
    steps: Vec<Step>,
    end: End,
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let step = prop_oneof![
        (2..5_i64).prop_map(Step::Filter),
        (1..5_i64).prop_map(Step::Add),
        (0..3_u8).prop_map(Step::Repeat),
        (2..6_i64).prop_map(Step::Rekey),
    ];
    let end = prop_oneof![
        Just(End::Stream),
        Just(End::Count),
        (5..80_u64).prop_map(End::Windowed),
        (5..80_u64).prop_map(End::Closed),
        (5..80_u64).prop_map(End::Hopping),
        (5..80_u64).prop_map(End::Sliding),
        (5..80_u64).prop_map(End::Sessions),
        Just(End::Cogroup),
        Just(End::JoinTables),
        (5..80_u64, any::<bool>()).prop_map(|(near, outer)| End::JoinStreams(near, outer)),
        (2..5_i64).prop_map(End::JoinOn),
        (2..5_i64).prop_map(End::Regroup),
    ];
    (prop::collection::vec(step, 0..4), end).prop_map(|(steps, end)| Plan { steps, end })
}

fn key_of(value: i64, keys: i64) -> String {
    format!("key-{}", value.rem_euclid(keys))
}

impl Plan {
    /// Whether it reads the right topic too.
    fn reads_right(&self) -> bool {
        matches!(self.end, End::Cogroup | End::JoinTables | End::JoinStreams(..) | End::JoinOn(_))
    }

    /// The keys of the records that one leads to.
    fn keys_behind(&self, key: &str, value: i64) -> Vec<String> {
        let mut records = vec![(key.to_owned(), value)];
        for step in &self.steps {
            records = records.into_iter().flat_map(|(key, value)| step.of(key, value)).collect();
        }
        records.into_iter().map(|(key, _)| key).collect()
    }

    /// Records that move the time of every partition on to where all windows are closed: one for each key that there is.
    fn closing(&self) -> Vec<Sent> {
        if !matches!(self.end, End::Closed(_)) {
            return Vec::new();
        }
        let mut found = BTreeMap::new();
        for (key, value) in (0..KEYS).flat_map(|key| (1..100).map(move |value| (key, value))) {
            for behind in self.keys_behind(&format!("key-{key}"), value) {
                found.entry(behind).or_insert((true, key, value, 3 * GRACE_MS));
            }
        }
        found.into_values().collect()
    }

    fn is_rekeyed(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Rekey(_)))
    }

    fn topology(&self) -> Topology {
        let b = StreamsBuilder::new();
        let stream = self.steps.iter().fold(b.stream(&LEFT), |stream, step| step.after(&stream));
        match &self.end {
            End::Stream => {
                stream.map_values(|value| Some(*value)).to(&OUT);
            }
            End::Count => {
                stream.group_by_key().count().to_stream().to(&OUT);
            }
            End::Windowed(size) => {
                let windows = Tumbling::of(ms(*size)).with_grace(GRACE);
                to_out(&stream.group_by_key().windowed_by(windows).reduce(|sum, value| sum + value));
            }
            End::Closed(size) => {
                let windows = Tumbling::of(ms(*size)).with_grace(GRACE);
                let sums = stream.group_by_key().windowed_by(windows).reduce(|sum, value| sum + value);
                to_out(&sums.suppress(Suppressed::until_window_closes(Buffer::unbounded())));
            }
            End::Hopping(size) => {
                let windows = Hopping::of(ms(*size), ms(size / 3 + 1)).with_grace(GRACE);
                to_out(&stream.group_by_key().windowed_by(windows).reduce(|sum, value| sum + value));
            }
            End::Sliding(size) => {
                let windows = Sliding::of(ms(*size)).with_grace(GRACE);
                to_out(&stream.group_by_key().windowed_by(windows).reduce(|sum, value| sum + value));
            }
            End::Sessions(gap) => {
                let windows = Session::gap(ms(*gap)).with_grace(GRACE);
                to_out(&stream.group_by_key().windowed_by(windows).reduce(|sum, value| sum + value));
            }
            End::Cogroup => {
                let add = |sum: i64, _: &String, value: &i64| sum + value;
                let take = |sum: i64, _: &String, value: &i64| sum - 3 * value;
                let both = stream.group_by_key().cogroup(add).and(&b.stream(&RIGHT).group_by_key(), take);
                both.aggregate(&BOTH, || 0).to_stream().to(&OUT);
            }
            End::JoinTables => {
                sums(&stream)
                    .outer_join(&other(&b), |l, r| l.unwrap_or(&0) * 1_000 + r.unwrap_or(&0))
                    .to_stream()
                    .to(&OUT);
            }
            End::JoinStreams(near, outer) => {
                let (right, near) = (b.stream(&RIGHT), JoinWindows::of(ms(*near)).with_grace(GRACE));
                let pairs = match outer {
                    true => stream.outer_join_stream(&right, near, |l, r| l.unwrap_or(&0) * 1_000 + r.unwrap_or(&0)),
                    false => stream.join_stream(&right, near, |l, r| l * 1_000 + r),
                };
                pairs.group_by_key().reduce(|sum, value| sum + value).to_stream().to(&OUT);
            }
            End::JoinOn(keys) => {
                let keys = *keys;
                let joined = sums(&stream).left_join_on(
                    &other(&b),
                    move |_, sum| Some(key_of(*sum, keys)),
                    |l, r| l * 1_000 + r.unwrap_or(&0),
                );
                joined.to_stream().to(&OUT);
            }
            End::Regroup(keys) => {
                let keys = *keys;
                let regrouped = sums(&stream).group_by(move |_, sum| (key_of(*sum, keys), *sum));
                regrouped.reduce(|all, sum| all + sum, |all, sum| all - sum).to_stream().to(&OUT);
            }
        }
        b.build().unwrap()
    }
}

impl Step {
    fn after<'b>(&self, stream: &Stream<'b, String, i64>) -> Stream<'b, String, i64> {
        match *self {
            Step::Filter(by) => stream.filter(move |_, value| value % by != 0),
            Step::Add(more) => stream.map_values(move |value| value + more),
            Step::Repeat(times) => stream.flat_map_values(move |value| vec![*value; usize::from(times)]),
            Step::Rekey(keys) => stream.select_key(move |_, value| key_of(*value, keys)),
        }
    }

    /// What the step makes of one record.
    fn of(&self, key: String, value: i64) -> Vec<(String, i64)> {
        match *self {
            Step::Filter(by) if value % by == 0 => Vec::new(),
            Step::Filter(_) => vec![(key, value)],
            Step::Add(more) => vec![(key, value + more)],
            Step::Repeat(times) => vec![(key, value); usize::from(times)],
            Step::Rekey(keys) => vec![(key_of(value, keys), value)],
        }
    }
}

fn to_out<K: Data<Plain = K> + std::fmt::Display>(table: &Table<'_, K, i64>) {
    table.to_stream().map(|row, sum| (row.to_string(), *sum)).to(&OUT);
}

fn sums<'b>(stream: &Stream<'b, String, i64>) -> Table<'b, String, i64> {
    stream.group_by_key().reduce(|sum, value| sum + value)
}

fn other(b: &StreamsBuilder) -> Table<'_, String, i64> {
    const OTHER: Store<String, i64> = Store::of("other");
    b.stream(&RIGHT).group_by_key().reduce_with(&OTHER, |sum, value| sum + value)
}

/// A record: whether it goes left, the number of its key, its value and its time.
type Sent = (bool, u8, i64, i64);

/// What came out, key by key.
type ByKey = BTreeMap<String, Vec<Option<i64>>>;

fn by_key(records: impl IntoIterator<Item = (String, Option<i64>)>) -> ByKey {
    let mut keys = ByKey::new();
    records.into_iter().for_each(|(key, value)| keys.entry(key).or_default().push(value));
    keys
}

fn in_driver(topology: &Topology, sent: &[Sent], closing: &[Sent]) -> ByKey {
    let mut driver = TestDriver::new(topology);
    for (to_left, key, value, time) in sent.iter().chain(closing) {
        let topic = if *to_left { &LEFT } else { &RIGHT };
        driver.input(topic).at(*time).send(format!("key-{key}"), *value);
    }
    let records = driver.output(&OUT).records();
    by_key(records.into_iter().map(|record| (record.key.unwrap(), record.value.flatten())))
}

async fn in_app(topology: &Topology, sent: &[Sent], closing: &[Sent]) -> ByKey {
    let folder = tempfile::tempdir().unwrap();
    let app = App::builder("app", topology.clone()).embedded(folder.path().join("data"));
    let settings =
        Settings { commit_interval: Duration::from_millis(5), partitions: 3, threads: 2, ..Settings::default() };
    let app = app.settings(settings).start().await.unwrap();
    for records in [sent, closing] {
        for (to_left, key, value, time) in records {
            let topic = if *to_left { &LEFT } else { &RIGHT };
            app.send_with(topic, format!("key-{key}"), *value, (*time).into(), &Headers::NONE).await.unwrap();
        }
        app.settled().await.unwrap();
    }
    let (mut subscription, mut records) = (app.subscribe(&OUT).unwrap(), Vec::new());
    loop {
        let more = subscription.read().unwrap();
        if more.is_empty() {
            break;
        }
        records.extend(more);
    }
    let came = by_key(records.into_iter().map(|record| (record.key, record.value.flatten())));
    app.close().await.unwrap();
    came
}

/// Leaves what does not depend on the order of partitions.
fn settled(plan: &Plan, mut came: ByKey) -> ByKey {
    for values in came.values_mut() {
        match plan.end {
            End::Stream if !plan.is_rekeyed() => {}
            End::Stream => values.sort_unstable(),
            _ => {
                values.drain(..values.len() - 1);
            }
        }
    }
    // A row that came and went is one that never was.
    came.retain(|_, values| *values != [None]);
    came
}

fn any_sent() -> impl Strategy<Value = Vec<Sent>> {
    prop::collection::vec((any::<bool>(), 0..KEYS, 1..100_i64, 0..400_i64), 0..40)
}

#[test]
fn what_waits_for_the_end_of_a_window_is_compared_too() {
    let plan = Plan { steps: vec![Step::Filter(2), Step::Rekey(3)], end: End::Closed(50) };
    let came = settled(&plan, in_driver(&plan.topology(), &[(true, 0, 7, 10), (true, 1, 13, 20)], &plan.closing()));
    assert_eq!(came, by_key([("key-1@0-50".to_owned(), Some(20))]));
}

proptest! {
    // Each starts an application on a folder of its own.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn several_partitions_give_what_one_gives(plan in any_plan(), sent in any_sent()) {
        let topology = plan.topology();
        let sent: Vec<Sent> = sent.into_iter().filter(|(to_left, ..)| *to_left || plan.reads_right()).collect();
        let closing = plan.closing();
        let expected = settled(&plan, in_driver(&topology, &sent, &closing));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let came = settled(&plan, runtime.block_on(in_app(&topology, &sent, &closing)));
        prop_assert_eq!(came, expected);
    }
}
