//! Negative controls: faults that others have shipped are planted one by one, and a question that holds must fail.
//!
//! ```text
//! RUSTFLAGS="--cfg tidemill_mutants" cargo test --test explorer mutants -- --nocapture
//! ```

use std::time::Duration;

use tidemill::Topic;
use tidemill::mutants::{Mutant, plant};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::{TaskSettings, Topology};
use tidemill::window::Tumbling;
use tidemill_testkit::explorer::{Confluence, Explorer, Kafka};

const WORDS: Topic<String, String> = Topic::of("words");
const COUNTED: Topic<String, i64> = Topic::of("counted");

fn count() -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream(&WORDS).group_by_key().count().to_stream().map_values(|n| n.unwrap_or(0)).to(&COUNTED);
    builder.build().unwrap()
}

fn counting() -> Explorer {
    Explorer::new(&count()).crashes(1).input(&WORDS, [("a", "x"), ("a", "x")]).refines_crash_free()
}

/// A window that takes nothing late, and a record that is.
fn in_windows() -> Explorer {
    let builder = StreamsBuilder::new();
    let counts = builder.stream(&WORDS).group_by_key().windowed_by(Tumbling::of(Duration::from_millis(10))).count();
    counts.to_stream().map(|window, n| (window.key.clone(), n.unwrap_or(0))).to(&COUNTED);
    let explorer = Explorer::new(&builder.build().unwrap()).crashes(1).refines_crash_free();
    explorer.input_at(&WORDS, 5, "a", "x").input_at(&WORDS, 25, "a", "x").input_at(&WORDS, 6, "a", "late")
}

/// A row that points to one city, then to others: their answers come from different partitions.
fn foreign_key() -> Explorer {
    const PEOPLE: Topic<String, String> = Topic::of("people");
    const CITIES: Topic<String, String> = Topic::of("cities");
    let builder = StreamsBuilder::new();
    let (people, cities) = (builder.table(&PEOPLE), builder.table(&CITIES));
    let joined = people.join_on(&cities, |_, city| Some(city.clone()), |city, name| format!("{city}: {name}"));
    joined.to_stream().map_values(|text| text.clone().unwrap_or_default()).to(&Topic::<String, String>::of("joined"));
    Explorer::new(&builder.build().unwrap())
        .partitions(&CITIES, 3)
        .given(&CITIES, [("a", "Aachen"), ("paris", "Paris"), ("zz-top", "Zug")])
        .input(&PEOPLE, [("p", "a"), ("p", "paris"), ("p", "zz-top")])
        .confluent(&Topic::<String, String>::of("joined"), Confluence::FinalTable)
}

fn copying(kafka: Kafka) -> Explorer {
    let builder = StreamsBuilder::new();
    builder.stream(&WORDS).to(&Topic::<String, String>::of("copied"));
    Explorer::new(&builder.build().unwrap()).on(kafka).input(&WORDS, [("a", "x"), ("a", "y")]).refines_crash_free()
}

fn controls() -> [(Mutant, Explorer); 10] {
    let cached = TaskSettings { cache_bytes: 1 << 20, ..TaskSettings::default() };
    [
        (Mutant::RestoreStopsEarly, counting()),
        (Mutant::ChangesForgotten, counting()),
        (
            Mutant::CachesForgotten,
            counting()
                .settings(cached)
                .at_quiescence("counted", |look| look.output(&COUNTED).last() == Some(&("a".into(), 2))),
        ),
        (Mutant::TimesForgotten, in_windows()),
        (Mutant::FetchedCommitted, counting()),
        (Mutant::OldAnswerTaken, foreign_key()),
        (Mutant::PositionsFirst, copying(Kafka::at_least_once()).crashes(1)),
        (Mutant::ZombieCommits, copying(Kafka::exactly_once()).rebalances(1)),
        (Mutant::DirtyStoreKept, counting()),
        (Mutant::CheckpointAhead, counting()),
    ]
}

#[test]
fn every_planted_fault_is_found() {
    let mut alive = Vec::new();
    let controls = controls();
    for (mutant, explorer) in &controls {
        plant(None);
        explorer.explore().assert_holds();
        plant(Some(*mutant));
        let report = explorer.explore();
        plant(None);
        let story = report.answers().find_map(|(name, verdict)| Some((name, verdict.story()?)));
        match story {
            Some((name, story)) => println!("{mutant:?}: `{name}` fails after {} states\n{story}", report.states()),
            None => alive.push(*mutant),
        }
    }
    println!("mutants: {} of {} killed", controls.len() - alive.len(), controls.len());
    assert!(alive.is_empty(), "not found: {alive:?}");
}
