//! The stores of an application's folder, whichever engine they lie in.

use std::path::{Path, PathBuf};

use super::{ByteStore, FjallStores, Label, StoreError, StoreErrorKind, StoreSettings};

/// What keeps stores on disk. A folder stays with the one that made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreEngine {
    /// fjall: all in Rust.
    #[default]
    Fjall,
    /// RocksDB: with the feature `rocksdb`.
    #[cfg(feature = "rocksdb")]
    RocksDb,
}

impl StoreEngine {
    fn name(self) -> &'static str {
        match self {
            StoreEngine::Fjall => "fjall",
            #[cfg(feature = "rocksdb")]
            StoreEngine::RocksDb => "RocksDB",
        }
    }

    /// The engine whose files lie in a folder, by name, and the file that tells.
    fn of_folder(folder: &Path) -> Option<&'static str> {
        [("fjall", "keyspaces"), ("RocksDB", "CURRENT")]
            .into_iter()
            .find(|(_, file)| folder.join(file).exists())
            .map(|(engine, _)| engine)
    }
}

/// Locked in its folder by a process that shares its application's work with others, as long as it runs.
pub(crate) const PROCESS_LOCK: &str = "process.lock";

/// Where in its folder an application has its stores.
pub(crate) fn state_folder(folder: &Path, application: &str) -> PathBuf {
    folder.join("state").join(application)
}

/// The stores in one folder.
#[derive(Clone, Debug)]
pub(crate) enum Stores {
    Fjall(FjallStores),
    #[cfg(feature = "rocksdb")]
    RocksDb(super::RocksDbStores),
}

impl Stores {
    /// Opens the stores in `folder`.
    ///
    /// # Errors
    ///
    /// `Invalid` for a folder of another engine; else as the engines do.
    pub(crate) fn open(engine: StoreEngine, folder: &Path, settings: StoreSettings) -> Result<Self, StoreError> {
        if let Some(made_by) = StoreEngine::of_folder(folder).filter(|made_by| *made_by != engine.name()) {
            let message = format!(
                "the stores in `{}` were made by {made_by}, and {} was asked for: ask for {made_by}, or remove the folder, \
                 and they are rebuilt from their changelogs",
                folder.display(),
                engine.name()
            );
            return Err(StoreError::new(StoreErrorKind::Invalid, message));
        }
        Ok(match engine {
            StoreEngine::Fjall => Stores::Fjall(FjallStores::open(folder, settings)?),
            #[cfg(feature = "rocksdb")]
            StoreEngine::RocksDb => Stores::RocksDb(super::RocksDbStores::open(folder, settings)?),
        })
    }

    /// Opens the store `name` of one partition.
    pub(crate) fn open_store(&self, name: &str, partition: u32) -> Result<Box<dyn ByteStore>, StoreError> {
        Ok(match self {
            Stores::Fjall(stores) => Box::new(stores.open_store(name, partition)?),
            #[cfg(feature = "rocksdb")]
            Stores::RocksDb(stores) => Box::new(stores.open_store(name, partition)?),
        })
    }

    /// What a store says of itself. RocksDB's stores say nothing: there a changelog that was made again is noticed only as long as
    /// it ends before the checkpoint.
    pub(crate) fn label(&self, name: &str, partition: u32) -> Result<Option<Label>, StoreError> {
        match self {
            Stores::Fjall(stores) => stores.label(name, partition),
            #[cfg(feature = "rocksdb")]
            Stores::RocksDb(_) => Ok(None),
        }
    }

    /// Sets what a store says of itself, where it says anything.
    pub(crate) fn set_label(&self, name: &str, partition: u32, label: &Label) -> Result<(), StoreError> {
        match self {
            Stores::Fjall(stores) => stores.set_label(name, partition, label),
            #[cfg(feature = "rocksdb")]
            Stores::RocksDb(_) => Ok(()),
        }
    }

    /// Removes a store's rows of all partitions.
    pub(crate) fn remove_all(&self, name: &str) -> Result<(), StoreError> {
        let ids = match self {
            Stores::Fjall(stores) => stores.names(),
            #[cfg(feature = "rocksdb")]
            Stores::RocksDb(stores) => stores.names(),
        };
        for id in ids?.into_iter().filter(|id| id.name() == name) {
            self.remove(name, id.partition())?;
        }
        Ok(())
    }

    /// Removes a store with its rows; `false` when there is none.
    pub(crate) fn remove(&self, name: &str, partition: u32) -> Result<bool, StoreError> {
        match self {
            Stores::Fjall(stores) => stores.remove(name, partition),
            #[cfg(feature = "rocksdb")]
            Stores::RocksDb(stores) => stores.remove(name, partition),
        }
    }
}
