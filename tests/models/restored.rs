//! A task restored from its changelogs has the rows of the one that went on, in stores of every kind, and answers what comes
//! next as that one does.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tidemill::log::Progress;
use tidemill::record::{Batch, BatchBuilder, Headers, Offset, TopicName};
use tidemill::serde::Data;
use tidemill::state::{Changelog, Direction, KeyRange, Store, VersionedStore, WindowStore};
use tidemill::stream::{Buffer, Deduplicated, Joined, StreamsBuilder, Suppressed, Table};
use tidemill::task::Task;
use tidemill::topology::{TaskSettings, Topology};
use tidemill::window::{Hopping, JoinWindows, Session, Sliding, Tumbling};
use tidemill::{Topic, record::Timestamp};

use crate::input::{LEFT, RIGHT, Sent, records};
use crate::tasks::{queue, task_with};

const VERSIONS: VersionedStore<String, i64> = VersionedStore::of("versions", Duration::from_secs(1));

const BOTH: Store<String, i64> = Store::of("both");
const BOTH_WINDOWS: WindowStore<String, i64> = WindowStore::of("both-windows");

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn out<K: Data<Plain = K> + std::fmt::Display>(table: &Table<'_, K, i64>, topic: &'static str) {
    let topic = Topic::<String, Option<i64>>::of(topic);
    table.to_stream().map(|row, count| (row.to_string(), *count)).to(&topic);
}

fn texts(topic: &'static str) -> Topic<Option<String>, String> {
    Topic::of(topic)
}

/// A store of every kind that there is: rows, versions, windows, sessions, buffers, and those of joins.
fn kinds() -> Topology {
    let b = StreamsBuilder::new();
    let (left, right) = (b.stream(&LEFT), b.stream(&RIGHT));
    let grouped = left.group_by_key();
    out(&grouped.count(), "counts");
    let windows = grouped.windowed_by(Tumbling::of(ms(50)).with_grace(ms(60))).count();
    out(&windows, "windows");
    out(&windows.suppress(Suppressed::until_window_closes(Buffer::unbounded())), "closed");
    out(&grouped.windowed_by(Sliding::of(ms(30)).with_grace(ms(60))).count(), "sliding");
    out(&grouped.windowed_by(Session::gap(ms(20)).with_grace(ms(60))).count(), "sessions");
    let versions = right.to_table_with(&VERSIONS);
    left.join_with(&versions, Joined::grace(ms(40)), |l, r| format!("{l} {r}")).named("patient").to(&texts("as-of"));
    let near = JoinWindows::of(ms(40)).after(ms(60)).with_grace(ms(20));
    left.outer_join_stream(&right, near, |l, r| format!("{l:?} {r:?}")).to(&texts("pairs"));
    let (rows, pointed) = (left.to_table(), right.to_table());
    let by_value = rows.left_join_on(
        &pointed,
        |_, v| Some(["a", "b", "cc"][usize::try_from(v % 3).unwrap()].to_owned()),
        |l, r| format!("{l} {r:?}"),
    );
    by_value.to_stream().to(&Topic::<String, Option<String>>::of("pointed"));
    b.build().unwrap()
}

/// What several operators keep in stores of those kinds, each in its own way.
fn operators() -> Topology {
    let b = StreamsBuilder::new();
    let (left, right) = (b.stream(&LEFT), b.stream(&RIGHT));
    let (grouped, taken) = (left.group_by_key(), right.group_by_key());
    let (add, take) = (|sum: i64, _: &String, v: &i64| sum + v, |sum: i64, _: &String, v: &i64| sum - v);
    out(&grouped.cogroup(add).and(&taken, take).aggregate(&BOTH, || 0), "both");
    let hopping = grouped.windowed_by(Hopping::of(ms(40), ms(15)).with_grace(ms(60)));
    let add = |sum: i64, _: &String, v: &Option<i64>| sum + v.unwrap_or(0);
    let take = |sum: i64, _: &String, v: &Option<i64>| sum - v.unwrap_or(0);
    out(&hopping.cogroup(add).and(&taken, take).aggregate(&BOTH_WINDOWS, || 0), "both-windows");
    let once = left.deduplicate_by(Deduplicated::within(ms(50)).grace(ms(100)), |_, value| value.map(|v| v % 4));
    once.map_values(|value| format!("{value:?}")).to(&texts("once"));
    let (rows, others) = (left.to_table(), right.to_table());
    out(&rows.join(&others, |l, r| l * 1_000 + r), "inner");
    out(&rows.left_join(&others, |l, r| l * 1_000 + r.unwrap_or(&0)), "left-joined");
    out(&rows.outer_join(&others, |l, r| l.unwrap_or(&0) * 1_000 + r.unwrap_or(&0)), "outer");
    let by_digit = rows.group_by(|_, value| ((value % 3).to_string(), *value));
    out(&by_digit.reduce(|sum, value| sum + value, |sum, value| sum - value), "by-digit");
    let best = by_digit.top_n(2, |value| (value % 10, *value));
    best.to_stream().map_values(|best| format!("{best:?}")).to(&Topic::<String, String>::of("best"));
    let counts = left.group_by_key().count();
    out(&counts.suppress(Suppressed::until_time_limit(ms(70), Buffer::unbounded())), "slowly");
    out(&right.group_by_key().count().expire_after(ms(160)), "forgetful");
    b.build().unwrap()
}

