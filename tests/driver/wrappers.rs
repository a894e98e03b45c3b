//! A wrapper stands around every processor, and what it does with a call is what happens.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::{CallReason, Context, Flow, Processor, ProcessorCall, PunctuationType, SilentContext};
use tidemill::record::{Record, Timestamp};
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::{Sink, Source, Topology, TopologyBuilder};
use tidemill_testkit::TestDriver;

const IN: Topic<String, i64> = Topic::of("in");
const OUT: Topic<String, i64> = Topic::of("out");
const SUMS: Store<String, i64> = Store::of("sums");

/// Forwards each record, and one at each second of the clock.
struct Tick;

impl Processor<String, i64, String, i64> for Tick {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("tick", Duration::from_secs(1), PunctuationType::WallClock)
    }

    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.forward(record)
    }

    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.forward(Record::new(&timer.to_owned(), &0, time))
    }
}

type Log = Arc<Mutex<Vec<String>>>;

/// Notes each call when it begins and when it ends.
fn noting(log: &Log) -> impl Fn(&ProcessorCall<'_>, &mut dyn FnMut() -> Flow) -> Flow + Send + Sync + 'static {
    let log = log.clone();
    move |call, run| {
        let text = format!("{} {:?} {:?}", call.node, call.reason, call.address.as_ref().map(|at| at.offset.get()));
        log.lock().unwrap().push(text);
        let flow = run();
        log.lock().unwrap().push(format!("{} ends", call.node));
        flow
    }
}

fn topology(wrapper: impl tidemill::processor::ProcessorWrapper) -> Topology {
    let builder = StreamsBuilder::new().wrap_processors(wrapper);
    let ticks = builder.stream(&IN).process(|| Tick, &[]).named("tick");
    ticks.map_values(|value| value + 1).named("more").to(&OUT);
    builder.build().unwrap()
}

#[test]
fn calls_lie_within_one_another_as_nodes_lie_below_one_another() {
    let log = Log::default();
    let mut driver = TestDriver::new(&topology(noting(&log)));
    driver.input(&IN).send("a", 1);
    driver.advance_clock(Duration::from_secs(1));
    assert_eq!(
        *log.lock().unwrap(),
        [
            "tick Begin None",
            "tick ends",
            "tick Item Some(0)",
            "more Item Some(0)",
            "more ends",
            "tick ends",
            "tick Timer(\"tick\") None",
            "more Item None",
            "more ends",
            "tick ends",
        ]
    );
}

#[test]
fn what_a_wrapper_does_not_run_ends_there_and_its_errors_name_the_node() {
    let skip = |call: &ProcessorCall<'_>, run: &mut dyn FnMut() -> Flow| match call.reason {
        CallReason::Item if call.node == "more" => Ok(()),
        _ => run(),
    };
    let mut driver = TestDriver::new(&topology(skip));
    driver.input(&IN).send("a", 1);
    assert_eq!(driver.output(&OUT).values(), [] as [i64; 0]);

    let refuse = |call: &ProcessorCall<'_>, run: &mut dyn FnMut() -> Flow| match call.node {
        "more" => Err("not today".into()),
        _ => run(),
    };
    assert_eq!(
        TestDriver::new(&topology(refuse)).input(&IN).try_send("a", 1).unwrap_err().to_string(),
        "task 0_0: node `more` failed on record 0 of topic `in` partition 0: not today"
    );
}

#[test]
fn verbs_with_stores_and_explicit_nodes_are_wrapped_too() {
    let log = Log::default();
    let builder = StreamsBuilder::new().wrap_processors(noting(&log));
    builder.stream(&IN).group_by_key().reduce_with(&SUMS, |sum, value| sum + value).to_stream().to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    driver.input(&IN).send("a", 1).send("a", 2);
    assert_eq!(driver.output(&OUT).values(), [1, 3]);
    assert_eq!(log.lock().unwrap().iter().filter(|line| line.contains("Item")).count(), 4, "two nodes, two records");

    let log = Log::default();
    let mut builder = TopologyBuilder::new();
    builder.add_source("source", Source::topic(&IN));
    builder.add_processor("explicit", &["source"], || Tick);
    builder.add_sink("sink", &["explicit"], Sink::topic(&OUT));
    builder.wrap_processors(noting(&log));
    TestDriver::new(&builder.build().unwrap()).input(&IN).send("a", 1);
    assert_eq!(
        *log.lock().unwrap(),
        ["explicit Begin None", "explicit ends", "explicit Item Some(0)", "explicit ends"]
    );
}
