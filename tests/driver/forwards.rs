//! What a processor hands on: to all children or to one, under the key that it is allowed to use.

use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::{
    Context, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Flow, Processor, SilentContext,
};
use tidemill::processor::{ProcessError, PunctuationType};
use tidemill::record::{Record, Timestamp};
use tidemill::state::{Changelog, Store, StoreSpec};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::TopologyErrors;
use tidemill_testkit::TestDriver;

const IN: Topic<String, i64> = Topic::of("in");
const EVEN: Topic<String, i64> = Topic::of("even");
const ODD: Topic<String, i64> = Topic::of("odd");
const SUMS: Store<String, i64> = Store::of("sums");

fn forward(process: fn(Record<'_, String, i64>, &mut Context<'_, String, i64>) -> Flow) -> TestDriver {
    let builder = StreamsBuilder::new();
    let stream = builder.stream(&IN).process_fn(process, &[]).named("split");
    stream.map_values(|value| *value).named("even").to(&EVEN);
    stream.map_values(|value| *value).named("odd").to(&ODD);
    TestDriver::new(&builder.build().unwrap())
}

#[test]
fn a_record_goes_to_the_child_that_was_named() {
    let mut driver = forward(|record, ctx| match record.value % 2 {
        0 => ctx.forward_to("even", record),
        _ => ctx.forward_to("odd", record),
    });
    driver.input(&IN).send("a", 1).send("a", 2).send("a", 3);
    assert_eq!(driver.output(&EVEN).values(), [2]);
    assert_eq!(driver.output(&ODD).values(), [1, 3]);
}

#[test]
fn a_child_that_does_not_exist_is_named_with_those_that_do() {
    let mut driver = forward(|record, ctx| ctx.forward_to("evne", record));
    assert_eq!(
        driver.input(&IN).try_send("a", 1).unwrap_err().to_string(),
        "task 0_0: node `split` failed on record 0 of topic `in` partition 0: processor `split` forwards to `evne`, which \
         is no child of it (children: [\"even\", \"odd\"]): add the child with this parent, or correct the name"
    );
}

#[test]
fn a_negative_time_is_refused_before_any_child_sees_the_record() {
    for mut driver in [
        forward(|record, ctx| ctx.forward(record.with_timestamp(Timestamp::from_millis(-5)))),
        forward(|record, ctx| ctx.forward_to("odd", record.with_timestamp(Timestamp::from_millis(-5)))),
    ] {
        assert_eq!(
            driver.input(&IN).try_send("a", 1).unwrap_err().to_string(),
            "task 0_0: node `split` failed on record 0 of topic `in` partition 0: a record cannot be forwarded with the \
             negative time -5: give it a time from 0 on"
        );
    }
}

/// Adds the values of a key up, with a store that it brings along, and forwards the sum at every call and second.
struct Sum(Changelog);

impl FixedKeyProcessor<String, i64, i64> for Sum {
    fn stores(&self) -> Vec<StoreSpec> {
        vec![StoreSpec::plain(&SUMS).changelog(self.0)]
    }

    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.store(&SUMS)?.put(&"begun".to_owned(), 1, Timestamp::ZERO)?;
        ctx.schedule("forget", Duration::from_secs(1), PunctuationType::WallClock)
    }

    fn process(&mut self, record: FixedKeyRecord<'_, String, i64>, ctx: &mut FixedKeyContext<'_, String, i64>) -> Flow {
        let mut sums = ctx.store(&SUMS)?;
        let sum = sums.get(record.key())?.unwrap_or(&0) + record.value();
        sums.put(record.key(), sum, record.timestamp())?;
        let to = if sum % 2 == 0 { "even" } else { "odd" };
        ctx.forward_to(to, record.with_value(&sum))
    }

    fn punctuate(&mut self, _: &str, time: Timestamp, ctx: &mut FixedKeyContext<'_, String, i64>) -> Flow {
        ctx.store(&SUMS)?.delete(&"a".to_owned(), time)?;
        Ok(())
    }
}

#[test]
fn a_processor_of_fixed_keys_has_stores_timers_and_children_and_needs_no_repartition() {
    let builder = StreamsBuilder::new();
    let sums = builder.stream(&IN).process_values(|| Sum(Changelog::EveryUpdate), &[]);
    sums.map_values(|value| *value).named("even").to(&EVEN);
    sums.map_values(|value| *value).named("odd").group_by_key().count();
    let topology = builder.build().unwrap();
    assert_eq!(topology.subtopologies().len(), 1, "no repartition topic");
    let mut driver = TestDriver::new(&topology);
    driver.input(&IN).send("a", 1).send("a", 3);
    assert_eq!(driver.output(&EVEN).values(), [4]);
    assert_eq!(driver.store(&SUMS).all(), [("a".to_owned(), 4), ("begun".to_owned(), 1)]);
    driver.advance_clock(Duration::from_secs(1));
    assert_eq!(driver.store(&SUMS).get("a"), None);
}

fn two_sums(second: Changelog) -> Result<usize, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let stream = builder.stream(&IN);
    stream.process_values(|| Sum(Changelog::EveryUpdate), &[]).to(&EVEN);
    stream.process_values(move || Sum(second), &[]).named("second").to(&ODD);
    builder.build().map(|topology| topology.stores().len())
}

#[test]
fn processors_that_bring_the_same_store_share_it_and_another_of_its_name_is_refused() {
    assert_eq!(two_sums(Changelog::EveryUpdate).unwrap(), 1);
    let errors = two_sums(Changelog::Off).unwrap_err().to_string();
    assert!(errors.contains("two stores are named `sums`"), "{errors}");
}

/// Fails where a value is negative.
struct Positive;

impl Processor<String, i64, String, i64> for Positive {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        let refused = || ProcessError::from(format!("{} is negative", record.value));
        if *record.value < 0 { Err(refused()) } else { ctx.forward(record) }
    }
}

#[test]
fn a_processor_that_fails_is_named() {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).process(|| Positive, &[]).named("positive").to(&EVEN);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    assert_eq!(
        driver.input(&IN).try_send("a", -1).unwrap_err().to_string(),
        "task 0_0: node `positive` failed on record 0 of topic `in` partition 0: -1 is negative"
    );
}
