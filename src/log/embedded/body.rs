//! The body of a frame: a change, entry by entry.
//!
//! ```text
//! body v1   entry*
//! entry     1 topic     first u32 | partitions u32 | cleanup u8 | retention_ms i64 | name
//!           2 records   partition u32 | base u64 | count u32 | time_max i64 | crc u32 | length u32 | bytes
//!           3 progress  partition u32 | next u64 | timed u8 | time i64 | application
//!           4 note      kind u8 | owner | name | length u32 | bytes
//!           5 start     partition u32 | start u64
//!           6 bounds    partition u32 | start u64 | end u64
//! name, application, owner   length u16 | UTF-8
//! ```
//! Each entry begins with its number as u8. Little-endian. `cleanup`: 0 delete, 1 compact. `retention_ms`: -1 for ever.
//! `crc` is the CRC-32C of `bytes`, which are records as `tidemill::record` describes them. `timed`: 1 when `time`
//! counts. `kind` of a note: 0 an application's, 1 a scope's. Partitions are numbered over all topics of the log;
//! `first` is the number of a topic's partition 0. Bounds occur in snapshots only.

use std::time::Duration;

use tidemill_dsl::record::{Batch, Offset, Timestamp};

use crate::log::ledger::{Change, Note, NoteOwner, PartitionId, Step};
use crate::log::{Bounds, Cleanup, InputProgress, TopicConfig, TopicSpec};

const TOPIC: u8 = 1;
const RECORDS: u8 = 2;
const PROGRESS: u8 = 3;
const NOTE: u8 = 4;
const START: u8 = 5;
const BOUNDS: u8 = 6;

/// The fixed part of records before their bytes that is read again with them: crc and length.
pub(super) const RECORDS_PREFIX: usize = 8;

/// A batch in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoredBatch {
    pub(super) partition: PartitionId,
    pub(super) base: Offset,
    pub(super) count: u32,
    /// The greatest time of its records.
    pub(super) time_max: Timestamp,
    /// Where in the body its crc stands.
    pub(super) at: usize,
    /// How many bytes its records have.
    pub(super) length: u32,
}

/// A body that was read. The change has no batches; they are in `batches`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) change: Change,
    pub(super) batches: Vec<StoredBatch>,
    pub(super) bounds: Vec<(PartitionId, Bounds)>,
}

/// Appends a change to `out` and says where its batches stand; `start` is where in `out` the body begins.
pub(super) fn encode(change: &Change, start: usize, out: &mut Vec<u8>) -> Vec<StoredBatch> {
    for (spec, first) in &change.topics {
        encode_topic(spec, *first, out);
    }
    let batches = change.batches.iter().map(|(to, batch)| encode_records(*to, batch, start, out)).collect();
    for step in &change.steps {
        out.push(PROGRESS);
        out.extend_from_slice(&step.partition.0.to_le_bytes());
        out.extend_from_slice(&step.progress.next.get().to_le_bytes());
        let time = step.progress.partition_time;
        out.push(u8::from(time.is_some()));
        out.extend_from_slice(&time.unwrap_or_default().as_millis().to_le_bytes());
        encode_name(&step.application, out);
    }
    for note in &change.notes {
        let (kind, owner) = match &note.owner {
            NoteOwner::Application(name) => (0, name),
            NoteOwner::Scope(name) => (1, name),
        };
        out.extend_from_slice(&[NOTE, kind]);
        encode_name(owner, out);
        encode_name(&note.name, out);
        out.extend_from_slice(&length_of(&note.value).to_le_bytes());
        out.extend_from_slice(&note.value);
    }
    for (partition, start) in &change.starts {
        out.push(START);
        out.extend_from_slice(&partition.0.to_le_bytes());
        out.extend_from_slice(&start.get().to_le_bytes());
    }
    batches
}

/// Appends the bounds of a partition, for a snapshot.
pub(super) fn encode_bounds(partition: PartitionId, bounds: Bounds, out: &mut Vec<u8>) {
    out.push(BOUNDS);
    out.extend_from_slice(&partition.0.to_le_bytes());
    out.extend_from_slice(&bounds.start.get().to_le_bytes());
    out.extend_from_slice(&bounds.end.get().to_le_bytes());
}

