//! Every kind of story is told again by its token, word by word.

use tidemill::Topic;
use tidemill::stream::StreamsBuilder;
use tidemill_testkit::explorer::{Backend, Confluence, Explorer, Kafka, Moment, Order, Story, Verdict};

use crate::bank::{self, MOVEMENTS, OPERATIONS};

const BACKENDS: [Backend; 3] =
    [Backend::Kafka(Kafka::at_least_once()), Backend::Kafka(Kafka::exactly_once()), Backend::Embedded];

/// The names of the questions, one of each kind that tells stories.
const ASKED: [&str; 8] = [
    "no task fails",
    "never movements",
    "nothing is there",
    "nothing was written",
    "nothing is left",
    "confluent movements",
    "operation first",
    "refines crash-free",
];

/// Deposits at the same time, of which none is to be known when the next one is decided.
fn asked_of_the_bank(backend: Backend) -> Explorer {
    let explorer = Explorer::new(&bank::join()).on(backend);
    let explorer =
        [10, 10, -20].into_iter().fold(explorer, |all, amount| all.input_at(&OPERATIONS, 1, "alice", amount));
    explorer
        .never_output(&MOVEMENTS, |_, movement| movement.error.is_some())
        .always("nothing is there", |look| look.output(&MOVEMENTS).is_empty())
        .before(&OPERATIONS, "nothing was written", |_, look| look.written(&MOVEMENTS).is_empty())
        .at_quiescence("nothing is left", |look| look.output(&MOVEMENTS).is_empty())
        .confluent(&MOVEMENTS, Confluence::Exact)
        .order("operation first", Moment::processed(&OPERATIONS, 1), Moment::processed(&MOVEMENTS, 0))
        .sometimes("all are decided", |look| look.processed(&OPERATIONS) == 3)
}

/// A task that fails by its second record.
fn asked_of_what_fails(backend: Backend) -> Explorer {
    let (from, to): (Topic<String, i64>, Topic<String, i64>) = (Topic::of("in"), Topic::of("out"));
    let builder = StreamsBuilder::new();
    builder.stream(&from).try_map_values(|_, value| if *value > 1 { Err("too much") } else { Ok(*value) }).to(&to);
    Explorer::new(&builder.build().unwrap()).on(backend).crashes(1).input(&from, [("a", 1), ("a", 2)])
}

/// Counts that a crash or a former owner adds to twice: at-least-once does, and the others do not.
fn asked_whether_faults_show(backend: Backend) -> Explorer {
    let (words, counted): (Topic<String, String>, Topic<String, i64>) = (Topic::of("words"), Topic::of("counted"));
    let builder = StreamsBuilder::new();
    let counts = builder.stream(&words).group_by_key().count();
    counts.to_stream().map_values(|n| n.unwrap_or(0)).to(&counted);
    let explorer = Explorer::new(&builder.build().unwrap()).on(backend).crashes(1);
    explorer.input(&words, [("a", "x"), ("a", "y")]).refines_crash_free()
}

fn stories(explorer: &Explorer) -> Vec<(String, Story)> {
    let report = explorer.explore();
    assert!(report.is_complete(), "{report}");
    let of_answer = |(name, verdict): (&str, &Verdict)| match verdict {
        Verdict::Fails(story) => vec![(name.to_owned(), story.clone())],
        Verdict::Order(Order::Either { before, after }) => {
            [before, after].map(|story| (name.to_owned(), story.clone())).into()
        }
        _ => Vec::new(),
    };
    let mut stories: Vec<(String, Story)> = report.answers().flat_map(of_answer).collect();
    stories.extend(report.ends().iter().map(|end| ("an end".to_owned(), end.story.clone())));
    stories
}

#[test]
fn every_kind_of_story_is_told_again_by_its_token() {
    let mut told: Vec<String> = Vec::new();
    for backend in BACKENDS {
        for ask in [asked_of_the_bank, asked_of_what_fails, asked_whether_faults_show] {
            let explorer = ask(backend);
            for (name, story) in stories(&explorer) {
                let again = explorer.replay(&story.token()).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(again, story, "{backend}: {name}");
                assert_eq!(again.to_string(), story.to_string(), "{backend}: {name}");
                told.push(name);
            }
        }
    }
    let never_told: Vec<&&str> = ASKED.iter().filter(|name| !told.iter().any(|told| told == **name)).collect();
    assert!(never_told.is_empty(), "no story was told of {never_told:?}, only of {told:?}");
    println!("{} stories told again, word by word", told.len());
}

/// A search that was cut off does not know all ends of a calm run, so it cannot say that an end is none of them.
#[test]
fn what_was_cut_off_is_no_evidence_against_exactly_once() {
    let (left, right): (Topic<String, i64>, Topic<String, i64>) = (Topic::of("left"), Topic::of("right"));
    let builder = StreamsBuilder::new();
    builder.stream(&left).merge(&builder.stream(&right)).to(&Topic::<String, i64>::of("both"));
    let explorer = Explorer::new(&builder.build().unwrap())
        .crashes(2)
        .input(&left, (0..6).map(|n| ("l", n)))
        .input(&right, (0..6).map(|n| ("r", n)))
        .refines_crash_free();
    let report = explorer.states_max(50).explore();
    assert!(!report.is_complete());
    assert_eq!(report.verdict("refines crash-free"), &Verdict::Bounded, "{report}");
}
