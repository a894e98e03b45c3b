//! Rules about appending from outside, and reading.

use std::sync::Arc;
use std::thread;

use tidemill::log::{Append, Log, LogErrorKind, Notes};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp};

use super::{append, kind, partition, records, to, values, with_topic};

/// Every append continues its partition, several ones of a call in their order.
pub fn appended_records_get_the_next_offsets(log: &dyn Log) {
    let (t0, t1) = with_topic(log);
    let first = append(log, &t0, &["a", "b"]);
    let appends = vec![to(&t0, &["c"]), to(&t1, &["x"]), to(&t0, &["d", "e"])];
    let offsets = log.append(appends, "", Notes::new()).unwrap();
    assert_eq!(values(log, &t0), ["a", "b", "c", "d", "e"]);
    assert_eq!(values(log, &t1), ["x"]);
    let found = records(&|from| log.read(&t0, from, usize::MAX));
    let at = |value: &str| found.iter().find(|(_, v)| v == value).unwrap().0;
    assert_eq!((first.get(), offsets[0].get(), offsets[2].get()), (at("a"), at("c"), at("d")));
    assert_eq!(log.bounds(&t0).unwrap().start, first);
    assert!(log.bounds(&t0).unwrap().end.get() > at("e"));
}

/// Time, key, value and headers are kept, absent ones too. A log may refuse times that are far in the future.
pub fn records_come_back_as_they_were_appended(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    let mut far = BatchBuilder::default();
    far.push(Timestamp::from_millis(i64::MAX), Some(b"far"), None, &Headers::NONE);
    far.push(Timestamp::from_millis(i64::MAX), Some(b"far"), None, &Headers::NONE);
    let future = log.append(vec![Append { to: t0.clone(), records: far.finish(Offset::ZERO) }], "", Notes::new());
    let refused = future.as_ref().is_err_and(|error| error.kind() == LogErrorKind::Invalid);
    assert!(future.is_ok() || refused, "{future:?}");
    let begin = log.bounds(&t0).unwrap().end;
    let mut builder = BatchBuilder::default();
    builder.push(Timestamp::from_millis(42), Some(b"k"), Some(b"v"), &Headers::default().with("h", "1").with("h", "2"));
    builder.push(Timestamp::from_millis(-1), None, None, &Headers::NONE);
    builder.push(Timestamp::from_millis(1_700_000_000_000), Some(b""), Some(b""), &Headers::NONE);
    let sent = builder.finish(Offset::new(77));
    log.append(vec![Append { to: t0.clone(), records: sent.clone() }], "", Notes::new()).unwrap();
    let mut got = Vec::new();
    for batch in log.read(&t0, begin, usize::MAX).unwrap() {
        got.extend_from_slice(batch.bytes());
    }
    assert_eq!(got, sent.bytes());
}

/// When one part of an append cannot be done, nothing of it is.
pub fn one_append_is_whole_or_not_there(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    let appends = vec![to(&t0, &["a"]), to(&partition("missing", 0), &["b"])];
    let notes = Notes::from([("n".to_owned(), vec![1])]);
    assert_eq!(kind(log.append(appends, "s", notes)), Some(LogErrorKind::UnknownTopic));
    assert!(values(log, &t0).is_empty());
    assert!(log.notes("s").unwrap().is_empty());
}

/// A batch without records takes no offset.
pub fn an_empty_append_changes_nothing(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    append(log, &t0, &["a"]);
    let end = log.bounds(&t0).unwrap().end;
    assert_eq!(append(log, &t0, &[]), end);
    assert_eq!(log.bounds(&t0).unwrap().end, end);
    assert!(log.append(Vec::new(), "", Notes::new()).unwrap().is_empty());
}

