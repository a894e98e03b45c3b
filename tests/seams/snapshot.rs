//! A task restored from a snapshot is the task: same fingerprint, same way on, whenever the snapshot was taken.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tidemill::Topic;
use tidemill::processor::{CannotSnapshot, Context, Flow, ProcessError, Processor, SnapshotBytes};
use tidemill::processor::{PunctuationType, SilentContext};
use tidemill::record::{Batch, Offset, Record, Timestamp, TopicPartition};
use tidemill::state::{Changelog, Emit, Store, StoreSpec};
use tidemill::stream::{Buffer, Consumed, StreamsBuilder, Suppressed};
use tidemill::task::{Fingerprint, Processed, Readiness, Task};
use tidemill::topology::{TaskSettings, TimestampExtractor, Topology};
use tidemill::window::{EmitStrategy, Session, Tumbling};

use super::delete::Delete;
use super::tasks::{batch, queue, task, task_with};

const LEFT: Topic<String, i64> = Topic::of("left");
const RIGHT: Topic<String, i64> = Topic::of("right");
const CLOCKED: Topic<String, i64> = Topic::of("clocked");
const OUT: Topic<String, i64> = Topic::of("out");
const COUNTS: Topic<String, i64> = Topic::of("counts");
const ROWS: Store<String, i64> = Store::of("rows");
const COUNTED: Store<String, i64> = Store::of("counted");

/// Numbers the records in a field of its own, and can be copied.
#[derive(Default)]
struct Numbered(i64);

impl Processor<String, i64, String, i64> for Numbered {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("stream", Duration::from_millis(1), PunctuationType::StreamTime)?;
        ctx.schedule("sometimes", Duration::from_millis(2), PunctuationType::StreamTime)?;
        ctx.schedule("clock", Duration::from_millis(4), PunctuationType::WallClock)
    }

    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut Context<'_, String, i64>) -> Flow {
        self.0 += 1;
        if timer == "clock" && self.0 % 2 == 0 {
            ctx.cancel("sometimes");
            ctx.schedule_from("once more", time, Duration::from_millis(1), PunctuationType::StreamTime)?;
            ctx.request_commit();
        }
        ctx.forward(Record::new(&timer.to_owned(), &(self.0 * 1_000), time))
    }

    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        self.0 += 1;
        ctx.forward(record.with_value(&(self.0 * 1_000 + record.value)))
    }

    fn snapshot(&self, out: &mut SnapshotBytes) -> Result<(), CannotSnapshot> {
        out.extend_from_slice(&self.0.to_be_bytes());
        Ok(())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), ProcessError> {
        self.0 = i64::from_be_bytes(bytes.try_into()?);
        Ok(())
    }
}

/// Numbers the records in a field of its own, and cannot be copied.
struct Uncopied(u64);

impl Processor<String, i64, String, i64> for Uncopied {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        self.0 += 1;
        ctx.forward(record)
    }
}

/// Three queues, a processor with a store, one with a field, a table of counts with a filter that asks for old rows, windows
/// that wait or close, sessions, and a topic that it reads itself. With a cache both stores hold changes back.
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    builder.add_store(StoreSpec::plain(&ROWS).emit(Emit::Cached));
    let clocked = builder.stream_with(&CLOCKED, Consumed::timestamps(TimestampExtractor::WallClock));
    let all = builder.stream(&LEFT).merge(&builder.stream(&RIGHT)).merge(&clocked);
    let counts = all.group_by_key().count_with(&COUNTED);
    counts.filter(|_, count| count % 2 == 0).to_stream().to(&COUNTS);
    let size = Duration::from_millis(2);
    let windows = all.group_by_key().windowed_by(Tumbling::of(size).with_grace(Duration::from_millis(1)));
    let last = windows.count().suppress(Suppressed::until_window_closes(Buffer::unbounded()));
    last.to_stream().map(|row, count| (row.to_string(), *count)).to(&COUNTS);
    let closing = windows.emit_strategy(EmitStrategy::OnWindowClose).reduce(|sum, value| sum + value);
    closing.to_stream().map(|row, sum| (row.to_string(), *sum)).to(&COUNTS);
    let sessions = all.group_by_key().windowed_by(Session::gap(size)).count();
    sessions.to_stream().map(|row, count| (row.to_string(), *count)).to(&COUNTS);
    let numbered = all.process(|| Delete { store: ROWS }, &[&ROWS]).process(Numbered::default, &[]);
    numbered.filter(|_, value| value % 3 == 0).to(&RIGHT);
    numbered.to(&OUT);
    builder.build().unwrap()
}

