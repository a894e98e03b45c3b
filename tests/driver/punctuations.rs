//! When timers fire, and what a failing one says.

use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::PunctuationType::{self, StreamTime, WallClock};
use tidemill::processor::{Context, Flow, Processor, SilentContext};
use tidemill::record::{Record, Timestamp};
use tidemill::stream::StreamsBuilder;
use tidemill_testkit::{Commit, TestDriver};

const IN: Topic<String, i64> = Topic::of("in");
const OUT: Topic<String, i64> = Topic::of("out");

/// Forwards under each timer's name the times at which it fires; what `each` does comes after.
struct Timed {
    timers: Vec<(&'static str, i64, PunctuationType)>,
    each: fn(&str, &mut Context<'_, String, i64>) -> Flow,
}

impl Processor<String, i64, String, i64> for Timed {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        assert_eq!(ctx.address(), None);
        self.timers.iter().try_for_each(|(name, interval, kind)| ctx.schedule(name, millis(*interval), *kind))
    }

    fn process(&mut self, _: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        assert!(ctx.address().is_some());
        Ok(())
    }

    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut Context<'_, String, i64>) -> Flow {
        assert_eq!(ctx.address(), None, "a punctuation has no record");
        ctx.forward(Record::new(&timer.to_owned(), &time.as_millis(), time))?;
        (self.each)(timer, ctx)
    }
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap())
}

