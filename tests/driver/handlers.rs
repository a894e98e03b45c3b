//! What handlers make of records that fail: left out and counted, or written to a topic, or judged one by one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::{
    Context, DropReason, ERROR_CAUSES, ERROR_MESSAGE, ERROR_OFFSET, ERROR_PARTITION, ERROR_TOPIC, ERROR_TYPE,
    ErrorHandler, ErrorSettings, Flow, PartialEffects, Processor, PunctuationType, SilentContext, Stage, Verdict,
};
use tidemill::record::{Headers, Partitions, Record, Timestamp};
use tidemill::state::{Changelog, Store, StoreSpec};
use tidemill::stream::{Produced, Stream, StreamsBuilder};
use tidemill::topology::TaskSettings;
use tidemill_testkit::{Commit, RawRecord, TestDriver};

const IN: Topic<String, i64> = Topic::of("in");
const OUT: Topic<String, i64> = Topic::of("out");
const SIDE: Topic<String, i64> = Topic::of("side");
const SUMS: Store<String, i64> = Store::of("sums");

/// Refuses 13.
fn unlucky(value: &i64) -> Result<i64, String> {
    if *value == 13 { Err("13 is not allowed".into()) } else { Ok(*value) }
}

fn driver(errors: ErrorSettings, write: impl FnOnce(Stream<'_, String, i64>)) -> TestDriver {
    let builder = StreamsBuilder::new();
    write(builder.stream(&IN));
    TestDriver::new(&builder.build().unwrap()).errors(errors)
}

/// Writes to the side, sums, then refuses 13, then writes.
fn refusing(errors: ErrorSettings) -> TestDriver {
    driver(errors, |stream| {
        stream.to(&SIDE);
        stream.group_by_key().aggregate(&SUMS, || 0, |sum: i64, _, value| sum + value);
        stream.try_map_values(|_, value| unlucky(value)).named("verb").to(&OUT);
    })
}

fn dropped(driver: &mut TestDriver, reason: DropReason) -> u64 {
    driver.dropped().iter().map(|counts| counts.get(reason)).sum()
}

fn header<'a>(record: &'a RawRecord, name: &str) -> &'a str {
    std::str::from_utf8(record.headers.last(name).expect(name)).unwrap()
}

#[test]
fn a_record_that_is_skipped_is_counted_and_did_nothing() {
    let mut driver = refusing(ErrorSettings::all(ErrorHandler::skip()));
    driver.input(&IN).at(5).send("a", 1).send("a", 13).send("a", 2);
    assert_eq!(driver.output(&SIDE).values(), [1, 2]);
    assert_eq!(driver.output(&OUT).values(), [1, 2]);
    assert_eq!(driver.store(&SUMS).get("a"), Some(3));
    assert_eq!(dropped(&mut driver, DropReason::Processing), 1);
}

#[test]
fn partial_effects_that_are_kept_are_those_of_kafka_streams() {
    let errors = ErrorSettings { partial_effects: PartialEffects::Keep, ..ErrorSettings::all(ErrorHandler::skip()) };
    let mut driver = refusing(errors);
    driver.input(&IN).at(5).send("a", 1).send("a", 13);
    assert_eq!(driver.output(&SIDE).values(), [1, 13]);
    assert_eq!(driver.output(&OUT).values(), [1]);
    assert_eq!(driver.store(&SUMS).get("a"), Some(14));
    assert_eq!(dropped(&mut driver, DropReason::Processing), 1);
}

#[test]
fn a_dead_letter_has_the_record_as_it_came_and_says_what_happened() {
    let mut driver = refusing(ErrorSettings::all(ErrorHandler::dead_letter("dead")));
    driver.input(&IN).at(5).send("a", 1);
    driver.input(&IN).at(7).headers(Headers::default().with("from", "a test")).send("a", 13);
    let letters = driver.take_raw("dead");
    let [letter] = letters.as_slice() else { panic!("one letter: {letters:?}") };
    assert_eq!((letter.key.as_deref(), letter.value.as_deref()), (Some(&b"a"[..]), Some(&13_i64.to_be_bytes()[..])));
    assert_eq!(letter.timestamp.as_millis(), 7);
    let names: Vec<&str> = letter.headers.iter().map(|(name, _)| name).collect();
    let said = [ERROR_TYPE, ERROR_MESSAGE, ERROR_CAUSES, ERROR_TOPIC, ERROR_PARTITION, ERROR_OFFSET];
    assert_eq!(names, [&["from"], &said[..]].concat());
    assert_eq!(header(letter, ERROR_TYPE), "alloc::string::String");
    assert_eq!(header(letter, ERROR_MESSAGE), "13 is not allowed");
    let place = "record 1 of topic `in` partition 0";
    assert_eq!(header(letter, ERROR_CAUSES), format!("node `verb` failed on {place}: 13 is not allowed"));
    assert_eq!((header(letter, ERROR_TOPIC), header(letter, ERROR_PARTITION)), ("in", "0"));
    assert_eq!(header(letter, ERROR_OFFSET), "1");
    assert_eq!(dropped(&mut driver, DropReason::Processing), 1);
}

