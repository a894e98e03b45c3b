//! Windows: which records are counted together.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidemill::Topic;
use tidemill::stream::StreamsBuilder;
use tidemill::window::{Hopping, Session, Sliding, TimeWindows, Tumbling};

use crate::input::{LEFT, Sent, came, driver, records, send};

/// Key, start and end of a window: `a@100-200`.
const OUT: Topic<String, Option<i64>> = Topic::of("out");
/// Longer than any input.
const FOR_EVER: Duration = Duration::from_secs(10_000);

fn ms(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}

/// The last count of every window.
type Counts = BTreeMap<String, i64>;

/// What came out last for each window.
fn counted(describe: impl FnOnce(&StreamsBuilder), sent: &[Sent]) -> Counts {
    let mut driver = driver(describe);
    let mut counts = Counts::new();
    for sent in sent {
        send(&mut driver, &Sent { to_left: true, ..sent.clone() });
        for (window, count, _) in came(&mut driver, &OUT) {
            let window = window.unwrap();
            match count {
                Some(count) => counts.insert(window, count),
                None => counts.remove(&window),
            };
        }
    }
    counts
}

/// Keys with the times of their records.
fn times(sent: &[Sent], with_value: bool) -> BTreeMap<String, Vec<i64>> {
    let mut times = BTreeMap::<String, Vec<i64>>::new();
    for sent in sent.iter().filter(|sent| sent.value.is_some() || !with_value) {
        if let Some(key) = &sent.key {
            times.entry(key.clone()).or_default().push(sent.time);
        }
    }
    times.values_mut().for_each(|times| times.sort_unstable());
    times
}

fn time_windows(b: &StreamsBuilder, windows: impl TimeWindows + Clone) {
    let counts = b.stream(&LEFT).group_by_key().windowed_by(windows).count();
    counts.to_stream().map(|row, count| (row.to_string(), *count)).to(&OUT);
}

/// Counts of windows `[start, start + size)` at the multiples of `advance`, until they are closed by the greatest time.
fn model_of_hopping(sent: &[Sent], size: i64, advance: i64, grace: i64) -> Counts {
    let (mut counts, mut observed) = (Counts::new(), 0);
    for sent in sent {
        let Some(key) = &sent.key else { continue };
        observed = observed.max(sent.time);
        for start in (0..=sent.time).filter(|start| start % advance == 0 && start + size > sent.time) {
            if start + size > observed - grace {
                *counts.entry(format!("{key}@{start}-{}", start + size)).or_default() += 1;
            }
        }
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn tumbling_windows_count_what_is_in_time(size in 1..120_i64, grace in 0..100_i64, sent in records(50, 150)) {
        let windows = Tumbling::of(ms(size)).with_grace(ms(grace));
        prop_assert_eq!(counted(|b| time_windows(b, windows), &sent), model_of_hopping(&sent, size, size, grace));
    }

    #[test]
    fn hopping_windows_count_a_record_once_for_each(
        advance in 1..50_i64, more in 0..100_i64, grace in 0..100_i64, sent in records(50, 150)
    ) {
        let size = advance + more;
        let windows = Hopping::of(ms(size), ms(advance)).with_grace(ms(grace));
        prop_assert_eq!(counted(|b| time_windows(b, windows), &sent), model_of_hopping(&sent, size, advance, grace));
    }

    #[test]
    fn sliding_windows_are_those_that_end_with_a_record_or_begin_behind_one(
        difference in 1..100_i64, sent in records(50, 150)
    ) {
        let describe = |b: &StreamsBuilder| {
            let windows = Sliding::of(ms(difference)).with_grace(FOR_EVER);
            let counts = b.stream(&LEFT).group_by_key().windowed_by(windows).count();
            counts.to_stream().map(|row, count| (row.to_string(), *count)).to(&OUT);
        };
        let mut model = Counts::new();
        for (key, times) in times(&sent, true) {
            for start in times.iter().flat_map(|time| [time - difference, time + 1]) {
                let count = times.iter().filter(|time| (start..=start + difference).contains(time)).count();
                if count > 0 {
                    model.insert(format!("{key}@{start}-{}", start + difference), i64::try_from(count).unwrap());
                }
            }
        }
        prop_assert_eq!(counted(describe, &sent), model);
    }

    #[test]
    fn sessions_are_what_no_gap_divides(gap in 1..100_i64, sent in records(50, 150)) {
        let describe = |b: &StreamsBuilder| {
            let counts = b.stream(&LEFT).group_by_key().windowed_by(Session::gap(ms(gap)).with_grace(FOR_EVER)).count();
            counts.to_stream().map(|row, count| (row.to_string(), *count)).to(&OUT);
        };
        let mut model = Counts::new();
        for (key, times) in times(&sent, false) {
            for session in times.chunk_by(|one, next| next - one <= gap) {
                let (start, end) = (session[0], session[session.len() - 1]);
                model.insert(format!("{key}@{start}-{end}"), i64::try_from(session.len()).unwrap());
            }
        }
        prop_assert_eq!(counted(describe, &sent), model);
    }
}
