//! Records that a verb drops go to a topic of their own, as they came, if the program names one; they count all the same.

use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::{Context, DropReason, ErrorHandler, ErrorSettings, Flow, Processor};
use tidemill::record::{Headers, Record};
use tidemill::state::{SessionStore, Store, VersionedStore, WindowStore};
use tidemill::stream::{Joined, Optimization, StreamsBuilder};
use tidemill::window::{EmitStrategy, Hopping, Session, Sliding, Tumbling};
use tidemill_testkit::TestDriver;

type Nullable = Topic<Option<String>, Option<i64>>;
type Describe = fn(&StreamsBuilder);

const IN: Topic<String, i64> = Topic::of("in");
const NULLS: Nullable = Topic::of("in");
const OUT: Topic<String, i64> = Topic::of("out");
const ROWS: Topic<String, i64> = Topic::of("rows");
const DROPPED: Nullable = Topic::of("dropped");
const LATE: Topic<String, i64> = Topic::of("late");
const SUMS: Store<String, i64> = Store::of("sums");
const COUNTS: WindowStore<String, i64> = WindowStore::of("counts");

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn driver(describe: impl FnOnce(&StreamsBuilder)) -> TestDriver {
    let builder = StreamsBuilder::new();
    describe(&builder);
    TestDriver::new(&builder.build().unwrap())
}

/// A record without key and one without value.
fn send_nulls(driver: &mut TestDriver) {
    driver.input(&NULLS).at(7).headers(Headers::default().with("from", "a test")).send(None, 1);
    driver.input(&NULLS).at(8).send(Some("a".to_owned()), None);
}

/// Key and value of what was dropped.
fn dropped(driver: &mut TestDriver) -> Vec<(Option<String>, Option<i64>)> {
    let records = driver.output(&DROPPED).records();
    records.into_iter().map(|record| (record.key.flatten(), record.value.flatten())).collect()
}

/// The records of `send_nulls`.
fn both() -> [(Option<String>, Option<i64>); 2] {
    [(None, Some(1)), (Some("a".into()), None)]
}

fn counted(driver: &mut TestDriver, reason: DropReason) -> u64 {
    driver.dropped().iter().map(|counts| counts.get(reason)).sum()
}

/// Sends the key `a` at these times, each with its time as the value.
fn send_times(driver: &mut TestDriver, times: &[i64]) {
    for time in times {
        driver.input(&IN).at(*time).headers(Headers::default().with("sent", "once")).send("a", *time);
    }
}

/// The values of what was late; all of it is as it was sent.
fn late(driver: &mut TestDriver) -> Vec<i64> {
    let check = |record: tidemill_testkit::OutputRecord<String, i64>| {
        assert_eq!((record.key.as_deref(), record.headers.last("sent")), (Some("a"), Some(&b"once"[..])));
        assert_eq!(record.value, Some(record.timestamp.as_millis()));
        record.value.unwrap()
    };
    driver.output(&LATE).records().into_iter().map(check).collect()
}

#[test]
fn what_a_verb_drops_goes_to_its_side_topic_as_it_is() {
    let builder = StreamsBuilder::new();
    builder.stream(&NULLS).dropped_to(&DROPPED).skip_nulls().named("keyed").to(&OUT);
    let topology = builder.build().unwrap();
    let text = topology.describe();
    assert!(text.contains("Sink: keyed-dropped-to-dropped (topic: dropped)\n      <-- keyed"), "{text}");
    let mut driver = TestDriver::new(&topology);
    send_nulls(&mut driver);
    driver.input(&NULLS).send(Some("a".to_owned()), Some(3));
    let side = driver.output(&DROPPED).records();
    assert_eq!(
        side.iter().map(|record| (record.key.clone().flatten(), record.value.flatten())).collect::<Vec<_>>(),
        both()
    );
    assert_eq!((side[0].timestamp.as_millis(), side[0].headers.last("from")), (7, Some(&b"a test"[..])));
    assert_eq!(driver.output(&OUT).values(), [3]);
    assert_eq!((counted(&mut driver, DropReason::NullKey), counted(&mut driver, DropReason::NullValue)), (1, 1));
}