#[test]
fn a_record_that_cannot_be_read_moves_nothing() {
    let mut driver =
        refusing(ErrorSettings { deserialization: ErrorHandler::dead_letter("dead"), ..Default::default() });
    driver.send_raw("in", Some(b"a"), Some(b"123"), Timestamp::from_millis(50), &Headers::NONE).unwrap();
    driver.input(&IN).at(5).send("a", 1);
    assert_eq!(driver.output(&OUT).values(), [1]);
    let letters = driver.take_raw("dead");
    assert_eq!(letters[0].value.as_deref(), Some(&b"123"[..]));
    assert_eq!((letters.len(), letters[0].timestamp.as_millis()), (1, 50));
    assert!(header(&letters[0], ERROR_MESSAGE).starts_with("its value cannot be read: "));
    assert_eq!(dropped(&mut driver, DropReason::Deserialization), 1);
    // That handler says nothing about what fails later.
    driver.input(&IN).try_send("a", 13).unwrap_err();
}

#[test]
fn records_that_cannot_be_read_are_skipped_in_the_middle_of_a_batch_too() {
    let mut driver = refusing(ErrorSettings { deserialization: ErrorHandler::skip(), ..Default::default() });
    for value in [&1_i64.to_be_bytes()[..], b"bad", b"worse", &2_i64.to_be_bytes(), b"worst"] {
        driver.send_raw("in", Some(b"a"), Some(value), Timestamp::from_millis(5), &Headers::NONE).unwrap();
    }
    assert_eq!(driver.output(&OUT).values(), [1, 2]);
    assert_eq!(dropped(&mut driver, DropReason::Deserialization), 3);
}

#[test]
fn a_negative_time_is_no_matter_of_handlers() {
    let mut driver = refusing(ErrorSettings::all(ErrorHandler::skip()));
    let sent = driver.send_raw("in", Some(b"a"), Some(&[0; 8]), Timestamp::from_millis(-1), &Headers::NONE);
    assert!(sent.unwrap_err().to_string().contains("its time cannot be read"));
}

#[test]
fn records_that_cannot_be_written_are_left_out_as_a_whole() {
    let errors = || ErrorSettings { production: ErrorHandler::skip(), ..Default::default() };
    let nowhere = |_: Option<&[u8]>, _: &String, value: &i64, count: u32| match value {
        13 => Partitions::one(count),
        _ => Partitions::Default,
    };
    let mut driver = driver(errors(), |stream| {
        stream.to(&SIDE);
        stream.to_with(&OUT, Produced::partitioner(nowhere));
    });
    driver.input(&IN).send("a", 1).send("a", 13).send("a", 2);
    assert_eq!(driver.output(&OUT).values(), [1, 2]);
    assert_eq!(driver.output(&SIDE).values(), [1, 2]);
    assert_eq!(dropped(&mut driver, DropReason::Production), 1);

    let builder = StreamsBuilder::new();
    builder.stream(&IN).to(&OUT);
    let settings = TaskSettings { record_bytes_max: 10, errors: errors(), ..TaskSettings::default() };
    let mut driver = TestDriver::new(&builder.build().unwrap()).settings(settings.clone());
    driver.input(&IN).send("ab", 1).send("abc", 2);
    assert_eq!(driver.output(&OUT).values(), [1]);
    assert_eq!(dropped(&mut driver, DropReason::Production), 1);
    let settings = TaskSettings { errors: ErrorSettings::default(), ..settings };
    let builder = StreamsBuilder::new();
    builder.stream(&IN).to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).settings(settings);
    let text = driver.input(&IN).try_send("abc", 2).unwrap_err().to_string();
    assert!(text.contains("key and value have 11 bytes, and a record may have 10: send less, or raise"), "{text}");
}

