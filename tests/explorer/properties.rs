//! The kinds of questions, each with both answers.

use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::{Context, Flow, Processor, PunctuationType, SilentContext};
use tidemill::record::{Record, Timestamp};
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill_testkit::explorer::{Backend, Cancel, Confluence, Explorer, Kafka, Look, Moment, Order, Verdict};

use crate::bank::{self, MOVEMENTS, OPERATIONS};

const IN: Topic<String, i64> = Topic::of("in");
const OTHER: Topic<String, i64> = Topic::of("other");
const OUT: Topic<String, i64> = Topic::of("out");
const TABLE: Store<String, i64> = Store::of("table");

fn two_deposits(backend: impl Into<Backend>) -> Explorer {
    Explorer::new(&bank::join()).on(backend).input(&OPERATIONS, [("alice", 10), ("alice", 10)])
}

#[test]
fn an_order_is_told_with_a_run_for_each_answer() {
    let ask = |backend| {
        let (second, first) = (Moment::processed(&OPERATIONS, 1), Moment::processed(&MOVEMENTS, 0));
        let report = two_deposits(backend).order("operation before movement", second, first).explore();
        report.verdict("operation before movement").clone()
    };
    let Verdict::Order(Order::Either { before, after }) = ask(Kafka::exactly_once().into()) else { panic!("either") };
    assert_ne!(before, after);
    assert_eq!(ask(Backend::Embedded), Verdict::Order(Order::After), "the movement comes first");

    let never = |topic| {
        let moments = (Moment::visible(&OPERATIONS, 0), Moment::visible(topic, 7));
        let report = two_deposits(Backend::Embedded).order("never", moments.0, moments.1).explore();
        report.verdict("never").clone()
    };
    assert_eq!(never(&MOVEMENTS), Verdict::Order(Order::NeverBoth));
}

#[test]
fn always_looks_at_every_world_and_sometimes_for_one() {
    let ask = |bad: usize, good: usize| {
        let explorer = two_deposits(Kafka::exactly_once())
            .always("few", move |look| look.output(&MOVEMENTS).len() < bad)
            .sometimes("all", move |look| look.output(&MOVEMENTS).len() == good);
        let report = explorer.explore();
        (report.verdict("few").name(), report.verdict("all").name())
    };
    assert_eq!(ask(2, 2), ("Fails", "Holds"));
    assert_eq!(ask(3, 3), ("Holds", "Vacuous"));
}

#[test]
fn what_was_never_asked_is_vacuous() {
    let report = two_deposits(Kafka::exactly_once()).never_output(&bank::SNAPSHOTS, |_, _| false).explore();
    assert_eq!(report.verdict("never accounts").name(), "Holds");
    let report = Explorer::new(&bank::join()).never_output(&MOVEMENTS, |_, _| true).explore();
    assert_eq!(report.verdict("never movements").name(), "Vacuous", "nothing was sent");
}

#[test]
fn a_search_that_was_cut_off_never_says_that_something_holds() {
    let report = two_deposits(Kafka::exactly_once()).at_quiescence("fine", |_| true).states_max(10).explore();
    assert!(!report.is_complete() && report.states() == 10);
    assert!(report.answers().all(|(_, verdict)| *verdict == Verdict::Bounded), "{report}");
    let cut = std::panic::catch_unwind(|| report.assert_holds());
    assert!(cut.is_err(), "a test must not pass by it");
}

/// The first of two topics decides; whichever it is.
fn last_wins() -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).merge(&builder.stream(&OTHER)).to(&OUT);
    builder.build().unwrap()
}

#[test]
fn runs_agree_as_far_as_is_asked() {
    let ask = |keys: [&str; 2], how| {
        let explorer = Explorer::new(&last_wins()).on(Kafka::at_least_once().without_idling());
        let explorer = explorer.input(&IN, [(keys[0], 1)]).input(&OTHER, [(keys[1], 2)]);
        explorer.confluent(&OUT, how).explore().verdict("confluent out").name()
    };
    assert_eq!(ask(["a", "b"], Confluence::Exact), "Fails");
    assert_eq!(ask(["a", "b"], Confluence::PerKey), "Holds");
    assert_eq!(ask(["a", "a"], Confluence::PerKey), "Fails");
    assert_eq!(ask(["a", "a"], Confluence::FinalTable), "Fails");
    assert_eq!(ask(["a", "b"], Confluence::FinalTable), "Holds");
}

#[test]
fn a_table_that_was_there_before_is_read_first_where_tasks_wait_for_what_they_know_of() {
    let builder = StreamsBuilder::new();
    let table = builder.table_with(&OTHER, &TABLE);
    builder.stream(&IN).left_join(&table, |_, row| row.copied().unwrap_or(0)).to(&OUT);
    let topology = builder.build().unwrap();
    let ask = |kafka: Kafka| {
        let explorer = Explorer::new(&topology).on(kafka).given(&OTHER, [("a", 5)]).input(&IN, [("a", 1)]);
        explorer.never_output(&OUT, |_, row| *row == 0).explore().verdict("never out").name()
    };
    assert_eq!(ask(Kafka::exactly_once()), "Holds");
    assert_eq!(ask(Kafka::exactly_once().without_idling()), "Fails");
}

#[test]
fn a_task_that_fails_is_a_story_of_its_own() {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).try_map_values(|_, value| if *value > 1 { Err("too much") } else { Ok(*value) }).to(&OUT);
    let report = Explorer::new(&builder.build().unwrap()).input(&IN, [("a", 1), ("a", 2)]).explore();
    let story = report.verdict("no task fails").story().expect("it fails").to_string();
    assert!(story.contains("too much"), "{story}");
}