#[test]
fn the_numbers_of_other_nodes_do_not_move() {
    let describe = |side: bool| {
        let builder = StreamsBuilder::new();
        let mut stream = builder.stream(&NULLS);
        if side {
            stream = stream.dropped_to(&DROPPED);
        }
        let counts = stream.group_by_key().count();
        counts.to_stream().to(&OUT);
        builder.build().unwrap().describe()
    };
    let names = |text: &str| -> Vec<String> {
        let nodes = text.lines().filter(|line| line.contains(": KSTREAM") || line.contains(": KTABLE"));
        nodes.filter(|line| !line.contains("-dropped-to-")).map(|line| line.trim().to_owned()).collect()
    };
    let (plain, side) = (describe(false), describe(true));
    assert_eq!(names(&plain), names(&side));
    assert!(!plain.contains("dropped") && side.contains("topic: dropped"), "{side}");
}

#[test]
fn aggregations_joins_and_tables_write_what_they_drop() {
    let verbs: [Describe; 7] = [
        |b| _ = b.stream(&NULLS).dropped_to(&DROPPED).group_by_key().top_n(2, |value| *value),
        |b| _ = b.stream(&NULLS).dropped_to(&DROPPED).group_by_key().count(),
        |b| _ = b.stream(&NULLS).group_by_key().dropped_to(&DROPPED).reduce(|sum, value| sum + value),
        |b| {
            let grouped = b.stream(&NULLS).dropped_to(&DROPPED).group_by_key();
            grouped.cogroup(|sum: i64, _, value| sum + value).aggregate(&SUMS, || 0);
        },
        |b| {
            let rows = b.table(&ROWS);
            b.stream(&NULLS)
                .dropped_to(&DROPPED)
                .join(&rows, |value, row| value + row)
                .to(&Topic::<Option<String>, i64>::of("out"));
        },
        |b| {
            const KNOWN: VersionedStore<String, i64> = VersionedStore::of("known", ms(1_000));
            let (rows, patient) = (b.table_with(&ROWS, &KNOWN), Joined::grace(ms(10)));
            let joined = b.stream(&NULLS).dropped_to(&DROPPED).join_with(&rows, patient, |value, row| value + row);
            joined.named("join").to(&Topic::<Option<String>, i64>::of("out"));
        },
        |b| {
            let rows = b.global_table(&ROWS);
            let joined = b.stream(&NULLS).dropped_to(&DROPPED).join_global(
                &rows,
                |key, _| key.clone(),
                |value, row| value + row,
            );
            joined.to(&Topic::<Option<String>, i64>::of("out"));
        },
    ];
    for (number, verb) in verbs.into_iter().enumerate() {
        let mut driver = driver(verb);
        send_nulls(&mut driver);
        assert_eq!(dropped(&mut driver), both(), "verb {number}");
        assert_eq!((counted(&mut driver, DropReason::NullKey), counted(&mut driver, DropReason::NullValue)), (1, 1));
    }
    let mut table = driver(|b| _ = b.stream(&NULLS).dropped_to(&DROPPED).to_table_with(&SUMS));
    send_nulls(&mut table);
    assert_eq!(dropped(&mut table), both()[..1], "a row without value is a deletion");
}

#[test]
fn a_record_that_no_repartition_topic_takes_is_written_too() {
    let mut driver = driver(|b| {
        let positive =
            |_: &Option<String>, value: &Option<i64>| value.filter(|value| *value > 0).map(|value| value.to_string());
        b.stream(&NULLS).group_by(positive).dropped_to(&DROPPED).named("by-value").count().to_stream().to(&OUT);
    });
    driver.input(&NULLS).send(Some("a".to_owned()), Some(5));
    driver.input(&NULLS).send(Some("a".to_owned()), Some(-5));
    assert_eq!(driver.output(&OUT).key_values(), [("5".into(), 1)]);
    assert_eq!(dropped(&mut driver), [(None, Some(-5))]);
}

