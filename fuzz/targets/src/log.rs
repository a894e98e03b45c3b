//! What logs store.

use std::convert::Infallible;
use std::sync::Arc;

use tidemill::fuzzing::frame_around;
use tidemill::log::{Append, Durability, EmbeddedLog, Files, Log, LogSettings, Notes, TopicSpec};
use tidemill::record::{Batch, BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill_testkit::fault::SimulatedFiles;

/// Records of a batch, dense and with gaps.
pub(crate) fn batches(bytes: &[u8]) {
    let Some((numbers, records)) = bytes.split_first_chunk::<5>() else { return };
    let [count, base, gaps @ ..] = numbers;
    let base = Offset::new(u64::from(*base));
    let visit = |batch: Batch| {
        let (mut next, mut count) = (batch.base(), 0);
        let visited = batch.for_each(|at, record| {
            assert!(at >= next && at < batch.end(), "offsets rise within the batch");
            (next, count) = (at.next(), count + 1);
            let _ = (record.key, record.value, record.timestamp, record.headers().map(|headers| headers.len()));
            Ok::<_, Infallible>(())
        });
        let Ok(()) = visited;
        assert_eq!(count, batch.count());
    };
    if let Ok(batch) = Batch::decode(base, u32::from(*count), records.into()) {
        visit(batch);
    }
    let end = base.plus(u64::from(gaps[0]));
    let distances = gaps[1..].iter().map(|gap| u32::from(*gap)).collect();
    if let Ok(batch) = Batch::decode_sparse(base, end, distances, records.into()) {
        visit(batch);
    }
}

/// Opens a log to whose segment something was added: the first byte says whether in a frame with checksums that fit. What opens can be
/// read to its end, written, and opened again.
pub(crate) fn embedded_log(bytes: &[u8]) {
    let Some((kind, added)) = bytes.split_first() else { return };
    let files = log_of_one_record();
    let segment = files.list().expect("a folder in memory").into_iter().filter(|name| name.ends_with(".segment")).max();
    let segment = segment.expect("a log has a segment");
    let framed = if kind % 2 == 0 { added.to_vec() } else { frame_around(added, 3 + u64::from(kind / 64)) };
    files.damage(&segment, |stored| stored.extend_from_slice(&framed));
    let Ok(log) = EmbeddedLog::open_on(files.clone(), settings()) else { return };
    read_all(&log);
    write(&log);
    drop(log);
    let again = EmbeddedLog::open_on(files, settings());
    read_all(&again.expect("what was opened and written to opens again"));
}

/// Nobody waits for a disk that is none.
fn settings() -> LogSettings {
    LogSettings { durability: Durability::Never, ..LogSettings::default() }
}

fn log_of_one_record() -> Arc<SimulatedFiles> {
    let files = Arc::new(SimulatedFiles::new());
    let log = EmbeddedLog::open_on(files.clone(), settings()).expect("an empty folder");
    log.create_topic(&TopicSpec::new("t", 2)).expect("a new topic");
    write(&log);
    drop(log);
    files
}

fn write(log: &EmbeddedLog) {
    let mut batch = BatchBuilder::default();
    batch.push(Timestamp::ZERO, Some(b"k"), Some(b"v"), &Headers::NONE);
    let append = Append { to: TopicPartition::new("t", 0), records: batch.finish(Offset::ZERO) };
    // What was added may have deleted the topic.
    let _ = log.append(vec![append], "", Notes::new());
}

fn read_all(log: &EmbeddedLog) {
    for topic in log.topics().expect("topics are in memory") {
        for number in 0..topic.partitions.min(8) {
            let partition = TopicPartition::new(topic.name.clone(), number);
            let Ok(bounds) = log.bounds(&partition) else { continue };
            let mut next = bounds.start;
            while let Ok(batches) = log.read(&partition, next, 1 << 16) {
                let Some(last) = batches.last() else { break };
                assert!(last.end() > next, "a read goes on");
                next = last.end();
            }
        }
    }
}