/// What came out: topic, key, value and time, as bytes.
type Came = Vec<(TopicName, Option<Vec<u8>>, Option<Vec<u8>>, Timestamp)>;

/// A task, and all that it ever committed.
struct Running {
    task: Task,
    logged: BTreeMap<TopicName, Vec<Arc<Batch>>>,
    progress: Progress,
}

impl Running {
    fn new(topology: &Topology, changelog: Changelog) -> Self {
        let settings = TaskSettings { changelog, emit_interval: Duration::ZERO, ..TaskSettings::default() };
        let mut task = task_with(topology, &settings);
        task.begin().unwrap();
        Running { task, logged: BTreeMap::new(), progress: Progress::default() }
    }

    /// Processes records with all that follows from them, and commits.
    fn process(&mut self, records: &[Sent]) -> Came {
        let mut came = Vec::new();
        for sent in records {
            let topic = if sent.to_left { "left" } else { "right" };
            let value = sent.value.map(i64::to_be_bytes);
            let mut record = BatchBuilder::default();
            record.push(
                sent.time.into(),
                sent.key.as_ref().map(String::as_bytes),
                value.as_ref().map(|v| &v[..]),
                &Headers::NONE,
            );
            self.enqueue(topic, record.finish(Offset::ZERO));
            while self.task.process().unwrap().is_some() {
                self.commit(&mut came);
            }
        }
        came
    }

    fn enqueue(&mut self, topic: &str, batch: Batch) {
        let number = queue(&self.task, topic);
        let next = self.task.fetch_position(number);
        self.task.enqueue(number, &Arc::new(batch.rebased(next))).unwrap();
    }

    fn commit(&mut self, came: &mut Came) {
        self.task.prepare_commit().unwrap();
        let progress = self.task.take_progress();
        self.progress.inputs.extend(progress.inputs);
        self.progress.notes.extend(progress.notes);
        for (place, batch) in self.task.state().outputs().take_all() {
            if place.topic.ends_with("-changelog") {
                self.logged.entry(place.topic).or_default().push(Arc::new(batch));
            } else if self.task.inputs().any(|(_, input)| input.topic == place.topic) {
                self.enqueue(&place.topic, batch);
            } else {
                let seen = |_, record: tidemill::record::StoredRecord<'_>| {
                    let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
                    came.push((place.topic.clone(), bytes(record.key), bytes(record.value), record.timestamp));
                    Ok::<_, std::convert::Infallible>(())
                };
                let Ok(()) = Arc::new(batch).for_each(seen);
            }
        }
    }

    /// Another task of the same state, made from what was committed alone.
    fn restored(&self, topology: &Topology, changelog: Changelog) -> Running {
        let settings = TaskSettings { changelog, emit_interval: Duration::ZERO, ..TaskSettings::default() };
        let mut task = task_with(topology, &settings);
        for (topic, batches) in &self.logged {
            let store = topic.strip_prefix("test-").and_then(|topic| topic.strip_suffix("-changelog")).unwrap();
            let store = task.state().store_named(store).unwrap();
            for batch in batches {
                batch.for_each(|_, record| store.apply(&record)).unwrap();
            }
        }
        let places: Vec<_> = task.inputs().map(|(number, place)| (number, place.clone())).collect();
        for (number, place) in places {
            if let Some(progress) = self.progress.inputs.get(&place) {
                task.resume(number, *progress);
            }
        }
        task.resume_time(&self.progress);
        task.resume_notes(&self.progress).unwrap();
        task.begin().unwrap();
        Running { task, logged: self.logged.clone(), progress: self.progress.clone() }
    }

    /// The rows of every store.
    fn rows(&mut self, topology: &Topology) -> Vec<(String, Vec<u8>, Vec<u8>, Timestamp)> {
        let mut rows = Vec::new();
        for spec in topology.stores() {
            let store = self.task.state().store_named(spec.name()).unwrap();
            store
                .visit(&KeyRange::ALL, Direction::Forward, &mut |key, value, time| {
                    rows.push((spec.name().to_string(), key.to_vec(), value.to_vec(), time));
                    ControlFlow::Continue(())
                })
                .unwrap();
        }
        rows
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_restored_task_is_the_one_that_went_on(
        of_kinds: bool, every_update: bool, before in records(60, 120), after in records(30, 120)
    ) {
        let changelog = if every_update { Changelog::EveryUpdate } else { Changelog::LastPerCommit };
        let topology = if of_kinds { kinds() } else { operators() };
        let mut live = Running::new(&topology, changelog);
        live.process(&before);
        let mut restored = live.restored(&topology, changelog);
        prop_assert_eq!(live.rows(&topology), restored.rows(&topology));
        for sent in &after {
            let one = std::slice::from_ref(sent);
            prop_assert_eq!(live.process(one), restored.process(one), "{:?}", sent);
        }
        prop_assert_eq!(live.rows(&topology), restored.rows(&topology));
    }
}
