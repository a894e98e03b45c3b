//! Notes that belong to no partition: records of a compacted topic, written in the transaction of what they go with.
//!
//! ```text
//! key     owner u8 (0 a scope, 1 an application) | length u32 | the owner's name | the note's name
//! value   the note; none: it is forgotten
//! ```
//! Big-endian.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use tidemill_dsl::record::{Batch, BatchBuilder, Headers, Offset, Timestamp, TopicName, TopicPartition};

use super::super::{LogError, Notes};

/// Whose notes they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    /// Of `Log::append`.
    Scope(&'a str),
    /// Of `Session::commit`.
    Application(&'a str),
}

impl Owner<'_> {
    fn prefix(self) -> Vec<u8> {
        let (kind, name) = match self {
            Owner::Scope(name) => (0, name),
            Owner::Application(name) => (1, name),
        };
        let mut prefix = vec![kind];
        prefix.extend_from_slice(&u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes());
        prefix.extend_from_slice(name.as_bytes());
        prefix
    }
}

/// The topic of notes, as far as it was read.
pub(super) struct NotesTopic {
    partition: TopicPartition,
    read: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    next: Offset,
    notes: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl NotesTopic {
    pub(super) fn new(topic: TopicName) -> Self {
        NotesTopic { partition: TopicPartition::new(topic, 0), read: Mutex::default() }
    }

    /// Where notes are written to.
    pub(super) fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The records that store notes, and that let some be forgotten, written at the time `now`.
    pub(super) fn records(&self, owner: Owner<'_>, notes: &Notes, gone: &[String], now: Timestamp) -> Batch {
        let mut records = BatchBuilder::default();
        let gone = gone.iter().map(|name| (name, None));
        for (name, value) in notes.iter().map(|(name, value)| (name, Some(value.as_slice()))).chain(gone) {
            let key = [&owner.prefix(), name.as_bytes()].concat();
            records.push(now, Some(&key), value, &Headers::NONE);
        }
        records.finish(Offset::ZERO)
    }

    /// An owner's notes, once everything up to the end was read: `read` gives the batches from an offset on, or none.
    pub(super) fn of(
        &self,
        owner: Owner<'_>,
        mut read: impl FnMut(&TopicPartition, Offset) -> Result<Vec<std::sync::Arc<Batch>>, LogError>,
    ) -> Result<Notes, LogError> {
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let batches = read(&self.partition, known.next)?;
            let Some(last) = batches.last() else { break };
            let next = last.end();
            for batch in &batches {
                known.add(batch);
            }
            known.next = next;
        }
        let prefix = owner.prefix();
        let own = known.notes.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        Ok(own
            .filter_map(|(key, value)| Some((String::from_utf8(key[prefix.len()..].to_vec()).ok()?, value.clone())))
            .collect())
    }
}

impl Read {
    fn add(&mut self, batch: &Batch) {
        let next = self.next;
        let added = batch.for_each(|at, record| {
            if at >= next
                && let Some(key) = record.key
            {
                match record.value {
                    Some(value) => self.notes.insert(key.to_vec(), value.to_vec()),
                    None => self.notes.remove(key),
                };
            }
            Ok::<_, Infallible>(())
        });
        match added {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }
}
