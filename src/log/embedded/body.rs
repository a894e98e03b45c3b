//! The body of a frame: a change, entry by entry.
//!
//! ```text
//! body v3   entry*
//! entry     1 topic     first u32 | partitions u32 | cleanup u8 | retention_ms i64 | retention_bytes i64
//!                       | tombstones_ms i64 | compaction_lag_ms i64 | name
//!           2 records   partition u32 | base u64 | span u32 | time_max i64 | crc u32 | length u32 | bytes
//!           3 progress  partition u32 | next u64 | timed u8 | time i64 | application
//!           4 note      kind u8 | owner | name | length u32 | bytes
//!           5 start     partition u32 | start u64
//!           6 bounds    partition u32 | start u64 | end u64
//!           7 thinned   partition u32 | base u64 | span u32 | time_max i64 | horizon i64 | crc u32 | length u32 | bytes
//!           8 gone      first u32 | partitions u32
//!           9 complete  partition u32 | from u64
//!           10 forgotten  application
//! name, application, owner   length u16 | UTF-8
//! ```
//! Each entry begins with its number as u8. Little-endian. `cleanup`: 0 delete, 1 compact, 2 both. `retention_ms` and
//! `retention_bytes`: -1 for ever and for all. `crc` is the CRC-32C of `bytes`, which are records as `tidemill::record`
//! describes them; `span` is how many offsets they take. Thinned records are what is left of a span, perhaps nothing; their
//! bytes are `count u32 | distance u32 * count | records`, a distance being that of a record's offset from `base`, and
//! `horizon` says from when on their tombstones may go (-1: not decided). `timed`: 1 when `time` counts. `kind` of a note: 0 an
//! application's, 1 a scope's. Partitions are numbered over all topics of the log; `first` is the number of a topic's
//! partition 0. Bounds occur in snapshots only. Before the offset of `complete` tombstones were removed.
//! Nothing is known of a forgotten application, but for the progress and notes in the same body.

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
const THINNED: u8 = 7;
const GONE: u8 = 8;
const COMPLETE: u8 = 9;
const FORGOTTEN: u8 = 10;

/// The fixed part of records before their bytes that is read again with them: crc and length.
pub(super) const RECORDS_PREFIX: usize = 8;

/// A batch in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoredBatch {
    pub(super) partition: PartitionId,
    pub(super) base: Offset,
    /// How many offsets it takes.
    pub(super) span: u32,
    /// Whether records were removed from it, and from when on its tombstones may go.
    pub(super) thinned: Option<Thinned>,
    /// The greatest time of its records.
    pub(super) time_max: Timestamp,
    /// Where in the body its crc stands.
    pub(super) at: usize,
    /// How many bytes its records have.
    pub(super) length: u32,
    /// How many records it has.
    pub(super) count: u32,
}

impl StoredBatch {
    /// Whether all records of the span were removed.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// What is known of a batch from which records were removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thinned {
    /// From when on its tombstones may go, if that was decided.
    pub(super) horizon: Option<Timestamp>,
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
    for application in &change.forgotten {
        out.push(FORGOTTEN);
        encode_name(application, out);
    }
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
    for (first, partitions) in &change.gone {
        out.push(GONE);
        out.extend_from_slice(&first.0.to_le_bytes());
        out.extend_from_slice(&partitions.to_le_bytes());
    }
    for (partition, from) in &change.complete_from {
        out.push(COMPLETE);
        out.extend_from_slice(&partition.0.to_le_bytes());
        out.extend_from_slice(&from.get().to_le_bytes());
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
        Cleanup::CompactAndDelete => 2,
    });
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    out.extend_from_slice(&spec.config.retention.map_or(-1, millis).to_le_bytes());
    out.extend_from_slice(&spec.config.retention_bytes.map_or(-1, bytes).to_le_bytes());
    out.extend_from_slice(&millis(spec.config.tombstones).to_le_bytes());
    out.extend_from_slice(&millis(spec.config.compaction_lag).to_le_bytes());
    encode_name(&spec.name, out);
}