#[test]
fn a_function_judges_each_record_and_sees_it() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (saw, judge) = (seen.clone(), |value: i64| if value < 0 { Verdict::Skip } else { Verdict::Fail });
    let decide = ErrorHandler::decide(move |failed| {
        let value = i64::from_be_bytes(failed.value.unwrap().try_into().unwrap());
        let offset = failed.address.unwrap().offset.get();
        let said = (failed.stage, failed.error.node().map(str::to_owned), failed.timestamp.as_millis());
        saw.lock().unwrap().push((value, offset, said));
        judge(value)
    });
    let mut driver = driver(ErrorSettings { processing: decide, ..ErrorSettings::default() }, |stream| {
        let positive = |_: &String, value: &i64| u64::try_from(*value).map(|_| *value);
        stream
            .try_map_values(positive)
            .named("positive")
            .try_map_values(|_, value| unlucky(value))
            .named("lucky")
            .to(&OUT);
    });
    driver.input(&IN).at(5).send("a", 1).send("a", -1);
    driver.input(&IN).at(6).try_send("a", 13).unwrap_err();
    assert_eq!(driver.take_raw("out").len(), 1);
    let expected = [
        (-1, 1, (Stage::Processing, Some("positive".to_owned()), 5)),
        (13, 2, (Stage::Processing, Some("lucky".to_owned()), 6)),
    ];
    assert_eq!(*seen.lock().unwrap(), expected, "each is asked about once");
}

#[test]
fn a_panic_is_never_skipped() {
    for partial_effects in [PartialEffects::Undo, PartialEffects::Keep] {
        let errors = ErrorSettings { partial_effects, ..ErrorSettings::all(ErrorHandler::skip()) };
        let mut driver = driver(errors, |stream| {
            stream.map_values(|value| if *value == 13 { panic!("13 came") } else { *value }).named("verb").to(&OUT);
        });
        let text = driver.input(&IN).try_send("a", 13).unwrap_err().to_string();
        assert!(text.contains("node `verb` failed on record 0 of topic `in` partition 0: panicked: 13 came"), "{text}");
    }
}

/// Counts its punctuations and fails in every second one, after it has forwarded and stored.
#[derive(Default)]
struct EverySecond(i64);

impl Processor<String, i64, String, i64> for EverySecond {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("tick", Duration::from_millis(10), PunctuationType::StreamTime)
    }

    fn process(&mut self, record: Record<'_, String, i64>, _: &mut Context<'_, String, i64>) -> Flow {
        self.0 = *record.value;
        Ok(())
    }

    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.store(&SUMS)?.put(&timer.to_owned(), self.0, time)?;
        ctx.forward(Record::new(&timer.to_owned(), &self.0, time))?;
        Ok(unlucky(&self.0).map(|_| ())?)
    }
}

#[test]
fn a_punctuation_that_fails_is_taken_back_and_its_timer_goes_on() {
    let builder = StreamsBuilder::new();
    builder.add_store(StoreSpec::plain(&SUMS));
    builder.stream(&IN).process(EverySecond::default, &[&SUMS]).named("ticks").to(&OUT);
    let topology = builder.build().unwrap();
    let mut driver = TestDriver::new(&topology).errors(ErrorSettings::all(ErrorHandler::dead_letter("dead")));
    for (at, value) in [(10, 1), (20, 13), (30, 3)] {
        driver.input(&IN).at(at).send("a", value);
    }
    assert_eq!(driver.output(&OUT).values(), [1, 3]);
    assert_eq!(driver.store(&SUMS).get("tick"), Some(3));
    let letters = driver.take_raw("dead");
    let [letter] = letters.as_slice() else { panic!("one letter: {letters:?}") };
    // A punctuation has no record.
    assert_eq!((&letter.key, &letter.value, letter.timestamp.as_millis()), (&None, &None, 20));
    assert_eq!((letter.headers.last(ERROR_TOPIC), header(letter, ERROR_PARTITION)), (None, "-1"));
    assert_eq!(header(letter, ERROR_OFFSET), "-1");
    assert!(header(letter, ERROR_CAUSES).contains("`tick`"), "{}", header(letter, ERROR_CAUSES));
}

