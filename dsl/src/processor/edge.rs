//! What an edge between two nodes carries: records of a stream, or changes of a table.

use std::marker::PhantomData;

use crate::record::{Change, Record};

/// The kind and the types of an edge. There are two that carry something: [`StreamOf`] and
/// [`TableOf`].
pub trait Edge: 'static {
    /// What is handed over, lent for the time of the call.
    type Item<'a>: Copy;
}

/// An edge of a stream: it carries [`Record`]s.
pub struct StreamOf<K, V>(PhantomData<fn(K, V)>);

impl<K: 'static, V: 'static> Edge for StreamOf<K, V> {
    type Item<'a> = Record<'a, K, V>;
}

/// An edge of a table: it carries [`Change`]s.
pub struct TableOf<K, V>(PhantomData<fn(K, V)>);

impl<K: 'static, V: 'static> Edge for TableOf<K, V> {
    type Item<'a> = Change<'a, K, V>;
}

/// No edge at all: where nothing can be handed on. Its items cannot be made.
pub enum Nowhere {}

/// An item that does not exist.
#[derive(Clone, Copy, Debug)]
pub enum NoItem {}

impl Edge for Nowhere {
    type Item<'a> = NoItem;
}
