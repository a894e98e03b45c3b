//! Global tables and stores, and stores that are only read.

use tidemill::Topic;
use tidemill::processor::{Context, ErrorHandler, Flow, Processor};
use tidemill::record::Record;
use tidemill::state::{Readable, Store, StoreReader, StoreSpec};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::{Sink, Source, TopologyBuilder};

use super::{Scenario, Text, row, str, texts};

const REF: Topic<String, String> = Topic::of("ref");
const G: Store<String, String> = Store::of("g");
const REF_STORE: Store<String, String> = Store::of("ref-store");
const RO: Store<String, String> = Store::of("ro");

const CONTINUE: &str = "org.apache.kafka.streams.errors.LogAndContinueProcessingExceptionHandler";

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::streams("global_store_processor", global_store_processor).plain_store(&REF_STORE),
        Scenario::nodes("read_only_state_store", read_only_state_store).plain_store(&RO),
        Scenario::streams("global_table", global_table).store(&G),
        Scenario::streams("stream_global_inner", stream_global_inner).store(&G),
        Scenario::streams("stream_global_left", stream_global_left),
        Scenario::streams("join_chain_stream_table_global", join_chain_stream_table_global),
        Scenario::streams("global_error_fail", global_error),
        Scenario::streams("global_error_continue", global_error)
            .plain_store(&G)
            .set("processing.exception.handler", CONTINUE)
            .set("processing.exception.handler.global.enabled", "true")
            .errors(|errors| {
                errors.processing = ErrorHandler::skip();
                errors.global = ErrorHandler::skip();
            }),
    ]
}

fn global_store_processor(b: &StreamsBuilder) {
    b.add_global_store(StoreSpec::plain(&REF_STORE).in_memory(), &texts("ref"), || Upper);
    b.stream(&texts("in")).process(|| LookUp(REF_STORE), &[]).to(&texts("out"));
}

/// Keeps values in upper case.
struct Upper;

impl Processor<Text, Text, (), ()> for Upper {
    fn process(&mut self, r: Record<'_, Text, Text>, ctx: &mut Context<'_, (), ()>) -> Flow {
        let Some(key) = r.key else { return Ok(()) };
        let mut store = ctx.store(&REF_STORE)?;
        match r.value.as_deref() {
            None => store.delete(key, r.timestamp).map(|_| ()),
            Some("skip") => Ok(()),
            Some(value) => store.put(key, value.to_uppercase(), r.timestamp),
        }
    }
}

/// Adds what a store has for the record's key.
struct LookUp<D>(D);

impl<D> Processor<Text, Text, Text, Text> for LookUp<D>
where
    D: for<'a> Readable<Reader<'a> = StoreReader<'a, String, String>> + Send + 'static,
{
    fn process(&mut self, r: Record<'_, Text, Text>, ctx: &mut Context<'_, Text, Text>) -> Flow {
        let found = match r.key {
            Some(key) => ctx.read(&self.0, |rows| Ok(row(rows.get(key)?)))?,
            None => "nokey".into(),
        };
        ctx.forward(r.with_value(&Some(format!("{}|{found}", str(r.value)))))
    }
}

fn read_only_state_store(b: &mut TopologyBuilder) {
    let ro = StoreSpec::plain(&RO).in_memory();
    b.add_read_only_store(ro, "ref-src", Source::topic(&texts("ref")), "ref-proc", || Copy);
    b.add_source("src", Source::topic(&texts("in")));
    b.add_processor("join", &["src"], || LookUp(RO)).connect("join", &["ro"]);
    b.add_sink("sink", &["join"], Sink::topic(&texts("out")));
}

/// Keeps values as they are.
struct Copy;

impl Processor<Text, Text, (), ()> for Copy {
    fn process(&mut self, r: Record<'_, Text, Text>, ctx: &mut Context<'_, (), ()>) -> Flow {
        let Some(key) = r.key else { return Ok(()) };
        let mut store = ctx.store(&RO)?;
        match r.value {
            None => store.delete(key, r.timestamp).map(|_| ()),
            Some(value) => store.put(key, value.clone(), r.timestamp),
        }
    }
}

fn global_table(b: &StreamsBuilder) {
    let g = b.global_table_with(&REF, &G);
    b.stream(&texts("in"))
        .join_global(&g, |_, v| Some(v.clone()), |v, found| Some(format!("{v}|{found}")))
        .to(&texts("out"));
}

fn some_key(v: &str) -> Text {
    Some(v.to_owned()).filter(|v| v != "none")
}

fn stream_global_inner(b: &StreamsBuilder) {
    let g = b.global_table_with(&Topic::of("g"), &G);
    b.stream(&texts("s"))
        .join_global(&g, |_, v| some_key(v), |v, found| Some(format!("{v}|{found}")))
        .to(&texts("out"));
}

fn stream_global_left(b: &StreamsBuilder) {
    let g = b.global_table_with(&Topic::of("g"), &G);
    b.stream(&texts("s"))
        .left_join_global_with_key(&g, |_, v| some_key(v), |k, v, found| Some(format!("{}:{v}|{}", str(k), row(found))))
        .to(&texts("out"));
}

fn join_chain_stream_table_global(b: &StreamsBuilder) {
    const T_TOPIC: Topic<String, String> = Topic::of("t");
    const T: Store<String, String> = Store::of("t");
    let (t, g) = (b.table_with(&T_TOPIC, &T), b.global_table_with(&Topic::of("g"), &G));
    b.stream(&texts("s"))
        .filter(|_, v| v.is_some())
        .left_join(&t, |s, t| Some(format!("{s}|{}", row(t))))
        .join_global(&g, |_, v| v.split('|').nth(1).map(Into::into), |v, found| Some(format!("{v}|{found}")))
        .to(&texts("out"));
}

fn global_error(b: &StreamsBuilder) {
    b.add_global_store(StoreSpec::plain(&G).in_memory(), &texts("ref"), || Boom);
    b.stream(&texts("in")).to(&texts("out"));
}

/// Keeps what does not fail.
struct Boom;

impl Processor<Text, Text, (), ()> for Boom {
    fn process(&mut self, r: Record<'_, Text, Text>, ctx: &mut Context<'_, (), ()>) -> Flow {
        let (Some(key), value) = (r.key, super::errors::boom(r.value)?) else { return Ok(()) };
        let mut store = ctx.store(&G)?;
        match value {
            None => store.delete(key, r.timestamp).map(|_| ()),
            Some(value) => store.put(key, value, r.timestamp),
        }
    }
}
