//! Pictures of topologies are compared with files; `UPDATE_EXPECTED=1` writes the files anew.

use std::path::Path;

use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::Record;
use tidemill::serde::SerdeRef;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::{Source, TopologyBuilder};

use super::bank;

fn check(picture: &str, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/topology/expected").join(file);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, picture).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read `{file}`: {error}"));
    assert_eq!(picture, expected, "`{file}` shows another topology; if this one is right, set UPDATE_EXPECTED=1");
}

#[test]
fn the_bank_account_as_dot() {
    check(&bank::join().to_dot(), "bank_account.dot");
}

#[test]
fn the_bank_account_as_mermaid() {
    check(&bank::join().to_mermaid(), "bank_account.mmd");
}

#[test]
fn the_single_step_as_mermaid() {
    check(&bank::single_step().to_mermaid(), "single_step.mmd");
}

#[test]
fn sub_topologies_patterns_and_topics_chosen_for_each_record() {
    let builder = StreamsBuilder::new();
    let numbers = builder.stream_matching(r"in-\d+", &SerdeRef::<String>::of(), &SerdeRef::<i64>::of());
    let counts = numbers.group_by(|_, value| *value).named("by-value").count();
    counts.to_stream().to_chosen(|key, _, _| format!("out-{key}"), &SerdeRef::of(), &SerdeRef::of());
    let topology = builder.build().unwrap();
    check(&topology.to_dot(), "patterns.dot");
    check(&topology.to_mermaid(), "patterns.mmd");
}

struct Pass;

impl Processor<String, i64, String, i64> for Pass {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.forward(record)
    }
}

#[test]
fn quotes_in_names_stay_inside_the_labels() {
    let mut builder = TopologyBuilder::new();
    builder.add_source("say \"in\"", Source::topic(&bank::OPERATIONS));
    builder.add_processor("back\\slash", &["say \"in\""], || Pass);
    let topology = builder.build().unwrap();
    assert!(topology.to_dot().contains(r#"[label="say \"in\"", shape=box]"#), "{}", topology.to_dot());
    assert!(topology.to_dot().contains(r#"[label="back\\slash", shape=box]"#), "{}", topology.to_dot());
    assert!(topology.to_mermaid().contains(r##"["say #quot;in#quot;"]"##), "{}", topology.to_mermaid());
}