/// Cannot begin.
struct CannotBegin;

impl Processor<String, i64, String, i64> for CannotBegin {
    fn init(&mut self, _: &mut SilentContext<'_>) -> Flow {
        Err("not today".into())
    }

    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.forward(record)
    }
}

#[test]
fn a_processor_that_cannot_begin_fails_the_task_whatever_handlers_say() {
    for partial_effects in [PartialEffects::Undo, PartialEffects::Keep] {
        let errors = ErrorSettings { partial_effects, ..ErrorSettings::all(ErrorHandler::skip()) };
        let mut driver = driver(errors, |stream| {
            stream.process(|| CannotBegin, &[]).to(&OUT);
        });
        let text = driver.input(&IN).try_send("a", 1).unwrap_err().to_string();
        assert!(text.contains("not today"), "{text}");
    }
}

#[test]
fn what_is_said_by_itself_holds_whatever_the_order() {
    let refusing = || {
        let builder = StreamsBuilder::new();
        let sums = builder.stream(&IN).group_by_key();
        sums.try_aggregate(&SUMS, || 0, |sum: i64, _, value| unlucky(value).map(|value| sum + value));
        TestDriver::new(&builder.build().unwrap()).commits(Commit::OnDemand)
    };
    let skip = || ErrorSettings::all(ErrorHandler::skip());
    let settings = TaskSettings::default; // those of an application: the last value per commit, and no handler
    for mut driver in [
        refusing().errors(skip()).changelog(Changelog::EveryUpdate).settings(settings()),
        refusing().settings(settings()).changelog(Changelog::EveryUpdate).errors(skip()),
    ] {
        driver.input(&IN).send("a", 1).send("a", 13).send("a", 2);
        driver.commit().unwrap();
        assert_eq!(driver.take_raw("test-sums-changelog").len(), 2);
    }
}

#[test]
fn every_verb_that_may_fail_can_be_skipped() {
    let skipped = |write: fn(Stream<'_, String, i64>)| {
        let mut driver = driver(ErrorSettings::all(ErrorHandler::skip()), write);
        driver.input(&IN).send("a", 1).send("a", 13);
        assert_eq!(dropped(&mut driver, DropReason::Processing), 1);
        assert_eq!(driver.take_raw("out").len(), 1);
    };
    skipped(|stream| _ = stream.try_peek(|_, value| unlucky(value).map(|_| ())).to(&OUT));
    skipped(|stream| {
        let choose =
            |_: &String, value: &i64, _: tidemill::topology::RecordContext<'_>| unlucky(value).map(|_| "out".into());
        stream.try_to_chosen(choose, &tidemill::serde::SerdeRef::of(), &tidemill::serde::SerdeRef::of());
    });
    skipped(|stream| _ = stream.try_filter(|_, value| unlucky(value).map(|_| true)).to(&OUT));
    skipped(|stream| _ = stream.try_flat_map_values(|_, value| unlucky(value).map(|value| [value])).to(&OUT));
    skipped(|stream| _ = stream.split().try_branch(|_, value| unlucky(value).map(|_| true)).to(&OUT));
}

/// Puts a row and then refuses 13.
struct PutsFirst;

impl Processor<String, i64, (), ()> for PutsFirst {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, (), ()>) -> Flow {
        ctx.store(&SUMS)?.put(record.key, *record.value, record.timestamp)?;
        Ok(unlucky(record.value).map(|_| ())?)
    }
}

#[test]
fn a_record_for_a_global_store_is_taken_back_and_only_counted() {
    const FACTS: Topic<String, i64> = Topic::of("facts");
    let builder = StreamsBuilder::new();
    builder.add_global_store(StoreSpec::plain(&SUMS).in_memory(), &FACTS, || PutsFirst);
    builder.stream(&IN).to(&OUT);
    let topology = builder.build().unwrap();
    let mut driver = TestDriver::new(&topology).errors(ErrorSettings::all(ErrorHandler::dead_letter("dead")));
    driver.input(&FACTS).send("a", 1).send("a", 13).send("b", 2);
    assert_eq!(driver.store(&SUMS).all(), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    assert_eq!(dropped(&mut driver, DropReason::Processing), 1);
    assert!(driver.take_raw("dead").is_empty());
}