fn encode_topic(spec: &TopicSpec, first: PartitionId, out: &mut Vec<u8>) {
    out.push(TOPIC);
    out.extend_from_slice(&first.0.to_le_bytes());
    out.extend_from_slice(&spec.partitions.to_le_bytes());
    out.push(match spec.config.cleanup {
        Cleanup::Delete => 0,
        Cleanup::Compact => 1,
    });
    let millis = |retention: Duration| i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
    out.extend_from_slice(&spec.config.retention.map_or(-1, millis).to_le_bytes());
    encode_name(&spec.name, out);
}

fn encode_records(partition: PartitionId, batch: &Batch, start: usize, out: &mut Vec<u8>) -> StoredBatch {
    let (base, count, time_max) = (batch.base(), batch.count(), time_max(batch));
    out.push(RECORDS);
    out.extend_from_slice(&partition.0.to_le_bytes());
    out.extend_from_slice(&base.get().to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&time_max.as_millis().to_le_bytes());
    let (at, length) = (out.len() - start, length_of(batch.bytes()));
    out.extend_from_slice(&crc32c::crc32c(batch.bytes()).to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(batch.bytes());
    StoredBatch { partition, base, count, time_max, at, length }
}

fn time_max(batch: &Batch) -> Timestamp {
    let mut max = Timestamp::from_millis(i64::MIN);
    let visit = |_, record: tidemill_dsl::record::StoredRecord<'_>| {
        max = max.max(record.timestamp);
        Ok::<_, std::convert::Infallible>(())
    };
    match batch.for_each(visit) {
        Ok(()) => max,
        Err(never) => match never {},
    }
}

fn encode_name(name: &str, out: &mut Vec<u8>) {
    let length = u16::try_from(name.len()).expect("names are checked before they are stored");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(name.as_bytes());
}

fn length_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a change is limited to far less than 4 GiB")
}

/// Reads a body; the error says what is wrong with it.
pub(super) fn decode(bytes: &[u8]) -> Result<Body, &'static str> {
    let mut reader = Reader { bytes, at: 0 };
    let mut body = Body::default();
    while reader.at < bytes.len() {
        match reader.array::<1>()?[0] {
            TOPIC => body.change.topics.push(reader.topic()?),
            RECORDS => body.batches.push(reader.records()?),
            PROGRESS => body.change.steps.push(reader.step()?),
            NOTE => body.change.notes.push(reader.note()?),
            START => body.change.starts.push((reader.partition()?, reader.offset()?)),
            BOUNDS => {
                let partition = reader.partition()?;
                body.bounds.push((partition, Bounds { start: reader.offset()?, end: reader.offset()? }));
            }
            _ => return Err("an entry has an unknown number"),
        }
    }
    Ok(body)
}

