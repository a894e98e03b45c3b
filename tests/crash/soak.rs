//! Many records through a compacted topic: what lies on the disk stays bounded by what is alive. A million of them at each run, ten
//! with `cargo xtask test --long`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use tidemill::log::{Append, Cleanup, Durability, EmbeddedLog, Log, LogSettings, Notes, TopicConfig, TopicSpec};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};

use crate::chance::Chance;

/// The variable that asks for another number of records.
const RECORDS: &str = "TIDEMILL_SOAK_RECORDS";
const KEYS: u64 = 100_000;
const BATCH: u64 = 1_000;
const SEGMENT_BYTES: u64 = 16 << 20;
/// Between two cleanings, as many as an application writes in its 15 seconds at this pace.
const CLEAN_EVERY: u64 = 250_000;
/// A row with its key, its value of 100 bytes, and what the log adds.
const RECORD_BYTES: u64 = 130;

/// How many bytes the log's segments have.
fn bytes(folder: &Path) -> u64 {
    let segments = std::fs::read_dir(folder).unwrap().flatten();
    segments.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}

fn value(n: u64) -> [u8; 100] {
    let mut value = [b'.'; 100];
    value[..8].copy_from_slice(&n.to_be_bytes());
    value
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a rate is printed")]
fn many_records_through_a_compacted_topic_stay_bounded() {
    let records: u64 = std::env::var(RECORDS).map_or(1_000_000, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let settings =
        LogSettings { segment_bytes: SEGMENT_BYTES, durability: Durability::Never, ..LogSettings::default() };
    let log = EmbeddedLog::open(folder.path(), settings).unwrap();
    let config = TopicConfig { cleanup: Cleanup::Compact, ..TopicConfig::default() };
    log.create_topic(&TopicSpec { config, ..TopicSpec::new("rows", 1) }).unwrap();
    let rows = TopicPartition::new("rows", 0);
    let (mut chance, mut last) = (Chance::new(Chance::seed()), vec![None; usize::try_from(KEYS).unwrap()]);
    let (mut batch, mut largest, mut cleaned, begin) = (BatchBuilder::default(), 0, 0, Instant::now());
    for n in 0..records {
        let key = chance.below(KEYS);
        batch.push(Timestamp::from_millis(n.cast_signed()), Some(&key.to_be_bytes()), Some(&value(n)), &Headers::NONE);
        last[usize::try_from(key).unwrap()] = Some(n);
        if (n + 1) % BATCH == 0 {
            let append = Append { to: rows.clone(), records: batch.finish(Offset::ZERO) };
            log.append(vec![append], "", Notes::new()).unwrap();
        }
        if (n + 1) % CLEAN_EVERY == 0 {
            largest = largest.max(bytes(folder.path()));
            cleaned += log.clean(Timestamp::from_millis(n.cast_signed())).unwrap().bytes;
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let (end, alive) = (bytes(folder.path()), KEYS * RECORD_BYTES);
    let bound = 3 * alive + 4 * SEGMENT_BYTES + 2 * CLEAN_EVERY * RECORD_BYTES;
    println!(
        "soak: {records} records of {KEYS} keys in {seconds:.1} s; on disk {} MB at most and {} MB at the end, {} MB alive, \
         {} MB given back",
        largest >> 20,
        end >> 20,
        alive >> 20,
        cleaned >> 20
    );
    assert!(largest < bound, "{largest} bytes lay on the disk, and {bound} would do");
    drop(log);
    let log = EmbeddedLog::open(folder.path(), settings).unwrap();
    let (mut found, mut next) = (BTreeMap::new(), log.bounds(&rows).unwrap().start);
    while next < log.bounds(&rows).unwrap().end {
        for batch in log.read(&rows, next, 1 << 20).unwrap() {
            let see = |_, record: tidemill::record::StoredRecord<'_>| {
                found.insert(record.key.unwrap().to_vec(), record.value.unwrap().to_vec());
                Ok::<_, std::convert::Infallible>(())
            };
            batch.for_each(see).unwrap();
            next = batch.end();
        }
    }
    let expected =
        (0..KEYS).zip(&last).filter_map(|(key, n)| Some((key.to_be_bytes().to_vec(), value((*n)?).to_vec())));
    assert!(found == expected.collect(), "the rows in the end are the last ones of each key");
}
