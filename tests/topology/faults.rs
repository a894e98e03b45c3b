//! A wrong topology of named nodes is refused; the message names what is wrong and what to do.

use tidemill::Topic;
use tidemill::processor::{Context, Flow, Operator, Processor, StreamOf};
use tidemill::record::Record;
use tidemill::serde::SerdeRef;
use tidemill::state::{Store, StoreSpec};
use tidemill::topology::{Sink, Source, TopologyBuilder};

const IN: Topic<String, i64> = Topic::of("in");
const OUT: Topic<String, i64> = Topic::of("out");
const ROWS: Store<String, i64> = Store::of("rows");

struct Pass;

impl Processor<String, i64, String, i64> for Pass {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.forward(record)
    }
}

struct Upper;

impl Operator<StreamOf<String, String>, StreamOf<String, String>> for Upper {
    fn process(&self, record: Record<'_, String, String>, ctx: &mut Context<'_, String, String>) -> Flow {
        ctx.forward(record.with_value(&record.value.to_uppercase()))
    }
}

/// What is said about a topology that is right but for what `spoil` does to it.
fn check(spoil: impl FnOnce(&mut TopologyBuilder), expected: &str) {
    let mut builder = TopologyBuilder::new();
    builder.add_source("source", Source::topic(&IN));
    builder.add_processor("pass", &["source"], || Pass);
    builder.add_sink("sink", &["pass"], Sink::topic(&OUT));
    spoil(&mut builder);
    let error = builder.build().expect_err("the topology is wrong");
    assert_eq!(error.to_string(), expected);
}

/// The same with one fault.
fn check_one(spoil: impl FnOnce(&mut TopologyBuilder), expected: &str) {
    check(spoil, &format!("the topology is wrong: {expected}"));
}

#[test]
fn the_topology_that_the_others_spoil_is_right() {
    let mut builder = TopologyBuilder::new();
    builder.add_source("source", Source::topic(&IN));
    builder.add_processor("pass", &["source"], || Pass);
    builder.add_state_store(StoreSpec::plain(&ROWS), &["pass"]);
    builder.add_sink("sink", &["pass"], Sink::topic(&OUT));
    assert!(builder.build().is_ok());
}

#[test]
fn two_nodes_of_one_name() {
    check_one(
        |builder| {
            builder.add_processor("pass", &["source"], || Pass);
        },
        "two nodes are named `pass`: names identify nodes, give one of them another name",
    );
}

#[test]
fn two_stores_of_one_name() {
    check_one(
        |builder| {
            builder.add_state_store(StoreSpec::plain(&ROWS), &["pass"]);
            builder.add_state_store(StoreSpec::timestamped(&ROWS), &["pass"]);
        },
        "two stores are named `rows`: each would write the changelog of the other; rename one",
    );
}

#[test]
fn an_unknown_store() {
    check_one(
        |builder| {
            builder.connect("pass", &["rows"]);
        },
        "node `pass` uses the store `rows`, which does not exist: add it with `add_store` (`add_state_store` of a `TopologyBuilder`), or correct the name",
    );
}

#[test]
fn a_store_for_an_unknown_processor() {
    check(
        |builder| {
            builder.add_state_store(StoreSpec::plain(&ROWS), &["nobody"]);
        },
        "the topology has 2 faults:\n  \
         - store `rows` is connected to `nobody`, which does not exist: add the processor first, or correct the name\n  \
         - store `rows` is connected to no processor, so no task would have it: connect it, or leave it out",
    );
}

#[test]
fn an_unused_store() {
    check_one(
        |builder| {
            builder.add_state_store(StoreSpec::plain(&ROWS), &[]);
        },
        "store `rows` is connected to no processor, so no task would have it: connect it, or leave it out",
    );
}

#[test]
fn an_unknown_parent() {
    check_one(
        |builder| {
            builder.add_processor("more", &["nobody"], || Pass);
        },
        "node `more` has the parent `nobody`, which does not exist: add `nobody` first, or correct the name",
    );
}

#[test]
fn a_parent_that_is_added_later() {
    check_one(
        |builder| {
            builder.add_processor("early", &["late"], || Pass);
            builder.add_processor("late", &["source"], || Pass);
        },
        "node `early` has the parent `late`, which does not exist: add `late` first, or correct the name",
    );
}

