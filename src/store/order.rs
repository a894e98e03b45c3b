//! The writes of one step rise strictly by key, or nothing of the step happens.

use super::StoreWrite;

/// Passes the writes on.
///
/// # Panics
///
/// When a key is not greater than the one before it.
pub(super) fn rising<'a>(writes: &mut dyn Iterator<Item = StoreWrite<'a>>) -> impl Iterator<Item = StoreWrite<'a>> {
    let mut before: Option<&[u8]> = None;
    writes.inspect(move |write| {
        assert!(before < Some(write.key), "a write's keys rise: {before:?} came before {:?}", write.key);
        before = Some(write.key);
    })
}
