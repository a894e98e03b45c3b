//! A legal name and a partition make a place of their own on disk: no two of them share one, on any file system.

use std::fmt;

use tidemill_dsl::record::name_fault;

use super::{StoreError, StoreErrorKind};

/// The longest name of a store, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// One store of one partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId {
    name: String,
    partition: u32,
}

impl StoreId {
    /// The store `name` of partition `partition`.
    ///
    /// # Errors
    ///
    /// `Invalid` unless the name consists of 1 to 200 ASCII letters, digits, `.`, `_` and `-`, and is neither `.` nor
    /// `..`: it becomes part of a topic's name.
    pub fn new(name: &str, partition: u32) -> Result<Self, StoreError> {
        match name_fault(name, NAME_BYTES_MAX) {
            None => Ok(StoreId { name: name.to_owned(), partition }),
            Some(fault) => Err(StoreError::new(
                StoreErrorKind::Invalid,
                format!("cannot use `{name}` as a store's name: {fault}; choose another name"),
            )),
        }
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The partition's number, counted from 0.
    pub fn partition(&self) -> u32 {
        self.partition
    }

    /// Name and partition as one text. A slash cannot be in a name, so this can be read back.
    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.name, self.partition)
    }

    pub(super) fn of_place(place: &str) -> Option<StoreId> {
        let (name, partition) = place.rsplit_once('/')?;
        let id = StoreId::new(name, partition.parse().ok()?).ok()?;
        (id.place() == place).then_some(id)
    }

    /// The keyspace that holds the rows.
    ///
    /// fjall keeps keyspaces in folders with numbers; this text is data to it and never a path, so `a` and `A` are
    /// apart on every file system.
    pub(super) fn keyspace(&self, generation: u64) -> String {
        format!("{}/{}/{generation}", self.name, self.partition)
    }

    /// The store and the generation that have this keyspace; `None` when no store has such a one.
    pub(super) fn of_keyspace(keyspace: &str) -> Option<(StoreId, u64)> {
        let (place, generation) = keyspace.rsplit_once('/')?;
        let (id, generation) = (StoreId::of_place(place)?, generation.parse().ok()?);
        (id.keyspace(generation) == keyspace).then_some((id, generation))
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyspace_tells_its_store() {
        for (name, partition) in [("a", 0), ("A", 0), ("a-1", 2), ("a", 12), ("..a", u32::MAX), (&"x".repeat(200), 7)] {
            let id = StoreId::new(name, partition).unwrap();
            assert_eq!(StoreId::of_keyspace(&id.keyspace(31)), Some((id, 31)));
        }
    }

    #[test]
    fn a_foreign_keyspace_is_no_store() {
        for keyspace in ["", "stores", "a/1", "a/1/", "a/+1/1", "a/1/01", "/1/1", "a b/1/1", "a/4294967296/1"] {
            assert_eq!(StoreId::of_keyspace(keyspace), None, "{keyspace}");
        }
    }

    #[test]
    fn an_illegal_name_is_refused_with_its_fault() {
        for (name, fault) in [
            ("", "it is empty"),
            ("a/b", "it holds '/'"),
            ("größe", "it holds 'ö'"),
            ("..", "no topic can have it"),
            (&"x".repeat(201), "it has 201 characters"),
        ] {
            let error = StoreId::new(name, 0).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Invalid);
            assert!(error.to_string().contains(fault), "{error}");
        }
    }
}