#[derive(Clone, Debug)]
enum Action {
    /// Records for a queue, behind a gap: time and key and value of each.
    Enqueue {
        topic: &'static str,
        gap: u64,
        records: Vec<(i64, &'static str, i64)>,
    },
    LearnEnd {
        topic: &'static str,
        more: u64,
    },
    MoveClock(i64),
    Punctuate,
    Process,
    TakeOwn,
    Commit,
}

/// What can be seen of an action.
#[derive(Debug, PartialEq)]
enum Seen {
    Nothing,
    Ready(Readiness),
    Processed(Option<Processed>),
    Fired { any: bool, progress: bool, commit: bool },
    Written(Vec<(TopicPartition, Batch)>, String),
}

fn act(task: &mut Task, action: &Action) -> Seen {
    match action {
        Action::Enqueue { topic, gap, records } => {
            let queue = queue(task, topic);
            let base = task.fetch_position(queue).get() + gap;
            task.enqueue(queue, &batch(base, records)).unwrap();
            Seen::Ready(task.readiness())
        }
        Action::LearnEnd { topic, more } => {
            let queue = queue(task, topic);
            task.learn_end(queue, task.fetch_position(queue).plus(*more));
            Seen::Ready(task.readiness())
        }
        Action::MoveClock(to) => {
            task.state().set_now(Timestamp::from_millis(*to));
            Seen::Nothing
        }
        Action::Punctuate => Seen::Fired {
            any: task.punctuate_wall_clock().unwrap(),
            progress: task.has_progress(),
            commit: task.commit_requested(),
        },
        Action::Process => Seen::Processed(task.process().unwrap()),
        Action::TakeOwn => Seen::Written(task.state().outputs().take_own_input(), String::new()),
        Action::Commit => {
            task.prepare_commit().unwrap();
            let progress = format!("{:?}", task.take_progress());
            Seen::Written(task.state().outputs().take_all(), progress)
        }
    }
}

fn any_action() -> impl Strategy<Value = Action> {
    let topic = prop::sample::select(vec!["left", "right", "clocked"]);
    let key = prop::sample::select(vec!["a", "b", "a longer key than a cell has room for", ""]);
    // Few times, so that many are equal.
    let records = prop::collection::vec((0_i64..3, key, -2_i64..9), 1..4);
    prop_oneof![
        4 => (topic.clone(), prop_oneof![3 => Just(0_u64), 1 => 1_u64..3], records)
            .prop_map(|(topic, gap, records)| Action::Enqueue { topic, gap, records }),
        1 => (topic, 0_u64..2).prop_map(|(topic, more)| Action::LearnEnd { topic, more }),
        1 => (0_i64..20).prop_map(Action::MoveClock),
        1 => Just(Action::Punctuate),
        8 => Just(Action::Process),
        1 => Just(Action::TakeOwn),
        1 => Just(Action::Commit),
    ]
}

/// Any changelog; no cache, one that is too small for what the actions change, or a large one.
fn any_settings() -> impl Strategy<Value = TaskSettings> {
    let changelog = prop::sample::select(vec![Changelog::EveryUpdate, Changelog::LastPerCommit, Changelog::Off]);
    let cache = prop::sample::select(vec![0, 200, 1_000_000]);
    (changelog, cache).prop_map(|(changelog, cache_bytes)| TaskSettings {
        changelog,
        cache_bytes,
        ..TaskSettings::default()
    })
}

/// A copy of a task by way of its snapshot; that the copy gives the same snapshot is asserted.
fn copy(original: &mut Task, topology: &Topology, settings: &TaskSettings) -> Task {
    let mut bytes = Vec::new();
    original.snapshot(&mut bytes).unwrap();
    let mut copy = task_with(topology, settings);
    // The wall clock is told, not kept.
    copy.state().set_now(original.state().now());
    copy.restore(&bytes).unwrap();
    let mut again = Vec::new();
    copy.snapshot(&mut again).unwrap();
    assert!(bytes == again, "a copy gives the bytes that it was made from");
    assert_eq!(Fingerprint::of(&bytes), original.fingerprint().unwrap());
    assert_eq!(copy.state().now(), original.state().now());
    copy
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_copy_goes_on_as_the_original(
        before in prop::collection::vec(any_action(), 0..40),
        after in prop::collection::vec(any_action(), 0..40),
        settings in any_settings(),
    ) {
        let topology = topology();
        let mut original = task_with(&topology, &settings);
        before.iter().for_each(|action| { act(&mut original, action); });
        let mut copy = copy(&mut original, &topology, &settings);
        for action in after.iter().chain([&Action::Process, &Action::Commit]) {
            prop_assert_eq!(act(&mut original, action), act(&mut copy, action), "{:?}", action);
        }
        prop_assert_eq!(original.fingerprint().unwrap(), copy.fingerprint().unwrap());
    }

    #[test]
    fn a_task_goes_back_to_an_earlier_state_of_its_own(
        before in prop::collection::vec(any_action(), 0..20),
        detour in prop::collection::vec(any_action(), 0..20),
        settings in any_settings(),
    ) {
        let mut task = task_with(&topology(), &settings);
        before.iter().for_each(|action| { act(&mut task, action); });
        let mut bytes = Vec::new();
        task.snapshot(&mut bytes).unwrap();
        detour.iter().for_each(|action| { act(&mut task, action); });
        task.restore(&bytes).unwrap();
        prop_assert_eq!(task.fingerprint().unwrap(), Fingerprint::of(&bytes));
    }
}

#[test]
fn a_copy_has_everything_that_waits() {
    let topology = topology();
    let settings = TaskSettings::default();
    let mut original = task_with(&topology, &settings);
    let (left, right) = (queue(&original, "left"), queue(&original, "right"));
    // Equal times in two queues; rows that the changelog does not have, one of them deleted; outputs not committed.
    original.enqueue(left, &batch(0, &[(5, "a", 1), (5, "b", 2), (5, "b", -1), (5, "c", 4)])).unwrap();
    original.enqueue(right, &batch(7, &[(5, "d", 5), (5, "e", 6)])).unwrap();
    (0..4).for_each(|_| assert!(original.process().unwrap().is_some()));
    let mut copy = copy(&mut original, &topology, &settings);
    assert_eq!((copy.buffered(left), copy.buffered(right)), (original.buffered(left), original.buffered(right)));
    assert_eq!(copy.fetch_position(right), Offset::new(9));
    let ways = [&mut original, &mut copy].map(|task| {
        let rest: Vec<Processed> = std::iter::from_fn(|| task.process().unwrap()).collect();
        (rest, act(task, &Action::Commit))
    });
    assert_eq!(ways[0], ways[1]);
    let Seen::Written(written, _) = &ways[0].1 else { panic!("a commit writes") };
    let changelog = written.iter().find(|(to, _)| *to.topic == *"test-rows-changelog").unwrap();
    let mut rows = Vec::new();
    changelog
        .1
        .for_each(|_, row| {
            rows.push((row.key.unwrap().to_vec(), row.value.is_some()));
            Ok::<_, ()>(())
        })
        .unwrap();
    let row = |key: &str, there| (key.as_bytes().to_vec(), there);
    assert!(rows.contains(&row("b", false)), "the deletion came along: {rows:?}");
    assert_eq!(rows.len(), 5, "each changed row once: {rows:?}");
}

#[test]
fn a_record_behind_a_gap_keeps_its_offset() {
    let topology = topology();
    let mut original = task(&topology, Changelog::Off);
    let left = queue(&original, "left");
    original.enqueue(left, &batch(0, &[(1, "a", 1)])).unwrap();
    original.enqueue(left, &batch(5, &[(2, "b", 1)])).unwrap();
    let mut copy =
        copy(&mut original, &topology, &TaskSettings { changelog: Changelog::Off, ..TaskSettings::default() });
    let offsets: Vec<u64> = std::iter::from_fn(|| copy.process().unwrap()).map(|done| done.offset.get()).collect();
    assert_eq!(offsets, [0, 5]);
}

#[test]
fn a_head_keeps_the_time_that_the_clock_gave_it() {
    let topology = topology();
    let mut original = task(&topology, Changelog::Off);
    original.state().set_now(Timestamp::from_millis(9));
    let (left, clocked) = (queue(&original, "left"), queue(&original, "clocked"));
    original.enqueue(clocked, &batch(0, &[(0, "a", 1)])).unwrap();
    original.enqueue(left, &batch(0, &[(7, "b", 1)])).unwrap();
    let mut bytes = Vec::new();
    original.snapshot(&mut bytes).unwrap();
    let mut copy = task(&topology, Changelog::Off);
    copy.state().set_now(Timestamp::from_millis(2));
    copy.restore(&bytes).unwrap();
    assert_eq!(copy.process().unwrap().unwrap().queue, left, "7 comes before the 9 that the clock gave");
    assert_eq!(copy.state().now(), Timestamp::from_millis(2), "the clock is left as it was told");
    copy.process().unwrap();
    assert_eq!(copy.state().stream_time(), Some(Timestamp::from_millis(9)));
}

#[test]
fn an_extractor_that_changes_its_mind_is_found_out() {
    let asked = Arc::new(std::sync::atomic::AtomicI64::new(0));
    let counting = TimestampExtractor::custom(move |_, _| {
        Timestamp::from_millis(asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    });
    let builder = StreamsBuilder::new();
    builder.stream_with(&LEFT, Consumed::timestamps(counting)).to(&OUT);
    let mut task = task(&builder.build().unwrap(), Changelog::Off);
    task.enqueue(0, &batch(0, &[(1, "a", 1)])).unwrap();
    let mut bytes = Vec::new();
    task.snapshot(&mut bytes).unwrap();
    assert_eq!(
        task.restore(&bytes).unwrap_err().to_string(),
        "a task's state cannot be copied: processing failed: the timestamp extractor of `left-0` gives a record another \
         time than before"
    );
}

#[test]
fn a_processor_that_cannot_be_copied_says_so() {
    let builder = StreamsBuilder::new();
    builder.stream(&LEFT).process(|| Uncopied(0), &[]).to(&OUT);
    let mut task = task(&builder.build().unwrap(), Changelog::Off);
    task.enqueue(0, &batch(0, &[(1, "a", 1)])).unwrap();
    assert!(task.process().unwrap().is_some(), "it can run");
    assert_eq!(
        task.snapshot(&mut Vec::new()).unwrap_err().to_string(),
        "a processor keeps state in its fields and cannot be copied: implement `snapshot` and `restore`, or move the state \
         into a store"
    );
    assert!(task.fingerprint().is_err());
}

#[test]
fn a_task_that_failed_is_not_restored() {
    let builder = StreamsBuilder::new();
    builder.stream(&LEFT).process(|| Numbered(i64::MAX), &[]).to(&OUT);
    let topology = builder.build().unwrap();
    let mut failing = task(&topology, Changelog::Off);
    let mut bytes = Vec::new();
    failing.snapshot(&mut bytes).unwrap();
    failing.enqueue(0, &batch(0, &[(1, "a", 1)])).unwrap();
    assert!(failing.process().is_err(), "an overflow panics in the processor");
    assert_eq!(
        failing.restore(&bytes).unwrap_err().to_string(),
        "a task's state cannot be copied: processing failed: task 0_0 failed before: drop it and make a new one, which \
         restores from the last commit"
    );
    task(&topology, Changelog::Off).restore(&bytes).unwrap();
}

#[test]
fn bytes_that_are_cut_off_are_an_error() {
    let topology = topology();
    let settings = TaskSettings { cache_bytes: 1_000, ..TaskSettings::default() };
    let mut original = task_with(&topology, &settings);
    let left = queue(&original, "left");
    original.enqueue(left, &batch(0, &[(5, "a", 1), (5, "b", 2)])).unwrap();
    original.process().unwrap();
    let mut bytes = Vec::new();
    original.snapshot(&mut bytes).unwrap();
    for cut in 0..bytes.len() {
        assert!(task_with(&topology, &settings).restore(&bytes[..cut]).is_err(), "cut at {cut}");
    }
}
