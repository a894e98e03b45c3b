//! Days, weeks and months of a time zone: where they begin and end, when they are closed, and that their ends are known to whoever
//! reads their keys.

use std::time::Duration;

use proptest::prelude::*;
use tidemill::Topic;
use tidemill::record::{Headers, Timestamp};
use tidemill::serde::{Serde, SerdeRef};
use tidemill::state::{Emit, WindowStore};
use tidemill::stream::{Buffer, Materialized, StreamsBuilder, Suppressed};
use tidemill::topology::Topology;
use tidemill::window::{Calendar, EmitStrategy, TimeWindowed, TimeWindows, Weekday, Window, Windowed};
use tidemill_testkit::{Commit, TestDriver};

use crate::support::{IN, OUT, assert_copies_go_on, read, soon, start};

const COUNTS: WindowStore<String, i64> = WindowStore::of("counts");
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// 2024-03-31, 00:00 in Berlin: clocks are set forward that night.
const SPRING: i64 = 1_711_839_600_000;
/// 2024-10-27, 00:00 in Berlin: clocks are set back that night.
const AUTUMN: i64 = 1_729_980_000_000;
/// 2024-02-01, 00:00 UTC.
const FEBRUARY: i64 = 1_706_745_600_000;

fn window(windows: &Calendar, time: i64) -> Window {
    let mut found = windows.windows_of(time.into());
    let window = found.next().unwrap();
    assert!(found.next().is_none(), "a time lies in one window");
    window
}

fn of(start: i64, hours: i64) -> Window {
    Window::of_millis(start, start + hours * HOUR)
}

#[test]
fn days_have_the_hours_that_clocks_leave_them() {
    let days = Calendar::days("Europe/Berlin");
    assert_eq!(window(&days, SPRING), of(SPRING, 23));
    assert_eq!(window(&days, SPRING + 23 * HOUR - 1), of(SPRING, 23));
    assert_eq!(window(&days, SPRING + 23 * HOUR), of(SPRING + 23 * HOUR, 24));
    assert_eq!(window(&days, AUTUMN + 24 * HOUR), of(AUTUMN, 25), "23:00, for 24 hours are over");
    assert_eq!(window(&days, SPRING - 1), of(SPRING - 24 * HOUR, 24));
}

#[test]
fn days_begin_with_their_first_instant_whatever_the_clocks_do_at_midnight() {
    // São Paulo, 2018-11-04: there is no midnight, the day begins at 01:00.
    let start = 1_541_300_400_000;
    assert_eq!(window(&Calendar::days("America/Sao_Paulo"), start + HOUR), of(start, 23));
    // St. John's, 2006-10-29: a minute after midnight clocks are set back to 23:01. The day has begun.
    let start = 1_162_089_000_000;
    let days = Calendar::days("America/St_Johns");
    for minutes in [0, 1, 30, 61] {
        assert_eq!(window(&days, start + minutes * 60_000), of(start, 25), "{minutes} minutes later");
    }
    assert_eq!(window(&days, start - 1).end, start.into());
    // Apia left 2011-12-30 out: the 29th ends where the 31st begins.
    let start = 1_325_152_800_000;
    let days = Calendar::days("Pacific/Apia");
    assert_eq!((window(&days, start), window(&days, start + DAY).start), (of(start, 24), (start + DAY).into()));
}

#[test]
fn weeks_begin_on_the_day_that_is_said_and_months_on_the_first() {
    // 2024-02-29 was a Thursday.
    let time = FEBRUARY + 28 * DAY + HOUR;
    assert_eq!(window(&Calendar::weeks("UTC"), time), of(FEBRUARY + 25 * DAY, 7 * 24));
    assert_eq!(window(&Calendar::weeks_from(Weekday::Sunday, "UTC"), time), of(FEBRUARY + 24 * DAY, 7 * 24));
    assert_eq!(window(&Calendar::weeks_from(Weekday::Thursday, "UTC"), time), of(FEBRUARY + 28 * DAY, 7 * 24));
    assert_eq!(window(&Calendar::weeks_from(Weekday::Friday, "UTC"), time), of(FEBRUARY + 22 * DAY, 7 * 24));
    assert_eq!(window(&Calendar::months("UTC"), time), of(FEBRUARY, 29 * 24));
    // October in Berlin begins in summer time and ends in winter time.
    let october = 1_727_733_600_000;
    assert_eq!(window(&Calendar::months("Europe/Berlin"), AUTUMN), of(october, 31 * 24 + 1));
    assert_eq!(window(&Calendar::weeks("Europe/Berlin"), AUTUMN + 25 * HOUR - 1), of(AUTUMN - 6 * DAY, 7 * 24 + 1));
}

