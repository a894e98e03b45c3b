//! Rules about appends that meet an open epoch, end watches, and waiting.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tidemill::log::{Log, OwnRecords, Progress, Session};
use tidemill::record::{Offset, TopicPartition};

use super::{append, own_values, records, stage, to, values, with_topic};

/// Long enough for a call that does not wait, short enough for a test.
const A_WHILE: Duration = Duration::from_millis(50);
const VERY_LONG: Duration = Duration::from_secs(60);

/// An append to a partition without staged records is there at once.
pub fn an_append_elsewhere_does_not_wait_for_an_epoch(log: &dyn Log) {
    let (t0, t1) = with_topic(log);
    let session = log.session("app").unwrap();
    stage(&*session, &t0, &["staged"]);
    append(log, &t1, &["outside"]);
    assert_eq!(values(log, &t1), ["outside"]);
    assert_eq!(own_values(&*session, &t1), ["outside"]);
    session.abort().unwrap();
    assert_eq!(values(log, &t1), ["outside"]);
}

/// The offsets that a session was promised stay its own: what others append stands behind, and comes with the commit.
pub fn an_append_behind_staged_records_comes_with_the_commit(log: &dyn Log) {
    behind(log, ["a", "b", "c", "outside"], |session, t0| {
        stage(session, t0, &["b", "c"]);
        session.commit(&Progress::default()).unwrap();
    });
}

/// After an abort it takes the offsets that the session gave up.
pub fn an_append_behind_staged_records_comes_after_an_abort(log: &dyn Log) {
    behind(log, ["outside"], |session, _| session.abort().unwrap());
}

/// A session that goes away holds up nobody.
pub fn an_append_behind_a_dropped_session_comes_through(log: &dyn Log) {
    let (t0, t1) = with_topic(log);
    let session = log.session("app").unwrap();
    stage(&*session, &t0, &["a"]);
    thread::scope(|scope| {
        let outside = scope.spawn(|| log.append(vec![to(&t1, &["x"]), to(&t0, &["y"])], "", Default::default()));
        drop(session);
        assert_eq!(outside.join().unwrap().unwrap(), [Offset::ZERO, Offset::ZERO]);
    });
    assert_eq!((values(log, &t0), values(log, &t1)), (vec!["y".to_owned()], vec!["x".to_owned()]));
}

fn behind<const N: usize>(log: &dyn Log, expected: [&str; N], end: impl FnOnce(&dyn Session, &TopicPartition)) {
    let (t0, _) = with_topic(log);
    let session = log.session("app").unwrap();
    if session.own_records() != OwnRecords::AtOnce {
        return;
    }
    stage(&*session, &t0, &["a"]);
    let (answer, answered) = mpsc::channel();
    let (log, partition) = (&log, &t0);
    let offset = thread::scope(|scope| {
        scope.spawn(move || answer.send(append(*log, partition, &["outside"])));
        assert!(answered.recv_timeout(A_WHILE).is_err(), "the append waits for the epoch");
        assert!(values(*log, partition).is_empty());
        assert_eq!(own_values(&*session, partition), ["a"]);
        end(&*session, partition);
        answered.recv_timeout(VERY_LONG).unwrap()
    });
    assert_eq!(values(*log, partition), expected);
    assert_eq!(records(&|from| log.read(&t0, from, 1)).last(), Some(&(offset.get(), "outside".to_owned())));
}

/// A watch shows the end that its session would read to: at once after every kind of change, or, where own records are seen at
/// the commit, as soon as the session has waited for the news.
pub fn the_end_watch_is_never_behind(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    append(log, &t0, &["a"]);
    let session = log.session("app").unwrap();
    let other = log.session("other").unwrap();
    let (first, unheard) = (session.follow(&t0, Offset::ZERO).unwrap(), other.follow(&t0, Offset::ZERO).unwrap());
    let begun = unheard.get();
    drop(other);
    let check = |committed: bool| {
        let at_once = session.own_records() == OwnRecords::AtOnce;
        let end = || match at_once {
            true => session.end(&t0).unwrap(),
            false => log.bounds(&t0).unwrap().end,
        };
        // What marks the end of a transaction may come to the log a moment later.
        let (mut now, mut seen) = (end(), 0);
        for _ in 0..100 {
            if at_once || first.get() == now {
                break;
            }
            seen = session.wait(seen, A_WHILE);
            now = end();
        }
        assert_eq!(first.get(), now);
        assert!(!(committed && at_once) || now == log.bounds(&t0).unwrap().end);
    };
    check(true);
    append(log, &t0, &["b"]);
    check(true);
    stage(&*session, &t0, &["c"]);
    check(false);
    session.abort().unwrap();
    check(true);
    stage(&*session, &t0, &["d", "e"]);
    check(false);
    session.commit(&Progress::default()).unwrap();
    check(true);
    assert_eq!(session.follow(&t0, Offset::ZERO).unwrap().get(), first.get());
    assert_eq!(unheard.get(), begun, "its session is gone, so it stands still");
}

/// Whoever waits hears of appends and commits to what it follows that happened since it looked; without any it waits out its limit.
pub fn waiting_ends_with_a_change(log: &dyn Log) {
    let (t0, _) = with_topic(log);
    let session = &*log.session("app").unwrap();
    let _end = session.follow(&t0, Offset::ZERO).unwrap();
    let (mut seen, mut waits) = (0, 0);
    loop {
        let now = session.wait(seen, A_WHILE);
        if now == seen {
            break;
        }
        (seen, waits) = (now, waits + 1);
        assert!(waits < 10, "nothing happens, so there is nothing to hear of");
    }
    append(log, &t0, &["a"]);
    let after = session.wait(seen, VERY_LONG);
    assert_ne!(after, seen);
    seen = session.wait(u64::MAX, Duration::ZERO);
    stage(session, &t0, &["b"]);
    session.commit(&Progress::default()).unwrap();
    assert_ne!(session.wait(seen, VERY_LONG), seen);
    thread::scope(|scope| {
        let seen = session.wait(u64::MAX, Duration::ZERO);
        let sleeper = scope.spawn(move || session.wait(seen, VERY_LONG));
        append(log, &t0, &["c"]);
        assert_ne!(sleeper.join().unwrap(), seen);
    });
}

/// A wake ends the wait of another thread.
pub fn waiting_ends_with_a_wake(log: &dyn Log) {
    let session = &*log.session("app").unwrap();
    let seen = session.wait(u64::MAX, Duration::ZERO);
    thread::scope(|scope| {
        let sleeper = scope.spawn(move || session.wait(seen, VERY_LONG));
        session.wake();
        assert_ne!(sleeper.join().unwrap(), seen);
    });
}
