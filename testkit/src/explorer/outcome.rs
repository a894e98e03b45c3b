//! What a run leaves behind: the records of the topics that are not the application's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill::record::{Batch, TopicName};
use tidemill::task::Fingerprint;

use super::event::RecordText;
use super::machine::text_of;
use super::model::Model;
use super::property::Confluence;
use super::world::World;

/// What can be read when nothing is left to do.
#[derive(Clone)]
pub(super) struct Outcome {
    /// By the partition's number.
    records: BTreeMap<usize, Vec<Arc<Batch>>>,
}

impl Outcome {
    pub(super) fn of(model: &Model, world: &World) -> Self {
        let outside = (0..model.partitions.len()).filter(|log| !model.internal[*log]);
        Outcome { records: outside.map(|log| (log, world.logs[log].committed().cloned().collect())).collect() }
    }

    /// What stands for its records, in their order.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let mut bytes = Vec::new();
        for (log, records) in &self.records {
            bytes.extend((*log as u64).to_le_bytes());
            records.iter().for_each(|record| write(record.bytes(), &mut bytes));
        }
        Fingerprint::of(&bytes)
    }

    /// What stands for a topic's part, as far as `how` looks at it.
    pub(super) fn part(&self, model: &Model, topic: &TopicName, how: Confluence) -> Fingerprint {
        let mut bytes = Vec::new();
        for log in model.logs_of(topic) {
            let mut by_key: BTreeMap<Vec<u8>, Vec<&[u8]>> = BTreeMap::new();
            for record in &self.records[&log] {
                let key = match how {
                    Confluence::Exact => Vec::new(),
                    _ => record.records().peek().and_then(|record| record.key.map(<[u8]>::to_vec)).unwrap_or_default(),
                };
                let of_key = by_key.entry(key).or_default();
                if how == Confluence::FinalTable {
                    of_key.clear();
                }
                of_key.push(record.bytes());
            }
            bytes.extend((log as u64).to_le_bytes());
            for (key, records) in by_key {
                write(&key, &mut bytes);
                records.iter().for_each(|record| write(record, &mut bytes));
            }
        }
        Fingerprint::of(&bytes)
    }

    /// Whether every record of another outcome is here at least once: what at-least-once promises.
    pub(super) fn has_all_of(&self, other: &Outcome) -> bool {
        other.records.iter().all(|(log, records)| {
            let mut own: Vec<&[u8]> = self.records[log].iter().map(|record| record.bytes()).collect();
            records.iter().all(|record| {
                let found = own.iter().position(|bytes| *bytes == record.bytes());
                found.map(|place| own.swap_remove(place)).is_some()
            })
        })
    }

    /// The records in words: topic and partition, then its records. Scripts are left out.
    pub(super) fn text(&self, model: &Model) -> BTreeMap<String, Vec<String>> {
        let scripted =
            |log: &usize| model.scripts.iter().chain(&model.given).chain(&model.early).any(|script| script.log == *log);
        let shown = self.records.iter().filter(|(log, _)| !scripted(log));
        let words = |record: &Arc<Batch>| -> String { RecordText::to_string(&text_of(record)) };
        shown.map(|(log, records)| (model.partitions[*log].to_string(), records.iter().map(words).collect())).collect()
    }
}

fn write(part: &[u8], out: &mut Vec<u8>) {
    out.extend((part.len() as u64).to_le_bytes());
    out.extend(part);
}