#[test]
fn topics_that_became_one_write_what_each_of_them_would_have_dropped() {
    const OTHER: Nullable = Topic::of("other");
    let merged = |merge: bool| {
        let mut builder = StreamsBuilder::new();
        if merge {
            builder = builder.optimize(Optimization::MergeRepartitions);
        }
        let unkeyed = builder.stream(&NULLS).select_key(|_, _| None::<String>);
        unkeyed.dropped_to(&DROPPED).group_by_key().named("one").count();
        unkeyed.dropped_to(&OTHER).group_by_key().named("two").count();
        let mut driver = TestDriver::new(&builder.build().unwrap());
        driver.input(&NULLS).send(Some("a".to_owned()), Some(5));
        (dropped(&mut driver), driver.output(&OTHER).records().len(), counted(&mut driver, DropReason::NullKey))
    };
    assert_eq!(merged(false), (vec![(None, Some(5))], 1, 2));
    assert_eq!(merged(true), (vec![(None, Some(5))], 1, 1));
}

#[test]
fn joins_that_share_a_repartition_topic_write_what_each_drops() {
    const OTHER: Nullable = Topic::of("other");
    let mut driver = driver(|b| {
        let (rows, sums) = (b.table(&ROWS), b.table(&Topic::<String, i64>::of("more-rows")));
        let unkeyed = b.stream(&NULLS).select_key(|_, _| None::<String>);
        let out = Topic::<Option<String>, i64>::of("out");
        unkeyed.dropped_to(&DROPPED).join(&rows, |value, row| value + row).to(&out);
        unkeyed.dropped_to(&OTHER).join(&sums, |value, row| value + row).to(&out);
    });
    driver.input(&NULLS).send(Some("a".to_owned()), Some(5));
    assert_eq!((dropped(&mut driver), driver.output(&OTHER).records().len()), (vec![(None, Some(5))], 1));
}

/// Passes even values on and drops the others.
struct Even;

impl Processor<String, i64, String, i64> for Even {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        if record.value % 2 == 0 {
            return ctx.forward(record);
        }
        ctx.drop_record(DropReason::Processing);
        if *record.value == 13 { Err("13 is not allowed".into()) } else { Ok(()) }
    }
}

#[test]
fn processors_of_ones_own_drop_records_too_unless_they_fail() {
    let mut driver = driver(|b| {
        b.stream(&IN).dropped_to(&DROPPED).process(|| Even, &[]).to(&OUT);
    })
    .errors(ErrorSettings::all(ErrorHandler::skip()));
    driver.input(&IN).send("a", 1).send("a", 2).send("a", 13);
    assert_eq!(driver.output(&OUT).values(), [2]);
    assert_eq!(dropped(&mut driver), [(Some("a".into()), Some(1))]);
    assert_eq!(counted(&mut driver, DropReason::Processing), 2, "one it dropped, and one that it failed on");
}

#[test]
fn duplicates_can_be_written_too() {
    let mut driver = driver(|b| {
        b.stream(&IN).dropped_to(&DROPPED).deduplicate(ms(100)).named("once").to(&OUT);
    });
    send_times(&mut driver, &[200, 210, 400]);
    assert_eq!(driver.output(&OUT).values(), [200, 400]);
    assert_eq!(dropped(&mut driver), [(Some("a".into()), Some(210))]);
}

#[test]
fn a_verb_further_down_does_not_write_what_it_drops() {
    let mut driver = driver(|b| {
        b.stream(&NULLS).dropped_to(&DROPPED).filter(|_, _| true).skip_nulls().to(&OUT);
    });
    send_nulls(&mut driver);
    assert_eq!(dropped(&mut driver), []);
    assert_eq!(counted(&mut driver, DropReason::NullKey), 1);
}

#[test]
fn late_records_go_to_a_topic_if_no_window_takes_them() {
    let mut driver = driver(|b| {
        let windows = Hopping::of(ms(100), ms(50)).with_grace(ms(20));
        b.stream(&IN).group_by_key().windowed_by(windows).late_to(&LATE).count_with(&COUNTS);
    });
    // 170 closes what ends at 150 or before; 110 lies in 50-150 and 100-200, 40 in 0-100 and, were there one, in -50-50.
    send_times(&mut driver, &[10, 170, 110, 40]);
    assert_eq!(late(&mut driver), [40]);
    assert_eq!(counted(&mut driver, DropReason::Late), 2);
}