/// Bytes of records with the crc and the length before them; the error says what is wrong.
pub(super) fn check_records(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let mut reader = Reader { bytes, at: 0 };
    let (crc, length) = (reader.u32()?, reader.u32()?);
    let records = reader.take(length as usize)?;
    if crc32c::crc32c(records) == crc { Ok(records) } else { Err("the checksum of records is wrong") }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..length).ok_or("an entry is cut off")?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        Ok(*self.take(N)?.first_chunk().expect("as many bytes as asked for"))
    }

    fn u32(&mut self) -> Result<u32, &'static str> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64, &'static str> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    fn offset(&mut self) -> Result<Offset, &'static str> {
        Ok(Offset::new(u64::from_le_bytes(self.array()?)))
    }

    fn partition(&mut self) -> Result<PartitionId, &'static str> {
        Ok(PartitionId(self.u32()?))
    }

    fn name(&mut self) -> Result<String, &'static str> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        let bytes = self.take(length)?;
        Ok(std::str::from_utf8(bytes).map_err(|_| "a name is not UTF-8")?.to_owned())
    }

    fn topic(&mut self) -> Result<(TopicSpec, PartitionId), &'static str> {
        let (first, partitions) = (self.partition()?, self.u32()?);
        let cleanup = match self.array::<1>()?[0] {
            0 => Cleanup::Delete,
            1 => Cleanup::Compact,
            _ => return Err("a topic's cleanup has an unknown number"),
        };
        let retention = u64::try_from(self.i64()?).ok().map(Duration::from_millis);
        let config = TopicConfig { cleanup, retention };
        Ok((TopicSpec { name: self.name()?.into(), partitions, config }, first))
    }

    fn records(&mut self) -> Result<StoredBatch, &'static str> {
        let (partition, base, count) = (self.partition()?, self.offset()?, self.u32()?);
        let time_max = Timestamp::from_millis(self.i64()?);
        let at = self.at;
        self.u32()?;
        let length = self.u32()?;
        self.take(length as usize)?;
        Ok(StoredBatch { partition, base, count, time_max, at, length })
    }

    fn step(&mut self) -> Result<Step, &'static str> {
        let (partition, next) = (self.partition()?, self.offset()?);
        let timed = self.array::<1>()?[0] == 1;
        let time = Timestamp::from_millis(self.i64()?);
        let progress = InputProgress { next, partition_time: timed.then_some(time) };
        Ok(Step { partition, progress, application: self.name()? })
    }

    fn note(&mut self) -> Result<Note, &'static str> {
        let kind = self.array::<1>()?[0];
        let owner = self.name()?;
        let owner = match kind {
            0 => NoteOwner::Application(owner),
            1 => NoteOwner::Scope(owner),
            _ => return Err("a note's owner has an unknown number"),
        };
        let name = self.name()?;
        let length = self.u32()? as usize;
        Ok(Note { owner, name, value: self.take(length)?.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidemill_dsl::record::{BatchBuilder, Headers};

    use super::*;

    fn change() -> Change {
        let mut builder = BatchBuilder::default();
        builder.push(Timestamp::from_millis(9), Some(b"k"), Some(b"v"), &Headers::NONE);
        builder.push(Timestamp::from_millis(5), None, None, &Headers::default().with("h", "1"));
        let config = TopicConfig { cleanup: Cleanup::Compact, retention: Some(Duration::from_secs(3)) };
        let progress = InputProgress { next: Offset::new(8), partition_time: Some(Timestamp::from_millis(-4)) };
        let note = |owner| Note { owner, name: "n".into(), value: vec![1, 2] };
        Change {
            topics: vec![(TopicSpec { config, ..TopicSpec::new("t", 3) }, PartitionId(4))],
            batches: vec![(PartitionId(5), Arc::new(builder.finish(Offset::new(70))))],
            steps: vec![Step { application: "a".into(), partition: PartitionId(6), progress }],
            notes: vec![note(NoteOwner::Application("a".into())), note(NoteOwner::Scope(String::new()))],
            starts: vec![(PartitionId(4), Offset::new(2))],
        }
    }

    fn encoded() -> (Vec<u8>, Vec<StoredBatch>) {
        let mut out = Vec::new();
        let batches = encode(&change(), 0, &mut out);
        encode_bounds(PartitionId(1), Bounds { start: Offset::new(1), end: Offset::new(2) }, &mut out);
        (out, batches)
    }

    #[test]
    fn a_change_comes_back_as_it_was_written() {
        let (bytes, batches) = encoded();
        let body = decode(&bytes).unwrap();
        assert_eq!(body.batches, batches);
        assert_eq!(batches[0].time_max, Timestamp::from_millis(9));
        assert_eq!(check_records(&bytes[batches[0].at..]).unwrap(), change().batches[0].1.bytes());
        assert_eq!(body.change, Change { batches: Vec::new(), ..change() });
        assert_eq!(body.bounds, [(PartitionId(1), Bounds { start: Offset::new(1), end: Offset::new(2) })]);
    }

    #[test]
    fn wrong_bytes_are_an_error_and_never_a_panic() {
        let (good, batches) = encoded();
        for cut in 0..good.len() {
            let _ = decode(&good[..cut]);
            let mut bad = good.clone();
            bad[cut] ^= 0xff;
            let _ = decode(&bad);
        }
        let mut bad = good;
        bad[batches[0].at + RECORDS_PREFIX] ^= 1;
        assert!(check_records(&bad[batches[0].at..]).is_err());
    }
}