/// Appends records; `start` is where in `out` the body begins.
pub(super) fn encode_records(partition: PartitionId, batch: &Batch, start: usize, out: &mut Vec<u8>) -> StoredBatch {
    out.push(RECORDS);
    let (base, span, time_max) = encode_span(partition, batch, out);
    let (at, length) = (out.len() - start, length_of(batch.bytes()));
    out.extend_from_slice(&crc32c::crc32c(batch.bytes()).to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(batch.bytes());
    StoredBatch { partition, base, span, thinned: None, time_max, at, length, count: batch.count() }
}

/// Appends what is left of a span of records; `start` is where in `out` the body begins.
pub(super) fn encode_thinned(
    partition: PartitionId,
    batch: &Batch,
    horizon: Option<Timestamp>,
    start: usize,
    out: &mut Vec<u8>,
) -> StoredBatch {
    out.push(THINNED);
    let (base, span, time_max) = encode_span(partition, batch, out);
    out.extend_from_slice(&horizon.map_or(-1, Timestamp::as_millis).to_le_bytes());
    let at = out.len() - start;
    out.extend_from_slice(&[0; RECORDS_PREFIX]);
    let bytes_at = out.len();
    out.extend_from_slice(&batch.count().to_le_bytes());
    match batch.distances() {
        Some(distances) => distances.iter().for_each(|distance| out.extend_from_slice(&distance.to_le_bytes())),
        None => (0..batch.count()).for_each(|distance| out.extend_from_slice(&distance.to_le_bytes())),
    }
    out.extend_from_slice(batch.bytes());
    let (crc, length) = (crc32c::crc32c(&out[bytes_at..]), length_of(&out[bytes_at..]));
    out[bytes_at - 8..bytes_at - 4].copy_from_slice(&crc.to_le_bytes());
    out[bytes_at - 4..bytes_at].copy_from_slice(&length.to_le_bytes());
    let (thinned, count) = (Some(Thinned { horizon }), batch.count());
    StoredBatch { partition, base, span, thinned, time_max, at, length, count }
}

/// Appends what says which offsets a batch takes, and its greatest time.
fn encode_span(partition: PartitionId, batch: &Batch, out: &mut Vec<u8>) -> (Offset, u32, Timestamp) {
    let (base, time_max) = (batch.base(), time_max(batch));
    let span = u32::try_from(batch.end().get() - base.get()).expect("a batch takes fewer than 2^32 offsets");
    out.extend_from_slice(&partition.0.to_le_bytes());
    out.extend_from_slice(&base.get().to_le_bytes());
    out.extend_from_slice(&span.to_le_bytes());
    out.extend_from_slice(&time_max.as_millis().to_le_bytes());
    (base, span, time_max)
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
            RECORDS => body.batches.push(reader.records(false)?),
            THINNED => body.batches.push(reader.records(true)?),
            PROGRESS => body.change.steps.push(reader.step()?),
            NOTE => body.change.notes.push(reader.note()?),
            START => body.change.starts.push((reader.partition()?, reader.offset()?)),
            BOUNDS => {
                let partition = reader.partition()?;
                body.bounds.push((partition, Bounds { start: reader.offset()?, end: reader.offset()? }));
            }
            GONE => body.change.gone.push((reader.partition()?, reader.u32()?)),
            FORGOTTEN => body.change.forgotten.push(reader.name()?),
            COMPLETE => body.change.complete_from.push((reader.partition()?, reader.offset()?)),
            _ => return Err("an entry has an unknown number"),
        }
    }
    Ok(body)
}

