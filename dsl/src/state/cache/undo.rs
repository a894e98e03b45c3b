//! How a cache takes back what was done to its entries for a record that failed. Nothing leaves a cache on a record's way while
//! its changes may be taken back, so entries are only made and changed.

use super::{EntryId, HeldCause, RowCache};

/// An entry as it was before it was made or changed.
pub(super) struct EntryChange {
    place: u32,
    /// `None`: it was not there.
    was: Option<Was>,
}

struct Was {
    bytes: u64,
    noted: bool,
    cause: HeldCause,
    /// Its places in the orders, each by the number before it.
    used: Option<Option<u32>>,
    changed: Option<Option<u32>>,
}

impl<V> RowCache<V> {
    /// Says whether entries are to remember what they were.
    pub(in super::super) fn journal(&mut self, on: bool) {
        self.journal = on.then(Vec::new);
    }

    /// What was done so far is not taken back.
    pub(in super::super) fn keep(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.clear();
        }
    }

    /// Remembers an entry that is about to change.
    #[inline]
    pub(super) fn remember(&mut self, place: u32) {
        if self.journal.is_some() {
            self.remember_entry(place);
        }
    }

    fn remember_entry(&mut self, place: u32) {
        let (entry, Some(journal)) = (&self.entries[place as usize], &mut self.journal) else { return };
        let was = Was {
            bytes: entry.bytes,
            noted: entry.before.is_some(),
            cause: entry.cause.clone(),
            used: self.used.place(place),
            changed: self.changed.place(place),
        };
        journal.push(EntryChange { place, was: Some(was) });
    }

    /// Remembers that an entry was made.
    pub(super) fn remember_made(&mut self, place: u32) {
        if let Some(journal) = &mut self.journal {
            journal.push(EntryChange { place, was: None });
        }
    }

    /// Takes back what was done since `keep`. Gives the cells that have no entry any more.
    pub(in super::super) fn undo(&mut self) -> Vec<u32> {
        let mut left = Vec::new();
        for EntryChange { place, was } in std::mem::take(&mut self.journal).into_iter().flatten().rev() {
            match was {
                None => {
                    let id = EntryId::new(place);
                    left.push(self.cell(id));
                    self.remove(id);
                }
                Some(Was { bytes, noted, cause, used, changed }) => {
                    let entry = &mut self.entries[place as usize];
                    self.bytes = self.bytes - entry.bytes + bytes;
                    (entry.bytes, entry.cause) = (bytes, cause);
                    if !noted {
                        entry.before = None;
                    }
                    self.used.put_back(place, used);
                    self.changed.put_back(place, changed);
                }
            }
        }
        self.journal = Some(Vec::new());
        self.counted();
        left
    }
}
