//! Asks for rows wherever they are.

use std::time::Duration;

use tidemill::TableQuery;

/// A table wherever its rows are: in other processes too, if the program was built to ask them.
#[cfg(feature = "http")]
pub(crate) fn everywhere<K: 'static, V: Send + 'static>(table: TableQuery<K, V>, within: Duration) -> TableQuery<K, V> {
    table.routed(within)
}

/// A table wherever its rows are: in other processes too, if the program was built to ask them.
#[cfg(not(feature = "http"))]
pub(crate) fn everywhere<K: 'static, V: Send + 'static>(table: TableQuery<K, V>, _: Duration) -> TableQuery<K, V> {
    table
}