#[test]
fn times_at_the_edges_lie_in_a_window_too() {
    let days = Calendar::days("America/New_York");
    assert_eq!(window(&days, 0), of(0, 5), "the day before 1970 began before time 0");
    let last = window(&days, i64::MAX);
    assert_eq!((last.end, window(&days, last.start.as_millis())), (i64::MAX.into(), last));
    assert!(window(&days, last.start.as_millis() - 1).end <= last.start);
}

#[test]
fn a_zone_that_is_not_known_is_a_fault() {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).group_by_key().windowed_by(Calendar::days("Europe/Bern")).count();
    let faults = builder.build().unwrap_err().to_string();
    assert!(faults.contains("the time zone `Europe/Bern`, which is not in the IANA database"), "{faults}");
}

/// Months, counted three ways: each update, when they are closed, and waiting until they are.
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let months = Calendar::months("UTC").with_grace(Duration::from_secs(3_600));
    let windowed = builder.stream(&IN).group_by_key().windowed_by(months);
    let tell = |stream: tidemill::stream::Table<'_, Windowed<String>, i64>, how: &'static str| {
        stream.to_stream().map(move |row, n| (format!("{how} {row}"), n.unwrap_or(0))).to(&OUT);
    };
    let counts = windowed.count_with(&COUNTS);
    tell(counts.clone(), "update");
    tell(counts.suppress(Suppressed::until_window_closes(Buffer::unbounded())).named("waiting"), "waited");
    let kept = Materialized::windows(&WindowStore::of("closing"));
    tell(windowed.emit_strategy(EmitStrategy::OnWindowClose).count_with(kept), "closed");
    builder.build().unwrap()
}

/// In February, when it is over but for the grace, late but within it, when it is closed, too late, and in April.
const TIMES: [i64; 6] = [0, 29 * DAY, 29 * DAY - 1, 29 * DAY + HOUR, 5, 60 * DAY + HOUR];

fn expected() -> Vec<(String, i64)> {
    let february = format!("a@{}-{}", FEBRUARY, FEBRUARY + 29 * DAY);
    let march = format!("a@{}-{}", FEBRUARY + 29 * DAY, FEBRUARY + 60 * DAY);
    let april = format!("a@{}-{}", FEBRUARY + 60 * DAY, FEBRUARY + 90 * DAY);
    let row = |how: &str, month: &str, n| (format!("{how} {month}"), n);
    vec![
        row("update", &february, 1),
        row("update", &march, 1),
        row("update", &february, 2),
        // A month of 29 days is closed after 29 days.
        row("update", &march, 2),
        row("waited", &february, 2),
        row("closed", &february, 2),
        row("update", &april, 1),
        row("waited", &march, 2),
        row("closed", &march, 2),
    ]
}

#[test]
fn a_month_is_closed_when_it_is_over_however_long_it_is() {
    let mut driver = TestDriver::new(&topology());
    for time in TIMES {
        driver.input(&IN).at(FEBRUARY + time).send("a", 1);
    }
    assert_eq!(driver.output(&OUT).key_values(), expected());
    let rows = driver.store(&COUNTS).all_with_times();
    let ends: Vec<Timestamp> = rows.iter().map(|(row, ..)| row.window.end).collect();
    // February is further behind than the longest month and the grace.
    assert_eq!(ends, [60 * DAY, 90 * DAY].map(|end| (FEBRUARY + end).into()), "as a query sees them");
}