#[test]
fn a_story_is_told_again_by_its_token() {
    let explorer = two_deposits(Kafka::at_least_once()).never_output(&MOVEMENTS, |_, _| true);
    let report = explorer.explore();
    let story = report.verdict("never movements").story().expect("there are movements");
    assert_eq!(&explorer.replay(&story.token()).unwrap(), story);
    assert!(explorer.replay("xpl1:zz(").is_err());
    for end in report.ends() {
        assert_eq!(explorer.replay(&end.story.token()).unwrap(), end.story);
    }
    assert!(story.mermaid().starts_with("sequenceDiagram\n"), "{}", story.mermaid());
}

/// Sends what it has when the clock says so.
#[derive(Clone, Default)]
struct Ticker;

impl Processor<String, i64, String, i64> for Ticker {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("tick", Duration::from_secs(1), PunctuationType::WallClock)
    }

    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.forward(record)
    }

    fn punctuate(&mut self, _timer: &str, now: Timestamp, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.forward(Record::new(&"tick".to_owned(), &now.as_millis(), now))
    }
}

#[test]
fn the_wall_clock_may_come_anywhere() {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).process(|| Ticker, &[]).to(&OUT);
    let topology = builder.build().unwrap();
    let ends = |ticks| Explorer::new(&topology).ticks(ticks).input(&IN, [("a", 1), ("a", 2)]).explore().ends().len();
    // Without a tick, or with one before, between or after the two records.
    assert_eq!((ends(0), ends(1)), (1, 4));
}

#[test]
fn a_search_that_is_cancelled_says_how_far_it_came() {
    let cancel = Cancel::default();
    let at_once = cancel.clone();
    let seen = move |look: &mut Look<'_, '_>| {
        if look.processed(&OPERATIONS) > 0 {
            at_once.cancel();
        }
        true
    };
    let report = two_deposits(Kafka::exactly_once()).cancel(&cancel).always("fine", seen).explore();
    assert!(cancel.is_cancelled() && !report.is_complete(), "{report}");
    assert_eq!(report.verdict("fine"), &Verdict::Bounded, "{report}");
    assert_eq!(
        (report.surprises(), report.sampled()),
        (Some(0), 0),
        "the run without surprises was not over: {report}"
    );
}

#[test]
fn beyond_the_last_world_runs_are_gone_at_random() {
    let bad = |look: &mut Look<'_, '_>| look.processed(&OPERATIONS) < 1;
    let report = two_deposits(Kafka::exactly_once()).states_max(2).always("nothing is processed", bad).explore();
    assert_eq!((report.states(), report.is_complete()), (2, false), "{report}");
    assert!(report.sampled() > 0, "{report}");
    assert_eq!(report.verdict("nothing is processed").name(), "Fails", "a run at random gets there: {report}");
}

#[test]
fn a_story_is_told_with_the_records_that_it_takes() {
    let explorer = Explorer::new(&last_wins())
        .input(&IN, [("k", 1), ("other", 2), ("k", 3)])
        .input(&OTHER, [("k", 4), ("other", 5)])
        .at_quiescence("a late one is no surprise", |look| {
            let written = look.output(&OUT);
            let place = |value| written.iter().position(|(_, written)| *written == value);
            place(4).is_none() || place(3).is_none() || place(3) < place(4)
        });
    let report = explorer.explore();
    let story = report.verdict("a late one is no surprise").story().unwrap_or_else(|| panic!("{report}"));
    assert_eq!(story.left_out(), 3, "only 3 and 4 are needed: {story}");
    assert!(story.token().starts_with("xpl1:~0.1.4~"), "{story}");
    assert_eq!(&explorer.replay(&story.token()).unwrap(), story);

    // Alone the withdrawal would be refused in every run.
    let join = Explorer::new(&bank::join()).input(&OPERATIONS, [("alice", 10), ("alice", 10), ("alice", -20)]);
    let report = join.never_output(&MOVEMENTS, |_, movement| movement.error.is_some()).explore();
    assert_eq!(report.verdict("never movements").story().map(|story| story.left_out()), Some(0), "{report}");
}

#[test]
fn quiet_inputs_may_let_time_move_on_between_any_two_records() {
    use tidemill::stream::{Buffer, Suppressed};
    use tidemill::topology::TaskSettings;
    use tidemill::window::Tumbling;

    // Windows of 100 ms, each counted once it is over; an input that is quiet for as long closes them.
    let builder = StreamsBuilder::new();
    let hundred = Duration::from_millis(100);
    let counts = builder.stream(&IN).group_by_key().windowed_by(Tumbling::of(hundred)).count();
    let last = counts.suppress(Suppressed::until_window_closes(Buffer::unbounded()));
    last.to_stream().map(|window, n| (window.key.clone(), n.unwrap_or(0))).to(&OUT);
    let topology = builder.build().unwrap();
    let counted = |idle_advance, ticks| {
        let settings = TaskSettings { idle_advance, ..TaskSettings::default() };
        let explorer = Explorer::new(&topology).settings(settings).ticks(ticks);
        let report = explorer.input_at(&IN, 1_010, "a", 1).input_at(&IN, 1_020, "a", 1).explore();
        let mut ends: Vec<Vec<String>> = report.ends().iter().map(|end| end.records["out-0"].clone()).collect();
        ends.sort();
        ends
    };
    let (nothing, of): (Vec<String>, _) = (Vec::new(), |n: i64| vec![format!("a = {n} (1010 ms)")]);
    assert_eq!(counted(None, 1), std::slice::from_ref(&nothing));
    assert_eq!(counted(Some(hundred), 0), std::slice::from_ref(&nothing));
    let late = vec!["a = 2 (1020 ms)".to_owned()];
    // Before the first record there is no time that could move; between the two the second one is late by it.
    assert_eq!(counted(Some(hundred), 1), [nothing, of(1), late]);
}
