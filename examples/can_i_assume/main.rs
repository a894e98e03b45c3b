//! The question that tidemill began with, answered for every backend.
//!
//! ```text
//! cargo run --release --example can_i_assume -- --stories
//! ```

mod cli;
mod topology;

use std::io::{IsTerminal, Write};

use clap::Parser;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde_json::json;
use tidemill::prelude::*;
use tidemill_testkit::TestDriver;
use tidemill_testkit::explorer::{Backend, Cancel, Explorer, Kafka, Report, Verdict};

use cli::Cli;
use topology::{MOVEMENTS, OPERATIONS};

/// The name of the question in the reports.
const QUESTION: &str = "never movements";

/// A topology on a backend, and what was found.
struct Row {
    topology: &'static str,
    report: Report,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cli = Cli::parse();
    let cancel = Cancel::default();
    cancel_at_ctrl_c(cancel.clone())?;
    let deposits = i64::from(cli.operations) - 1;
    let operations: Vec<i64> = (0..deposits).map(|_| 10).chain([-10 * deposits]).collect();
    let (join, event_sourced) = (topology::join()?, topology::event_sourced()?);
    let in_driver = [
        ("join", refused_in_driver(&join, &operations)),
        ("event sourced", refused_in_driver(&event_sourced, &operations)),
    ];
    let mut rows = Vec::new();
    for (name, topology) in [("join", &join), ("event sourced", &event_sourced)] {
        for backend in backends() {
            rows.push(Row { topology: name, report: explore(topology, backend, &operations, cli.crashes, &cancel) });
        }
    }
    let out = &mut std::io::stdout().lock();
    if cli.json {
        as_json(out, &in_driver, &rows)?
    } else {
        as_table(out, &in_driver, &rows)?
    }
    for Row { topology, report } in &rows {
        let Verdict::Fails(story) = report.verdict(QUESTION) else { continue };
        if cli.stories {
            writeln!(out, "\n{topology}, {}: the withdrawal is refused\n{story}", report.backend())?;
        }
        if cli.mermaid {
            writeln!(out, "\n{topology}, {}\n```mermaid\n{}```", report.backend(), story.mermaid())?;
        }
        if let Some(folder) = &cli.draw {
            std::fs::write(folder.join(picture_name(topology, report.backend())), story.svg())?;
        }
    }
    Ok(())
}

/// The first Ctrl-C ends the searches with what they have found so far; a second one ends the program.
fn cancel_at_ctrl_c(cancel: Cancel) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    std::thread::spawn(move || {
        while runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            if cancel.is_cancelled() {
                std::process::exit(130);
            }
            cancel.cancel();
        }
    });
    Ok(())
}

fn backends() -> [Backend; 5] {
    [
        Kafka::at_least_once().without_idling().into(),
        Kafka::at_least_once().into(),
        Kafka::exactly_once().without_idling().into(),
        Kafka::exactly_once().into(),
        Backend::Embedded,
    ]
}

/// Whether anything is refused in a unit test that commits after every record.
fn refused_in_driver(topology: &Topology, operations: &[i64]) -> bool {
    let mut driver = TestDriver::new(topology);
    for (time, amount) in operations.iter().enumerate() {
        driver.input(&OPERATIONS).at(i64::try_from(time).unwrap_or(i64::MAX)).send("alice", *amount);
    }
    driver.output(&MOVEMENTS).values().iter().any(|movement| movement.refused)
}

fn explore(topology: &Topology, backend: Backend, operations: &[i64], crashes: u8, cancel: &Cancel) -> Report {
    let show = std::io::stderr().is_terminal();
    let report = Explorer::new(topology)
        .on(backend)
        .crashes(crashes)
        .cancel(cancel)
        .input(&OPERATIONS, operations.iter().map(|amount| ("alice", *amount)))
        .never_output(&MOVEMENTS, |_, movement| movement.refused)
        .progress(move |states, waiting| {
            if show {
                eprint!("\r{backend}: {states} states looked at, {waiting} waiting ");
            }
        })
        .explore();
    if show {
        eprint!("\r\x1b[2K");
    }
    report
}

/// The name of the file with a story's picture: `join-kafka-exactly-once-idling.svg`.
fn picture_name(topology: &str, backend: Backend) -> String {
    let words = format!("{topology} {backend}").replace(',', "");
    format!("{}.svg", words.replace(' ', "-"))
}

