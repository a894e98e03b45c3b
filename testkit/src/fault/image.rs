//! What a disk may hold after a loss of power.
//!
//! Rule: everything up to a file's last sync, and every name up to the folder's last sync. Of the writes since then each
//! may be there or not, whole or torn at a sector, in any order; a hole reads as zeros. A name may be there or not.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(pub(super) usize);

/// One thing that was done to the folder.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Create(String, FileId),
    Write(FileId, Vec<u8>),
    Truncate(FileId, usize),
    Sync(FileId),
    Remove(String),
    /// From one name to another.
    Rename(String, String),
    SyncFolder,
    /// It failed.
    Nothing,
}

impl Operation {
    pub(super) fn is_sync(&self) -> bool {
        matches!(self, Operation::Sync(_) | Operation::SyncFolder)
    }
}

/// Torn writes end at a multiple of this many bytes of the file.
const SECTOR: usize = 512;

/// What a loss of power leaves of the operations that were not synced.
#[derive(Clone, Copy)]
enum Left {
    Nothing,
    All,
    /// The first ones, the last of them torn.
    Beginning,
    /// Each by the toss of a coin.
    Any,
}

/// The files after `operations` and a loss of power; `seed` decides what is left.
pub(super) fn after_crash(operations: &[Operation], seed: u64) -> BTreeMap<String, Vec<u8>> {
    let mut chance = Chance(seed);
    let left = [Left::Nothing, Left::All, Left::Beginning, Left::Any][chance.below(4)];
    let synced = last_syncs(operations);
    let unsynced: Vec<usize> = (0..operations.len()).filter(|at| !synced.covers(*at, &operations[*at])).collect();
    let beginning = chance.below(unsynced.len() + 1);
    let mut image = Image::default();
    let mut pending = 0;
    for (at, operation) in operations.iter().enumerate() {
        let survives = if unsynced.get(pending) == Some(&at) {
            pending += 1;
            match left {
                Left::Nothing => Survives::No,
                Left::All => Survives::Whole,
                Left::Beginning if pending <= beginning => Survives::Whole,
                Left::Beginning if pending == beginning + 1 => Survives::Torn,
                Left::Beginning => Survives::No,
                Left::Any => [Survives::No, Survives::Whole, Survives::Torn][chance.below(3)],
            }
        } else {
            Survives::Whole
        };
        image.apply(operation, survives, &mut chance);
    }
    image.files()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Survives {
    Whole,
    Torn,
    No,
}

#[derive(Default)]
struct LastSyncs {
    files: BTreeMap<FileId, usize>,
    folder: Option<usize>,
}

impl LastSyncs {
    fn covers(&self, at: usize, operation: &Operation) -> bool {
        match operation {
            Operation::Write(id, _) | Operation::Truncate(id, _) => self.files.get(id).is_some_and(|sync| at < *sync),
            Operation::Create(..) | Operation::Remove(_) | Operation::Rename(..) => {
                self.folder.is_some_and(|sync| at < sync)
            }
            Operation::Sync(_) | Operation::SyncFolder | Operation::Nothing => true,
        }
    }
}

fn last_syncs(operations: &[Operation]) -> LastSyncs {
    let mut last = LastSyncs::default();
    for (at, operation) in operations.iter().enumerate() {
        match operation {
            Operation::Sync(id) => _ = last.files.insert(*id, at),
            Operation::SyncFolder => last.folder = Some(at),
            _ => {}
        }
    }
    last
}

#[derive(Default)]
struct Image {
    names: BTreeMap<String, FileId>,
    contents: BTreeMap<FileId, Vec<u8>>,
    /// Where the next write of a file goes, whether the ones before it survived or not.
    ends: BTreeMap<FileId, usize>,
}

impl Image {
    fn apply(&mut self, operation: &Operation, survives: Survives, chance: &mut Chance) {
        match operation {
            Operation::Create(name, id) if survives != Survives::No => _ = self.names.insert(name.clone(), *id),
            Operation::Remove(name) if survives != Survives::No => _ = self.names.remove(name),
            Operation::Rename(from, to) if survives != Survives::No => {
                // The name may not have survived that is given up here; the other one stays as it was then.
                if let Some(id) = self.names.remove(from) {
                    self.names.insert(to.clone(), id);
                }
            }
            Operation::Write(id, bytes) => self.write(*id, bytes, survives, chance),
            Operation::Truncate(id, length) => {
                self.ends.insert(*id, *length);
                if survives != Survives::No {
                    self.contents.entry(*id).or_default().truncate(*length);
                }
            }
            _ => {}
        }
    }

    fn write(&mut self, id: FileId, bytes: &[u8], survives: Survives, chance: &mut Chance) {
        let at = self.ends.get(&id).copied().unwrap_or(0);
        self.ends.insert(id, at + bytes.len());
        let contents = self.contents.entry(id).or_default();
        let grown = contents.len().max(at + bytes.len());
        match survives {
            Survives::No => {}
            Survives::Whole => {
                contents.resize(grown, 0);
                contents[at..at + bytes.len()].copy_from_slice(bytes);
            }
            Survives::Torn => {
                let sectors = (at / SECTOR)..=((at + bytes.len()) / SECTOR);
                let kept: BTreeSet<usize> = sectors.filter(|_| chance.below(2) == 0).collect();
                // The length may have become durable before the bytes did.
                if chance.below(2) == 0 {
                    contents.resize(grown, 0);
                }
                for (at, byte) in (at..).zip(bytes).filter(|(at, _)| kept.contains(&(at / SECTOR))) {
                    contents.resize(contents.len().max(at + 1), 0);
                    contents[at] = *byte;
                }
            }
        }
    }

    fn files(self) -> BTreeMap<String, Vec<u8>> {
        let Image { names, mut contents, .. } = self;
        names.into_iter().map(|(name, id)| (name, contents.remove(&id).unwrap_or_default())).collect()
    }
}

/// Chance from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % count as u64).expect("less than a usize")
    }
}