/// The batch that takes the offsets `base..base + span`, from its bytes with the crc and the length before them; the error
/// says what is wrong.
pub(super) fn decode_records(base: Offset, span: u32, thinned: bool, bytes: &[u8]) -> Result<Batch, &'static str> {
    let mut reader = Reader { bytes, at: 0 };
    let (crc, length) = (reader.u32()?, reader.u32()?);
    let stored = reader.take(length as usize)?;
    if crc32c::crc32c(stored) != crc {
        return Err("the checksum of records is wrong");
    }
    if !thinned {
        return Batch::decode(base, span, stored.into()).map_err(|_| "records are cut off");
    }
    let mut reader = Reader { bytes: stored, at: 0 };
    let count = reader.u32()? as usize;
    let distances = reader.take(count.checked_mul(4).ok_or("an entry is cut off")?)?;
    let distances = distances.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    let (end, records) = (base.plus(span.into()), &stored[reader.at..]);
    Batch::decode_sparse(base, end, distances.collect(), records.into()).map_err(|_| "records are cut off")
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
            2 => Cleanup::CompactAndDelete,
            _ => return Err("a topic's cleanup has an unknown number"),
        };
        let retention = u64::try_from(self.i64()?).ok().map(Duration::from_millis);
        let retention_bytes = u64::try_from(self.i64()?).ok();
        let (tombstones, compaction_lag) = (self.duration()?, self.duration()?);
        let config = TopicConfig { cleanup, retention, retention_bytes, tombstones, compaction_lag };
        Ok((TopicSpec { name: self.name()?.into(), partitions, config }, first))
    }

    fn duration(&mut self) -> Result<Duration, &'static str> {
        Ok(Duration::from_millis(u64::try_from(self.i64()?).map_err(|_| "a time is negative")?))
    }

    fn records(&mut self, thinned: bool) -> Result<StoredBatch, &'static str> {
        let (partition, base, span) = (self.partition()?, self.offset()?, self.u32()?);
        let time_max = Timestamp::from_millis(self.i64()?);
        let horizon = if thinned { self.i64()? } else { -1 };
        let horizon = (horizon >= 0).then(|| Timestamp::from_millis(horizon));
        let thinned = thinned.then_some(Thinned { horizon });
        let at = self.at;
        self.u32()?;
        let length = self.u32()?;
        let stored = self.take(length as usize)?;
        let count = match thinned {
            None => span,
            Some(_) => Reader { bytes: stored, at: 0 }.u32()?,
        };
        Ok(StoredBatch { partition, base, span, thinned, time_max, at, length, count })
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
        let config = TopicConfig {
            cleanup: Cleanup::Compact,
            retention: Some(Duration::from_secs(3)),
            retention_bytes: Some(9),
            tombstones: Duration::from_millis(5),
            compaction_lag: Duration::from_millis(6),
        };
        let progress = InputProgress { next: Offset::new(8), partition_time: Some(Timestamp::from_millis(-4)) };
        let note = |owner| Note { owner, name: "n".into(), value: vec![1, 2] };
        Change {
            topics: vec![(TopicSpec { config, ..TopicSpec::new("t", 3) }, PartitionId(4))],
            batches: vec![(PartitionId(5), Arc::new(builder.finish(Offset::new(70))))],
            steps: vec![Step { application: "a".into(), partition: PartitionId(6), progress }],
            notes: vec![note(NoteOwner::Application("a".into())), note(NoteOwner::Scope(String::new()))],
            forgotten: vec!["b".into()],
            starts: vec![(PartitionId(4), Offset::new(2))],
            gone: vec![(PartitionId(1), 2)],
            complete_from: vec![(PartitionId(5), Offset::new(71))],
        }
    }

    fn thinned() -> Batch {
        let mut builder = BatchBuilder::default();
        builder.push(Timestamp::from_millis(3), Some(b"k"), None, &Headers::NONE);
        builder.finish_sparse(Offset::new(72), Offset::new(80), &[4])
    }

    fn encoded() -> (Vec<u8>, Vec<StoredBatch>) {
        let mut out = Vec::new();
        let mut batches = encode(&change(), 0, &mut out);
        batches.push(encode_thinned(PartitionId(5), &thinned(), Some(Timestamp::from_millis(8)), 0, &mut out));
        encode_bounds(PartitionId(1), Bounds { start: Offset::new(1), end: Offset::new(2) }, &mut out);
        (out, batches)
    }

    #[test]
    fn a_change_comes_back_as_it_was_written() {
        let (bytes, batches) = encoded();
        let body = decode(&bytes).unwrap();
        assert_eq!(body.batches, batches);
        assert_eq!(batches[0].time_max, Timestamp::from_millis(9));
        assert_eq!(decode_records(Offset::new(70), 2, false, &bytes[batches[0].at..]).unwrap(), *change().batches[0].1);
        assert_eq!(batches[1].thinned, Some(Thinned { horizon: Some(Timestamp::from_millis(8)) }));
        assert_eq!(decode_records(Offset::new(72), 8, true, &bytes[batches[1].at..]).unwrap(), thinned());
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
        assert!(decode_records(Offset::new(70), 2, false, &bad[batches[0].at..]).is_err());
    }
}