fn as_table(out: &mut impl Write, in_driver: &[(&str, bool)], rows: &[Row]) -> std::io::Result<()> {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["topology", "backend", "never refused?", "states", "transitions", "outcomes"]);
    for (topology, refused) in in_driver {
        let verdict = if *refused { "Fails" } else { "Holds, in the one run that it makes" };
        table.add_row([topology, "test driver, a commit after every record", verdict, "", "", "1"]);
    }
    for Row { topology, report } in rows {
        table.add_row([
            (*topology).to_owned(),
            report.backend().to_string(),
            report.verdict(QUESTION).name().to_owned(),
            report.states().to_string(),
            report.transitions().to_string(),
            report.ends().len().to_string(),
        ]);
    }
    writeln!(out, "{table}")
}

fn as_json(out: &mut impl Write, in_driver: &[(&str, bool)], rows: &[Row]) -> std::io::Result<()> {
    for (topology, refused) in in_driver {
        let verdict = if *refused { "Fails" } else { "Holds" };
        let line = json!({ "topology": topology, "backend": "test-driver", "verdict": verdict, "outcomes": 1 });
        writeln!(out, "{line}")?;
    }
    for Row { topology, report } in rows {
        let backend = report.backend();
        let line = json!({
            "topology": topology,
            "backend": backend.name(),
            "guarantee": backend.guarantee().to_string(),
            "idling": backend.idling(),
            "verdict": report.verdict(QUESTION).name(),
            "states": report.states(),
            "transitions": report.transitions(),
            "outcomes": report.ends().len(),
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_join_is_safe_on_the_embedded_log_only_and_event_sourcing_everywhere() {
        let operations = [10, 10, -20];
        let verdict = |topology: &Topology, backend| {
            explore(topology, backend, &operations, 0, &Cancel::default()).verdict(QUESTION).name()
        };
        let (join, event_sourced) = (topology::join().unwrap(), topology::event_sourced().unwrap());
        assert!(!refused_in_driver(&join, &operations), "a unit test says yes");
        for backend in backends() {
            let expected = if backend == Backend::Embedded { "Holds" } else { "Fails" };
            assert_eq!(verdict(&join, backend), expected, "{backend}");
            assert_eq!(verdict(&event_sourced, backend), "Holds", "{backend}");
        }
    }

    /// `cargo run --release --example can_i_assume -- --draw docs/images` draws them again.
    #[test]
    fn the_book_shows_the_stories_of_today() {
        let docs = [env!("CARGO_MANIFEST_DIR"), "docs"].iter().collect::<std::path::PathBuf>();
        let read =
            |path: &str| std::fs::read_to_string(docs.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let chapter = read("guide/explorer.md");
        for kafka in [Kafka::at_least_once(), Kafka::exactly_once()] {
            let story = |kafka: Kafka| {
                let report = explore(&topology::join().unwrap(), kafka.into(), &[10, 10, -20], 0, &Cancel::default());
                report.verdict(QUESTION).story().unwrap_or_else(|| panic!("{report}")).clone()
            };
            let (story, waiting_less) = (story(kafka), story(kafka.without_idling()));
            assert_eq!(story, waiting_less, "one story is shown for both");
            let name = picture_name("join", kafka.into());
            assert_eq!(read(&format!("images/{name}")), story.svg(), "{name}");
            for shown in
                [format!("](../images/{name})"), format!("{story}\n"), format!("```mermaid\n{}```", story.mermaid())]
            {
                assert!(chapter.contains(&shown), "the chapter does not show, {kafka:?}:\n{shown}");
            }
        }
    }

    #[test]
    fn a_line_of_json_has_what_help_says() {
        let report = explore(&topology::join().unwrap(), Backend::Embedded, &[10, -10], 0, &Cancel::default());
        let mut out = Vec::new();
        as_json(&mut out, &[("join", false)], &[Row { topology: "join", report }]).unwrap();
        let last = String::from_utf8(out).unwrap();
        let line: serde_json::Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
        let names = ["topology", "backend", "guarantee", "idling", "verdict", "states", "transitions", "outcomes"];
        assert!(names.iter().all(|name| !line[name].is_null()), "{line}");
    }
}