/// The first batch contains the offset that was asked for; batches follow each other.
pub fn reading_begins_at_the_batch_with_the_offset(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    for values in [&["a", "b", "c"][..], &["d"], &["e", "f"]] {
        append(log, &t0, values);
    }
    for (offset, _) in records(&|from| log.read(&t0, from, usize::MAX)) {
        let offset = Offset::new(offset);
        let batches = log.read(&t0, offset, usize::MAX).unwrap();
        assert!(batches[0].base() <= offset && offset < batches[0].end());
        assert!(batches.windows(2).all(|pair| pair[0].end() <= pair[1].base()));
        assert_eq!(batches.last().unwrap().end(), log.bounds(&t0).unwrap().end);
    }
}

/// No more bytes than asked for, but one batch always.
pub fn reading_stops_at_the_limit_but_not_before_one_batch(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    let long = "x".repeat(100);
    for _ in 0..10 {
        append(log, &t0, &[&long]);
    }
    let size = |bytes_max| {
        let batches = log.read(&t0, Offset::ZERO, bytes_max).unwrap();
        (batches.len(), batches.iter().map(|batch| batch.bytes().len()).sum::<usize>())
    };
    assert_eq!(size(0).0, 1);
    let (all, bytes_all) = size(usize::MAX);
    assert!((1..=10).contains(&all) && bytes_all > 1000);
    let (count, bytes) = size(500);
    // A log may make one batch of what came in several appends.
    assert!(count == 1 || bytes <= 500, "{count} batches of {bytes} bytes");
    assert!(count >= 2 || all < 10, "there is room for more than one");
}

/// At the end there is nothing; beyond it, there is an error.
pub fn reading_outside_the_bounds_is_an_error(log: &dyn Log) {
    let (t0, t1) = with_topic(log);
    append(log, &t0, &["a"]);
    let end = log.bounds(&t0).unwrap().end;
    assert!(log.read(&t0, end, usize::MAX).unwrap().is_empty());
    assert_eq!(kind(log.read(&t0, end.next(), usize::MAX)), Some(LogErrorKind::OutOfRange));
    assert!(log.read(&t1, Offset::ZERO, usize::MAX).unwrap().is_empty());
    assert_eq!(kind(log.session("app").unwrap().read(&t1, Offset::new(1), 1)), Some(LogErrorKind::OutOfRange));
}

/// Notes come with the records of their append; a note replaces the one of its name in its scope, and no other.
pub fn notes_are_merged_by_scope(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    let notes = |pairs: &[(&str, u8)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), vec![*value])).collect();
    log.append(vec![to(&t0, &["a"])], "importer", notes(&[("place", 1), ("file", 2)])).unwrap();
    log.append(Vec::new(), "importer", notes(&[("place", 3)])).unwrap();
    log.append(Vec::new(), "other", notes(&[("place", 9)])).unwrap();
    assert_eq!(log.notes("importer").unwrap(), notes(&[("place", 3), ("file", 2)]));
    assert_eq!(log.notes("other").unwrap(), notes(&[("place", 9)]));
    assert_eq!(log.notes("nobody").unwrap(), Notes::new());
}

/// Appends of several threads stand next to each other, each in one piece, at the offsets that it was told.
pub fn appends_of_several_threads_do_not_mix(log: &dyn Log) {
    const THREADS: usize = 4;
    const APPENDS: usize = 25;
    let (t0, _) = with_topic(log);
    let (log, t0) = (&log, &t0);
    let mut told: Vec<(u64, String)> = thread::scope(|scope| {
        let write = |thread: usize| {
            let one = move |at: usize| {
                let name = format!("{thread}.{at}");
                (append(*log, t0, &[&name, &name]).get(), name)
            };
            scope.spawn(move || (0..APPENDS).map(one).collect::<Vec<_>>())
        };
        let writers: Vec<_> = (0..THREADS).map(write).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    told.sort();
    let found = records(&|from| log.read(t0, from, usize::MAX));
    assert_eq!(found.len(), THREADS * APPENDS * 2);
    let pairs: Arc<[(u64, String)]> = found.chunks(2).map(|pair| pair[0].clone()).collect();
    assert_eq!(*told, *pairs);
    assert!(found.chunks(2).all(|pair| pair[0].1 == pair[1].1));
}
