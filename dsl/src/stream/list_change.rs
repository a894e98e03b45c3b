//! An entry that came into a list or left it.

use crate::serde::Data;

/// An entry that came into a row's list, or left it: see [`Table::list_changes`](super::Table::list_changes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListChange<V> {
    /// It is no longer in the list.
    Left(V),
    /// It is in the list now.
    Entered(V),
}

// It has no serde of its own: `map_values` makes of it what a topic is to have.
impl<V: Data> Data for ListChange<V> {
    type Plain = Self;
    const NULLABLE: bool = false;

    fn plain(&self) -> Option<&Self> {
        Some(self)
    }

    fn into_plain(self) -> Option<Self> {
        Some(self)
    }

    fn from_plain(plain: Self) -> Self {
        plain
    }

    fn absent() -> Option<Self> {
        None
    }
}