#[test]
fn a_sink_as_parent() {
    check_one(
        |builder| {
            builder.add_processor("more", &["sink"], || Pass);
        },
        "node `more` has the sink `sink` as parent: a sink has no children, connect `more` to the sink's parent",
    );
}

#[test]
fn no_parent() {
    check_one(
        |builder| {
            builder.add_processor("orphan", &[], || Pass);
        },
        "node `orphan` has no parent, so nothing ever reaches it: name its parents",
    );
}

#[test]
fn a_child_of_another_type() {
    check_one(
        |builder| {
            builder.add_operator("upper", &["pass"], Upper);
        },
        "node `pass` gives `tidemill_dsl::processor::edge::StreamOf<alloc::string::String, i64>`, but its child `upper` \
         takes `tidemill_dsl::processor::edge::StreamOf<alloc::string::String, alloc::string::String>`: put a node that \
         converts between them",
    );
}

#[test]
fn a_topic_that_is_read_twice() {
    check_one(
        |builder| {
            builder.add_source("again", Source::topic(&IN));
        },
        "topic `in` is read by the sources `source` and `again`: connect both parts to one source; `stream(..).to_table()` gives both from one",
    );
}

#[test]
fn names_that_no_folder_could_have() {
    for name in ["", ".", "..", "a/b", "a b", "ä", "a\\b", &"x".repeat(201)] {
        let expected = format!(
            "the store name `{name}` is not allowed: use 1 to 200 ASCII letters, digits, `.`, `_` and `-`, other than `.` \
             and `..`"
        );
        let store = Store::new(name, SerdeRef::<String>::of(), SerdeRef::<i64>::of());
        check_one(
            |builder| {
                builder.add_state_store(StoreSpec::plain(&store), &["pass"]);
            },
            &expected,
        );
        let topic = Topic::new(name, SerdeRef::<String>::of(), SerdeRef::<i64>::of());
        check_one(
            |builder| {
                builder.add_sink("more", &["pass"], Sink::topic(&topic));
            },
            &expected.replace("store name", "topic name"),
        );
    }
    for name in ["x", "a.b_c-D9", "...", &"x".repeat(200)] {
        let topic = Topic::new(name, SerdeRef::<String>::of(), SerdeRef::<i64>::of());
        let mut builder = TopologyBuilder::new();
        builder.add_source("source", Source::topic(&topic));
        assert!(builder.build().is_ok(), "{name}");
    }
}

#[test]
fn a_pattern_that_is_none() {
    let mut builder = TopologyBuilder::new();
    builder.add_source("source", Source::<String, i64>::matching("(", &SerdeRef::of(), &SerdeRef::of()));
    let error = builder.build().unwrap_err().to_string();
    assert!(error.starts_with("the topology is wrong: the topic pattern `(` is no regular expression: "), "{error}");
}

#[test]
fn no_source() {
    assert_eq!(
        TopologyBuilder::new().build().unwrap_err().to_string(),
        "the topology is wrong: the topology has no source, so nothing would ever run: add a stream or a table"
    );
}

#[test]
fn all_faults_come_at_once() {
    check(
        |builder| {
            builder.add_processor("pass", &["source"], || Pass);
            builder.connect("pass", &["nothing"]);
            builder.add_state_store(StoreSpec::plain(&ROWS), &[]);
            builder.add_processor("more", &["nobody", "sink"], || Pass);
            builder.add_source("again", Source::topic(&IN));
        },
        "the topology has 6 faults:\n  \
         - two nodes are named `pass`: names identify nodes, give one of them another name\n  \
         - node `pass` uses the store `nothing`, which does not exist: add it with `add_store` (`add_state_store` of a `TopologyBuilder`), or correct the name\n  \
         - node `more` has the parent `nobody`, which does not exist: add `nobody` first, or correct the name\n  \
         - node `more` has the sink `sink` as parent: a sink has no children, connect `more` to the sink's parent\n  \
         - store `rows` is connected to no processor, so no task would have it: connect it, or leave it out\n  \
         - topic `in` is read by the sources `source` and `again`: connect both parts to one source; `stream(..).to_table()` gives both from one",
    );
}