#[test]
fn every_kind_of_windows_writes_late_records() {
    const SESSIONS: SessionStore<String, i64> = SessionStore::of("sessions");
    let kinds: [(Describe, &[i64], &[i64]); 6] = [
        (
            |b| _ = b.stream(&IN).group_by_key().windowed_by(Tumbling::of(ms(100))).late_to(&LATE).count(),
            &[50, 100, 99],
            &[99],
        ),
        (
            |b| {
                let windowed = b.stream(&IN).group_by_key().windowed_by(Tumbling::of(ms(100))).late_to(&LATE);
                windowed.emit_strategy(EmitStrategy::OnWindowClose).reduce(|sum, value| sum + value);
            },
            &[50, 100, 99, 200],
            &[99],
        ),
        // Of the windows that 460 and 450 lie in only that of 500 is open; 449 lies in none.
        (
            |b| _ = b.stream(&IN).group_by_key().windowed_by(Sliding::of(ms(50))).late_to(&LATE).count(),
            &[500, 460, 449],
            &[449],
        ),
        // So early that their windows begin at 0.
        (
            |b| _ = b.stream(&IN).group_by_key().windowed_by(Sliding::of(ms(50))).late_to(&LATE).count(),
            &[30, 110, 20, 40],
            &[20, 40],
        ),
        (
            |b| {
                let windowed = b.stream(&IN).group_by_key().windowed_by(Session::gap(ms(50))).late_to(&LATE);
                windowed.aggregate(&SESSIONS, || 0, |sum: i64, _, value| sum + value, |_, sum, session| sum + session);
            },
            &[500, 450, 399],
            &[399],
        ),
        (
            |b| {
                let windowed = b.stream(&IN).group_by_key().windowed_by(Tumbling::of(ms(100))).late_to(&LATE);
                windowed.cogroup(|sum: i64, _, value| sum + value).aggregate(&COUNTS, || 0);
            },
            &[50, 100, 99],
            &[99],
        ),
    ];
    for (number, (describe, times, expected)) in kinds.into_iter().enumerate() {
        let mut driver = driver(describe);
        send_times(&mut driver, times);
        assert_eq!(late(&mut driver), expected, "windows {number}");
        assert!(counted(&mut driver, DropReason::Late) >= 1, "windows {number}");
    }
}

#[test]
fn late_records_go_with_the_others_that_are_dropped_unless_they_have_a_topic() {
    const NULL_LATE: Nullable = Topic::of("late");
    let run = |apart: bool| {
        let mut driver = driver(|b| {
            let grouped = b.stream(&NULLS).dropped_to(&DROPPED).group_by_key();
            let mut windowed = grouped.windowed_by(Tumbling::of(ms(100)));
            if apart {
                windowed = windowed.late_to(&NULL_LATE);
            }
            windowed.count();
        });
        driver.input(&NULLS).at(100).send(Some("a".to_owned()), Some(1));
        driver.input(&NULLS).at(50).send(Some("a".to_owned()), Some(2));
        driver.input(&NULLS).at(100).send(None, Some(3));
        (dropped(&mut driver).len(), driver.output(&NULL_LATE).records().len())
    };
    assert_eq!((run(false), run(true)), ((2, 0), (1, 1)));
}

#[test]
fn a_late_record_that_fails_further_up_is_not_written() {
    let mut driver = driver(|b| {
        let windowed = b.stream(&IN).group_by_key().windowed_by(Tumbling::of(ms(100))).late_to(&LATE);
        windowed.count();
        b.stream(&IN).try_for_each(|_, value| if *value == 13 { Err("13 is not allowed") } else { Ok(()) });
    })
    .errors(ErrorSettings::all(ErrorHandler::skip()));
    send_times(&mut driver, &[200, 13, 14]);
    assert_eq!(late(&mut driver), [14]);
    assert_eq!(counted(&mut driver, DropReason::Late), 1, "what a record did that is left out is taken back");
}
