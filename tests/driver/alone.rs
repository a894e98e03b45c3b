//! One processor by itself: what it is given, what it forwards, what it sets and asks for.

use std::time::Duration;

use tidemill::processor::PunctuationType::{StreamTime, WallClock};
use tidemill::processor::{
    Context, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Flow, Processor, SilentContext,
};
use tidemill::record::{Headers, Record, Timestamp};
use tidemill::state::{Store, StoreSpec};
use tidemill_testkit::MockContext;

const SUMS: Store<String, i64> = Store::of("sums");

/// A type without a serde.
#[derive(Clone, Debug, PartialEq)]
struct Order {
    amount: i64,
}

/// Sends orders on by their size, with what is known about them.
struct Split;

impl Processor<String, Order, String, String> for Split {
    fn stores(&self) -> Vec<StoreSpec> {
        vec![StoreSpec::plain(&SUMS)]
    }

    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("often", Duration::from_millis(100), StreamTime)?;
        ctx.schedule("seldom", Duration::from_secs(1), WallClock)
    }

    fn process(&mut self, record: Record<'_, String, Order>, ctx: &mut Context<'_, String, String>) -> Flow {
        let mut sums = ctx.store(&SUMS)?;
        let sum = sums.get(record.key)?.unwrap_or(&0) + record.value.amount;
        sums.put(record.key, sum, record.timestamp)?;
        let at = ctx.address().ok_or("a record has an address")?;
        let text =
            format!("{sum} {at} at {} of {:?}, stream time {:?}", record.timestamp, ctx.now(), ctx.stream_time());
        match record.value.amount {
            ..0 => Err("no such amount".into()),
            0 => {
                ctx.request_commit();
                ctx.cancel("often");
                ctx.forward(record.with_value(&text))
            }
            1..10 => ctx.forward_to("small", record.with_value(&text)),
            _ => ctx.forward_to("big", record.with_value(&text)),
        }
    }

    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut Context<'_, String, String>) -> Flow {
        ctx.forward_to("small", Record::new(&timer.to_owned(), &String::new(), time))
    }
}

fn alone() -> MockContext<String, Order, String, String> {
    MockContext::new(|| Split).children(&["small", "big"]).from("orders", 3).now(7)
}

fn children(mock: &mut MockContext<String, Order, String, String>) -> Vec<(String, String)> {
    mock.forwarded().into_iter().map(|record| (record.child, record.key)).collect()
}

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(child, key)| ((*child).to_owned(), (*key).to_owned())).collect()
}

#[test]
fn what_is_forwarded_is_kept_with_the_child_that_got_it() {
    let mut mock = alone();
    let headers = Headers::NONE.with("h", "1");
    let order = Order { amount: 12 };
    mock.process_record(Record::new(&"a".to_owned(), &order, 3.into()).with_headers(&headers)).unwrap();
    let forwarded = mock.forwarded();
    assert_eq!(forwarded[0].child, "big");
    assert_eq!(
        forwarded[0].value,
        "12 record 0 of topic `orders` partition 3 at 3 of Timestamp(7), stream time Some(Timestamp(3))"
    );
    assert_eq!((forwarded[0].timestamp, &forwarded[0].headers), (3.into(), &headers));
    assert_eq!(forwarded[1].key, "often", "due at 0");
    mock.process("a", Order { amount: 0 }).unwrap();
    assert_eq!(children(&mut mock), named(&[("small", "a"), ("big", "a")]), "to all, in their order");
    assert_eq!(children(&mut mock), [], "what was taken is gone");
}

#[test]
fn its_stores_can_be_filled_and_looked_into() {
    let mut mock = alone();
    mock.store(&SUMS).put(&"a".to_owned(), 100, Timestamp::ZERO).unwrap();
    mock.process("a", Order { amount: 5 }).unwrap();
    assert_eq!(mock.store(&SUMS).get(&"a".to_owned()).unwrap(), Some(&105));
}

#[test]
#[should_panic(expected = "the processor has no store `others`: add it with `with_store`")]
fn a_store_that_it_does_not_have_is_named() {
    let _opened = alone().store(&Store::<String, i64>::of("others"));
}

#[test]
fn its_timers_can_be_seen_and_fire_when_their_time_comes() {
    let mut mock = alone();
    let seen = |mock: &mut MockContext<_, _, _, _>| -> Vec<(String, i64)> {
        mock.timers().unwrap().iter().map(|timer| (timer.name.to_string(), timer.due.as_millis())).collect()
    };
    assert_eq!(seen(&mut mock), [("often".to_owned(), 0), ("seldom".to_owned(), 1_007)]);
    mock.advance_stream_time(250).unwrap();
    mock.advance_clock(Duration::from_millis(999)).unwrap();
    assert_eq!(children(&mut mock), named(&[("small", "often")]));
    mock.advance_clock(Duration::from_millis(1)).unwrap();
    assert_eq!(children(&mut mock), named(&[("small", "seldom")]));
    assert_eq!(seen(&mut mock), [("often".to_owned(), 300), ("seldom".to_owned(), 2_007)]);
    mock.process("a", Order { amount: 0 }).unwrap();
    assert_eq!(seen(&mut mock), [("seldom".to_owned(), 2_007)], "cancelled");
}

#[test]
fn a_commit_that_it_asks_for_is_told_once() {
    let mut mock = alone();
    mock.process("a", Order { amount: 5 }).unwrap();
    assert!(!mock.commit_requested().unwrap());
    mock.process("a", Order { amount: 0 }).unwrap();
    assert!(mock.commit_requested().unwrap());
    assert!(!mock.commit_requested().unwrap());
}

#[test]
fn its_errors_are_those_of_a_task() {
    assert_eq!(
        alone().process("a", Order { amount: -1 }).unwrap_err().to_string(),
        "task 0_3: node `processor` failed on record 0 of topic `orders` partition 3: no such amount"
    );
}

/// Doubles values.
struct Double;

impl FixedKeyProcessor<String, i64, i64> for Double {
    fn process(&mut self, record: FixedKeyRecord<'_, String, i64>, ctx: &mut FixedKeyContext<'_, String, i64>) -> Flow {
        ctx.forward(record.with_value(&(record.value() * 2)))
    }
}

#[test]
fn a_processor_of_fixed_keys_runs_alone_too() {
    let mut mock = MockContext::fixed_key(|| Double);
    mock.process("a", 4).unwrap();
    assert_eq!(mock.key_values(), [("a".to_owned(), 8)]);
}
