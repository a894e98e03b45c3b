//! State of operators: what stores are, and the typed rows over them.

mod byte_store;

pub use byte_store::{ByteStore, Direction, KeyRange, Rows, StoreError, StoreErrorKind, StoreWrite};
