//! Which rows of a store changed without anybody below having been told: Kafka's record cache. The rows themselves lie in
//! their cells and are read from there at once, so what is cached is the telling.
//!
//! Rule: sizes, least recent use and the order of a flush are Kafka's, to the byte and to the entry.

mod budget;
mod order;
mod undo;

use std::num::NonZeroU32;

use order::Order;
use undo::EntryChange;

pub(crate) use budget::CacheBudget;

use super::CellId;
use crate::processor::Address;
use crate::record::{Headers, Timestamp};

/// What an entry takes besides the bytes of key, value, topic and headers.
const ENTRY_BYTES: u64 = 45;

/// How long a cache may hold changes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheLimit {
    /// Until the task's caches together are too large, or until the commit.
    Bytes,
    /// Until the commit.
    Commit,
}

/// How a store's changes are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSpec {
    /// How long changes are held back.
    pub limit: CacheLimit,
    /// Whether a node below wants to know a row as it was before its change.
    pub keeps_old: bool,
    /// Whether a row that is read takes room, as one that is changed does: so in Kafka Streams' key-value stores, and not in
    /// those of windows and sessions.
    pub enters_reads: bool,
}

/// Which changes leave a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The entry that was not used for longest goes. If its row changed, all changes leave, this one first: Kafka's rule.
    LeastUsed,
    /// All changes leave, in the order of each row's last one.
    Changes,
}

/// Who reads rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The task, on a record's way: what it reads was used.
    Task,
    /// A driver or a query: that somebody looks changes nothing.
    Outside,
}

/// The place of an entry, as its cell knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryId(NonZeroU32);

impl EntryId {
    fn new(place: u32) -> Self {
        EntryId(NonZeroU32::MIN.saturating_add(place))
    }

    fn place(self) -> u32 {
        self.0.get() - 1
    }
}

/// A row as those below know it.
#[derive(Debug)]
pub(crate) enum Before<V> {
    /// It was not there.
    Absent,
    /// It was there, and nobody wants to know its value.
    Present,
    /// It was there with this value.
    Known(V),
}

impl<V> Before<V> {
    /// Whether there was no row.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Before::Absent)
    }

    /// The value that is known.
    pub(crate) fn value(self) -> Option<V> {
        match self {
            Before::Known(value) => Some(value),
            Before::Absent | Before::Present => None,
        }
    }
}

/// The record that changed a row last.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeldCause {
    pub(crate) timestamp: Timestamp,
    pub(crate) headers: Headers,
    pub(crate) address: Option<Address>,
}

impl HeldCause {
    /// What the record adds to the size of an entry.
    fn bytes(&self) -> u64 {
        let units = |text: &str| text.encode_utf16().count();
        let topic = self.address.as_ref().map_or(0, |address| units(&address.topic));
        let headers = self.headers.iter().map(|(name, value)| units(name) + value.map_or(0, <[u8]>::len));
        (topic + headers.sum::<usize>()) as u64
    }
}

/// A change that leaves the cache, to be told.
pub(crate) struct Held<V> {
    pub(crate) row: CellId,
    pub(crate) before: Before<V>,
    pub(crate) cause: HeldCause,
}

struct Entry<V> {
    cell: u32,
    bytes: u64,
    /// The row when those below were last told; noted before its first change since.
    before: Option<Before<V>>,
    cause: HeldCause,
}

/// The cache of one store.
pub(super) struct RowCache<V> {
    spec: CacheSpec,
    entries: Vec<Entry<V>>,
    free: Vec<u32>,
    /// Entries in the order of their last use, where a limit asks for it.
    used: Order,
    /// Entries with changes, in the order of the last one.
    changed: Order,
    bytes: u64,
    /// What of it the task's budget knows.
    counted: u64,
    /// `None`: nothing is ever taken back.
    journal: Option<Vec<EntryChange>>,
}

impl<V> RowCache<V> {
    pub(super) fn new(spec: CacheSpec) -> Self {
        let (used, changed) = (Order::default(), Order::default());
        RowCache { spec, entries: Vec::new(), free: Vec::new(), used, changed, bytes: 0, counted: 0, journal: None }
    }

    /// Whether entries are measured, and rows that are only read have one too.
    pub(super) fn is_limited(&self) -> bool {
        self.spec.limit == CacheLimit::Bytes
    }

    pub(super) fn enters_reads(&self) -> bool {
        self.spec.enters_reads
    }

