//! Rules about logs that are opened again.

use std::time::Duration;

use tidemill::log::{Cleanup, InputProgress, Log, Notes, Progress, TopicConfig, TopicSpec};
use tidemill::record::Offset;

use super::{append, partition, stage, to, values, with_topic};

type Open<'a> = &'a dyn Fn() -> Box<dyn Log>;

/// Topics, records, notes and progress are there again.
pub fn an_opened_log_is_as_it_was_closed(open: Open<'_>) {
    let log = open();
    let (t0, t1) = with_topic(&*log);
    let config = TopicConfig {
        cleanup: Cleanup::Compact,
        retention: Some(Duration::from_micros(1_234_567)),
        ..TopicConfig::default()
    };
    log.create_topic(&TopicSpec { config, ..TopicSpec::new("u", 1) }).unwrap();
    let notes = Notes::from([("place".to_owned(), b"7".to_vec()), (String::new(), Vec::new())]);
    log.append(vec![to(&t0, &["a", "b"]), to(&t1, &["c"])], "importer", notes.clone()).unwrap();
    let reached = InputProgress { next: Offset::new(2), partition_time: None };
    let progress = Progress { inputs: [(t0.clone(), reached)].into(), notes: notes.clone() };
    let session = log.session("app").unwrap();
    stage(&*session, &t1, &["d"]);
    session.commit(&progress).unwrap();
    let topics = log.topics().unwrap();
    drop(session);
    drop(log);
    for _ in 0..2 {
        let log = open();
        assert_eq!(log.topics().unwrap(), topics);
        assert_eq!(values(&*log, &t0), ["a", "b"]);
        assert_eq!(values(&*log, &t1), ["c", "d"]);
        assert_eq!(log.notes("importer").unwrap(), notes);
        assert_eq!(log.session("app").unwrap().progress().unwrap(), progress);
    }
}

/// New topics and records take the next places.
pub fn an_opened_log_goes_on_where_it_ended(open: Open<'_>) {
    let (t0, u0) = (partition("t", 0), partition("u", 0));
    let mut end = Offset::ZERO;
    for round in 0..5_u64 {
        let log = open();
        log.create_topic(&TopicSpec::new("t", 1)).unwrap();
        assert_eq!(log.bounds(&t0).unwrap().end, end);
        append(&*log, &t0, &["a", "b"]);
        end = log.bounds(&t0).unwrap().end;
        assert!(end.get() >= (round + 1) * 2);
        if round == 3 {
            log.create_topic(&TopicSpec::new("u", 1)).unwrap();
        }
    }
    let log = open();
    append(&*log, &u0, &["c"]);
    assert_eq!(values(&*log, &t0).len(), 10);
    assert_eq!(values(&*log, &u0), ["c"]);
}

/// What was staged when the log was closed is gone.
pub fn an_opened_log_has_no_open_epoch(open: Open<'_>) {
    let log = open();
    let (t0, _) = with_topic(&*log);
    let session = log.session("app").unwrap();
    stage(&*session, &t0, &["a"]);
    session.commit(&Progress::default()).unwrap();
    stage(&*session, &t0, &["b"]);
    drop(session);
    drop(log);
    assert_eq!(values(&*open(), &t0), ["a"]);
}
