//! Which keyspace holds which store: what is written here decides, and no keyspace's name is ever used twice.
//!
//! fjall 3.1 alone cannot say: it may begin its sequence numbers anew when a folder is opened whose keyspaces are
//! empty, then a deleted keyspace comes back, or its journal is replayed into another one of the same name. Here a
//! deleted keyspace has a name that nobody looks for.
//!
//! ```text
//! keyspace v1   stores
//! counter       key 00                                value: the last generation given out, u64, big-endian
//! store         key 01 | <store name>/<partition>     value: its generation, u64, big-endian
//! label         key 02 | <store name>/<partition>     value: its label (see `label`)
//! ```

use std::sync::{Mutex, PoisonError};

use ::fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, UserValue};

use super::StoreId;
use super::label::Label;

const KEYSPACE: &str = "stores";
const COUNTER: &[u8] = &[0];
const STORE: u8 = 1;
const LABEL: u8 = 2;

/// Why the directory could not be read.
pub(super) enum DirectoryFault {
    /// fjall failed.
    Storage(::fjall::Error),
    /// An entry is in no known layout, or a keyspace belongs to nobody: named here.
    Foreign(String),
}

impl From<::fjall::Error> for DirectoryFault {
    fn from(cause: ::fjall::Error) -> Self {
        DirectoryFault::Storage(cause)
    }
}

pub(super) struct Directory {
    database: Database,
    keyspace: Keyspace,
    // Two stores made at a time must not get one generation.
    giving_out: Mutex<()>,
}

impl Directory {
    /// Opens the directory and removes the keyspaces that wipes and removals left.
    pub(super) fn open(database: &Database) -> Result<Self, DirectoryFault> {
        let keyspace = database.keyspace(KEYSPACE, KeyspaceCreateOptions::default)?;
        let directory = Directory { database: database.clone(), keyspace, giving_out: Mutex::default() };
        for name in database.list_keyspace_names() {
            let name: &str = &name;
            match StoreId::of_keyspace(name) {
                Some((id, generation)) if directory.generation(&id)? != Some(generation) => {
                    let left = database.keyspace(name, KeyspaceCreateOptions::default)?;
                    database.delete_keyspace(left)?;
                }
                None if name != KEYSPACE => return Err(DirectoryFault::Foreign(name.to_owned())),
                _ => {}
            }
        }
        Ok(directory)
    }

    pub(super) fn generation(&self, id: &StoreId) -> Result<Option<u64>, DirectoryFault> {
        self.number(&key(id))
    }

    /// Gives the store a keyspace that nobody had. Whatever it had before is no longer its own.
    pub(super) fn renew(&self, id: &StoreId) -> Result<u64, DirectoryFault> {
        let _one_at_a_time = self.giving_out.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.number(COUNTER)?.unwrap_or(0) + 1;
        // On the disk before the old keyspace goes: a power loss must not bring back an entry without its rows.
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&self.keyspace, COUNTER, generation.to_be_bytes());
        batch.insert(&self.keyspace, key(id), generation.to_be_bytes());
        batch.commit()?;
        Ok(generation)
    }

    pub(super) fn forget(&self, id: &StoreId) -> Result<(), DirectoryFault> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        batch.remove(&self.keyspace, key(id));
        batch.remove(&self.keyspace, label_key(id));
        Ok(batch.commit()?)
    }

    /// What a store says of itself.
    pub(super) fn label(&self, id: &StoreId) -> Result<Option<Label>, DirectoryFault> {
        let read = |stored: UserValue| {
            Label::decode(&stored).ok_or_else(|| DirectoryFault::Foreign(format!("the label of {}", id.place())))
        };
        self.keyspace.get(label_key(id))?.map(read).transpose()
    }

    /// Sets what a store says of itself; on the disk when this returns.
    pub(super) fn set_label(&self, id: &StoreId, label: &Label) -> Result<(), DirectoryFault> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&self.keyspace, label_key(id), label.encode());
        Ok(batch.commit()?)
    }

    /// The stores in order of name and partition.
    pub(super) fn ids(&self) -> Result<Vec<StoreId>, DirectoryFault> {
        let id = |entry: ::fjall::Guard| {
            let key = entry.key()?;
            let name = String::from_utf8_lossy(&key[1..]);
            StoreId::of_place(&name).ok_or_else(|| DirectoryFault::Foreign(name.into_owned()))
        };
        let mut ids = self.keyspace.prefix([STORE]).map(id).collect::<Result<Vec<_>, _>>()?;
        ids.sort();
        Ok(ids)
    }

    fn number(&self, key: &[u8]) -> Result<Option<u64>, DirectoryFault> {
        let number = |stored: UserValue| match <[u8; 8]>::try_from(&*stored) {
            Ok(bytes) => Ok(u64::from_be_bytes(bytes)),
            Err(_) => Err(DirectoryFault::Foreign(String::from_utf8_lossy(key).into_owned())),
        };
        self.keyspace.get(key)?.map(number).transpose()
    }
}

fn key(id: &StoreId) -> Vec<u8> {
    [&[STORE], id.place().as_bytes()].concat()
}

fn label_key(id: &StoreId) -> Vec<u8> {
    [&[LABEL], id.place().as_bytes()].concat()
}