fn driver(
    timers: &[(&'static str, i64, PunctuationType)],
    each: fn(&str, &mut Context<'_, String, i64>) -> Flow,
) -> TestDriver {
    let (builder, timers) = (StreamsBuilder::new(), timers.to_vec());
    builder.stream(&IN).process(move || Timed { timers: timers.clone(), each }, &[]).named("timed").to(&OUT);
    TestDriver::new(&builder.build().unwrap())
}

fn fired(driver: &mut TestDriver) -> Vec<(String, i64)> {
    driver.output(&OUT).key_values()
}

fn at(driver: &mut TestDriver, time: i64) -> Vec<(String, i64)> {
    driver.input(&IN).at(time).send("key", 1);
    fired(driver)
}

fn named(times: &[(&str, i64)]) -> Vec<(String, i64)> {
    times.iter().map(|(name, time)| ((*name).to_owned(), *time)).collect()
}

#[test]
fn stream_time_fires_once_however_far_it_jumps_and_then_at_the_next_multiple() {
    let mut driver = driver(&[("t", 100, StreamTime)], |_, _| Ok(()));
    assert_eq!(at(&mut driver, 7), named(&[("t", 7)]), "due at 0");
    assert_eq!(at(&mut driver, 99), []);
    assert_eq!(at(&mut driver, 555), named(&[("t", 555)]));
    assert_eq!(at(&mut driver, 50), [], "time does not go back");
    assert_eq!(at(&mut driver, 599), []);
    assert_eq!(at(&mut driver, 600), named(&[("t", 600)]));
    driver.advance_clock(Duration::from_secs(9));
    assert_eq!(fired(&mut driver), [], "the clock is not its time");
}

#[test]
fn the_clock_counts_from_the_start_and_misses_are_not_made_up_for() {
    let mut driver = driver(&[("t", 100, WallClock)], |_, _| Ok(()));
    driver.advance_clock(millis(99));
    assert_eq!(fired(&mut driver), []);
    driver.advance_clock(millis(301));
    assert_eq!(fired(&mut driver), named(&[("t", 400)]));
    driver.advance_clock(millis(99));
    assert_eq!(at(&mut driver, 10_000), [], "the stream time is not its time");
    driver.advance_clock(millis(1));
    assert_eq!(fired(&mut driver), named(&[("t", 500)]));
}

#[test]
fn timers_fire_in_the_order_of_their_due_times_and_equal_ones_as_the_heap_has_them() {
    let timers = [("a", 100, StreamTime), ("b", 30, StreamTime), ("c", 100, StreamTime)];
    let mut driver = driver(&timers, |_, _| Ok(()));
    assert_eq!(at(&mut driver, 0), named(&[("a", 0), ("c", 0), ("b", 0)]), "as java.util.PriorityQueue");
    assert_eq!(at(&mut driver, 100), named(&[("b", 100), ("c", 100), ("a", 100)]), "30 was due before 100");
}

#[test]
fn a_timer_that_sets_itself_anew_fires_once_a_step() {
    let anew = |timer: &str, ctx: &mut Context<'_, String, i64>| ctx.schedule(timer, millis(10), StreamTime);
    let mut driver = driver(&[("t", 10, StreamTime)], anew);
    assert_eq!(at(&mut driver, 55), named(&[("t", 55)]));
    assert_eq!(at(&mut driver, 59), []);
    assert_eq!(at(&mut driver, 60), named(&[("t", 60)]));
}

#[test]
fn setting_a_timer_again_replaces_it_whatever_its_time() {
    let slower = |timer: &str, ctx: &mut Context<'_, String, i64>| ctx.schedule(timer, millis(1_000), WallClock);
    let mut driver = driver(&[("t", 10, StreamTime)], slower);
    assert_eq!(at(&mut driver, 55), named(&[("t", 55)]));
    assert_eq!(at(&mut driver, 2_000), []);
    driver.advance_clock(millis(1_000));
    assert_eq!(fired(&mut driver), named(&[("t", 1_000)]));
}

#[test]
fn a_timer_cancels_itself_and_others() {
    let both = |_: &str, ctx: &mut Context<'_, String, i64>| {
        assert!(ctx.cancel("b") & ctx.cancel("a"), "both were set");
        assert!(!ctx.cancel("a") && !ctx.cancel("c"), "gone already, and never set");
        Ok(())
    };
    let mut driver = driver(&[("a", 10, StreamTime), ("b", 10, StreamTime)], both);
    assert_eq!(at(&mut driver, 55), named(&[("a", 55)]));
    assert_eq!(at(&mut driver, 5_000), []);
}

#[test]
fn an_interval_below_a_millisecond_is_refused_at_the_start() {
    let mut driver = driver(&[("t", 0, StreamTime)], |_, _| Ok(()));
    assert_eq!(
        driver.start().unwrap_err().to_string(),
        "task 0_0: node `timed` failed: timer `t` cannot have the interval 0ns: use a whole number of milliseconds, at \
         least 1"
    );
}

#[test]
fn a_failing_timer_names_itself_and_the_node_that_failed() {
    let mut failing = driver(&[("t", 10, WallClock)], |_, _| Err("no".into()));
    assert_eq!(
        failing.try_advance_clock(millis(10)).unwrap_err().to_string(),
        "task 0_0: node `timed` failed on timer `t` of `timed`: no"
    );
    let mut panicking = driver(&[("t", 10, StreamTime)], |_, _| panic!("stop"));
    assert_eq!(
        panicking.input(&IN).at(1).try_send("key", 1).unwrap_err().to_string(),
        "task 0_0: node `timed` failed on timer `t` of `timed`: panicked: stop"
    );

    let (builder, timers) = (StreamsBuilder::new(), vec![("t", 10, StreamTime)]);
    let timed = builder.stream(&IN).process(move || Timed { timers: timers.clone(), each: |_, _| Ok(()) }, &[]);
    timed.named("timed").try_map_values(|_, _| Err::<i64, _>("below")).named("child").to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    assert_eq!(
        driver.input(&IN).at(1).try_send("key", 1).unwrap_err().to_string(),
        "task 0_0: node `child` failed on timer `t` of `timed`: below"
    );
}

#[test]
fn a_processor_without_punctuate_says_so_when_a_timer_fires() {
    struct Forgetful;
    impl Processor<String, i64, String, i64> for Forgetful {
        fn process(&mut self, _: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
            ctx.schedule("t", millis(10), StreamTime)
        }
    }
    let builder = StreamsBuilder::new();
    builder.stream(&IN).process(|| Forgetful, &[]).named("forgetful").to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    assert_eq!(
        driver.input(&IN).at(1).try_send("key", 1).unwrap_err().to_string(),
        "task 0_0: node `forgetful` failed on timer `t` of `forgetful`: timer `t` fired, and the processor has no \
         `punctuate`: implement it"
    );
}

#[test]
fn a_function_has_no_timers() {
    let builder = StreamsBuilder::new();
    let set =
        |_: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>| ctx.schedule("t", millis(10), StreamTime);
    builder.stream(&IN).process_fn(set, &[]).named("function").to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    assert_eq!(
        driver.input(&IN).at(1).try_send("key", 1).unwrap_err().to_string(),
        "task 0_0: node `function` failed on record 0 of topic `in` partition 0: node `function` sets timer `t` and is no \
         processor: only a `Processor` has timers"
    );
}

#[test]
fn a_commit_that_was_asked_for_comes_after_the_record_or_the_punctuation() {
    let commit = |_: &str, ctx: &mut Context<'_, String, i64>| {
        ctx.request_commit();
        Ok(())
    };
    let timers = [("s", 100, StreamTime), ("w", 100, WallClock)];
    let mut asking = driver(&timers, commit).commits(Commit::OnDemand);
    assert_eq!(at(&mut asking, 55), named(&[("s", 55)]));
    asking.advance_clock(millis(100));
    assert_eq!(fired(&mut asking), named(&[("w", 100)]));
    let mut silent = driver(&timers, |_, _| Ok(())).commits(Commit::OnDemand);
    assert_eq!(at(&mut silent, 55), []);
    silent.advance_clock(millis(100));
    assert_eq!(fired(&mut silent), [], "without asking nothing is committed");
}

#[test]
fn every_processor_begins_once_before_the_first_record_in_the_order_in_which_they_were_added() {
    use std::sync::{Arc, Mutex};
    struct Says(i64, Arc<Mutex<Vec<i64>>>);
    impl Processor<String, i64, String, i64> for Says {
        fn init(&mut self, _: &mut SilentContext<'_>) -> Flow {
            self.1.lock().unwrap().push(-self.0);
            Ok(())
        }

        fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
            self.1.lock().unwrap().push(self.0);
            ctx.forward(record)
        }
    }
    let (builder, said) = (StreamsBuilder::new(), Arc::new(Mutex::new(Vec::new())));
    let says = |number| {
        let said = said.clone();
        move || Says(number, said.clone())
    };
    builder.stream(&IN).process(says(1), &[]).process(says(2), &[]).to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    said.lock().unwrap().clear();
    driver.input(&IN).send("key", 1).send("key", 1);
    assert_eq!(*said.lock().unwrap(), [-1, -2, 1, 2, 1, 2]);
}