#[test]
fn a_cache_tells_of_the_ends_that_windows_have() {
    let builder = StreamsBuilder::new();
    let held = Materialized::windows(&COUNTS).emit(Emit::OnCommit);
    let months = builder.stream(&IN).group_by_key().windowed_by(Calendar::months("UTC")).count_with(held);
    months.to_stream().map(|row, n| (row.window.to_string(), n.unwrap_or(0))).to(&OUT);
    let mut driver = TestDriver::new(&builder.build().unwrap()).commits(Commit::OnDemand);
    driver.input(&IN).at(FEBRUARY).send("a", 1).send("a", 1);
    driver.commit().unwrap();
    assert_eq!(driver.output(&OUT).key_values(), [(of(FEBRUARY, 29 * 24).to_string(), 2)]);
}

#[test]
fn the_serde_of_a_topic_knows_the_ends() {
    let serde = TimeWindowed::of(SerdeRef::<String>::of(), Calendar::months("UTC"));
    let row = Windowed { key: "a".to_owned(), window: of(FEBRUARY, 29 * 24) };
    let mut bytes = Vec::new();
    serde.write(&row, &mut bytes).unwrap();
    assert_eq!(bytes.len(), 9, "the key and the start");
    assert_eq!(serde.read(&bytes).unwrap(), row);
    let topic: Topic<Windowed<String>, i64> = Topic::new("months", SerdeRef::new(serde), SerdeRef::of());
    let builder = StreamsBuilder::new();
    builder.stream(&IN).group_by_key().windowed_by(Calendar::months("UTC")).count().to_stream().to(&topic);
    let mut driver = TestDriver::new(&builder.build().unwrap());
    driver.input(&IN).at(FEBRUARY + 7).send("a", 1);
    assert_eq!(driver.output(&topic).key_values(), [(row, 1)]);
}

#[test]
fn a_copy_goes_on_as_the_original() {
    assert_copies_go_on(&topology(), &TIMES.map(|time| (FEBRUARY + time, "a", 1)));
}

#[tokio::test]
async fn a_restart_knows_the_ends_of_what_waits() {
    for stop_after in 1..TIMES.len() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("data");
        let mut settings = soon();
        settings.tasks.emit_interval = Duration::ZERO;
        let (before, after) = TIMES.split_at(stop_after);
        for times in [before, after] {
            let app = start(&folder, &topology(), &settings).await;
            for time in times {
                app.send_with(&IN, "a", 1, (FEBRUARY + time).into(), &Headers::NONE).await.unwrap();
            }
            app.settled().await.unwrap();
            if times == after {
                assert_eq!(read(&app), expected(), "stopped after {stop_after}");
            }
        }
    }
}

proptest! {
    #[test]
    fn windows_follow_one_another_without_gaps(
        time in 0_i64..4_102_444_800_000,
        zone in prop::sample::select(vec![
            "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe", "Antarctica/Troll", "Asia/Tehran",
            "America/Havana", "Africa/Casablanca", "UTC",
        ]),
        unit in 0..3,
    ) {
        let windows = match unit {
            0 => Calendar::days(zone),
            1 => Calendar::weeks_from(Weekday::Wednesday, zone),
            _ => Calendar::months(zone),
        };
        let found = window(&windows, time);
        prop_assert!(found.start.as_millis() <= time && time < found.end.as_millis());
        prop_assert!(found.end.as_millis() - found.start.as_millis() <= windows.size().as_millis() as i64);
        prop_assert_eq!(windows.window_from(found.start), found, "its start says where it ends");
        prop_assert_eq!(window(&windows, found.end.as_millis()).start, found.end, "the next one begins there");
        if found.start > Timestamp::ZERO {
            prop_assert_eq!(window(&windows, found.start.as_millis() - 1).end, found.start, "so does the one before end");
        }
        // What has ended by then, and what has not.
        prop_assert_eq!(windows.last_start(found.end).as_millis() >= found.start.as_millis(), true);
        prop_assert!(windows.last_start((found.end.as_millis() - 1).into()) < found.start);
        prop_assert!(windows.last_start(found.end) < found.end);
    }
}