    pub(super) fn keeps_old(&self) -> bool {
        self.spec.keeps_old
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a row changed that nobody was told of.
    pub(super) fn has_changes(&self) -> bool {
        self.changed.first().is_some()
    }

    /// Makes an entry for a cell that has none.
    pub(super) fn enter(&mut self, cell: u32) -> EntryId {
        let entry = Entry { cell, bytes: 0, before: None, cause: HeldCause::default() };
        let place = match self.free.pop() {
            Some(place) => {
                self.entries[place as usize] = entry;
                place
            }
            None => {
                self.entries.push(entry);
                u32::try_from(self.entries.len() - 1).expect("a cache has no more entries than its store has cells")
            }
        };
        self.remember_made(place);
        EntryId::new(place)
    }

    /// Says that an entry is used, and how large its row is now.
    pub(super) fn touch(&mut self, id: EntryId) {
        if self.is_limited() {
            self.remember(id.place());
            self.used.move_to_end(id.place());
        }
    }

    /// Says how large key and row of an entry are.
    pub(super) fn measure(&mut self, id: EntryId, key_and_row: u64) {
        self.remember(id.place());
        let entry = &mut self.entries[id.place() as usize];
        let bytes = ENTRY_BYTES + key_and_row + entry.cause.bytes();
        self.bytes = self.bytes - entry.bytes + bytes;
        entry.bytes = bytes;
    }

    /// The row as those below know it, if that is noted.
    pub(super) fn before(&mut self, id: EntryId) -> &mut Option<Before<V>> {
        self.remember(id.place());
        &mut self.entries[id.place() as usize].before
    }

    /// Says that an entry's row changed. What it was before is noted already.
    pub(super) fn change(&mut self, id: EntryId, cause: HeldCause) {
        self.remember(id.place());
        let entry = &mut self.entries[id.place() as usize];
        assert!(entry.before.is_some(), "what a cached row was is noted before it changes");
        entry.cause = cause;
        self.touch(id);
        self.changed.move_to_end(id.place());
    }

    /// Whether an entry's row changed.
    pub(super) fn is_changed(&self, id: EntryId) -> bool {
        self.changed.contains(id.place())
    }

    /// The entry that was not used for longest.
    pub(super) fn least_used(&self) -> Option<EntryId> {
        self.used.first().map(EntryId::new)
    }

    /// The entries with changes, in the order of the last one.
    pub(super) fn changes(&self) -> impl Iterator<Item = EntryId> {
        self.changed.iter().map(EntryId::new)
    }

    /// The entries in the order of their last use.
    pub(super) fn in_use(&self) -> impl Iterator<Item = EntryId> {
        self.used.iter().map(EntryId::new)
    }

    /// The cell that an entry is of.
    pub(super) fn cell(&self, id: EntryId) -> u32 {
        self.entries[id.place() as usize].cell
    }

    /// Takes the change out of an entry; the entry stays, unchanged.
    pub(super) fn take_change(&mut self, id: EntryId) -> Option<Held<V>> {
        if !self.is_changed(id) {
            return None;
        }
        self.changed.remove(id.place());
        let Entry { cell, before, cause, .. } = &mut self.entries[id.place() as usize];
        before.take().map(|before| Held { row: CellId(*cell), before, cause: cause.clone() })
    }

    /// Removes an entry.
    pub(super) fn remove(&mut self, id: EntryId) {
        let place = id.place();
        self.used.remove(place);
        self.changed.remove(place);
        let entry = &mut self.entries[place as usize];
        self.bytes -= entry.bytes;
        (entry.bytes, entry.before, entry.cause) = (0, None, HeldCause::default());
        self.free.push(place);
    }

    /// How large an entry is.
    pub(super) fn entry_bytes(&self, id: EntryId) -> u64 {
        self.entries[id.place() as usize].bytes
    }

    /// What the row of a changed entry was, and what changed it.
    pub(super) fn held(&self, id: EntryId) -> (&Before<V>, &HeldCause) {
        let entry = &self.entries[id.place() as usize];
        (entry.before.as_ref().expect("what a cached row was is noted before it changes"), &entry.cause)
    }

    /// Sets an entry, which becomes the last used one: how a copy of the cache comes back.
    pub(super) fn resume(&mut self, id: EntryId, bytes: u64) {
        self.entries[id.place() as usize].bytes = bytes;
        self.bytes += bytes;
        self.used.move_to_end(id.place());
    }

    /// Sets the change of an entry, which becomes the last one, and leaves its place among the used ones.
    pub(super) fn resume_change(&mut self, id: EntryId, cause: HeldCause) {
        self.entries[id.place() as usize].cause = cause;
        self.changed.move_to_end(id.place());
    }

    /// Tells the task's budget what the cache holds.
    pub(super) fn count(&mut self, budget: &mut CacheBudget) {
        budget.count(self.counted, self.bytes);
        self.counted = self.bytes;
    }

    /// Says that the budget knows what the cache holds.
    pub(super) fn counted(&mut self) {
        self.counted = self.bytes;
    }

    pub(super) fn clear(&mut self) {
        let journal = self.journal.is_some();
        *self = RowCache::new(self.spec);
        self.journal(journal);
    }
}
