//! Remembers which node a panic came from, at no cost to records that cause none: only unwinding runs this code.

use std::cell::RefCell;

thread_local! {
    static NODE: RefCell<Option<Box<str>>> = const { RefCell::new(None) };
}

/// Stands guard while a node runs.
pub(crate) struct PanicWatch<'n>(&'n str);

impl<'n> PanicWatch<'n> {
    #[inline]
    pub(crate) fn over(node: &'n str) -> Self {
        PanicWatch(node)
    }

    /// The node is done, and did not panic.
    #[inline]
    pub(crate) fn end(self) {
        std::mem::forget(self);
    }
}

impl Drop for PanicWatch<'_> {
    #[cold]
    fn drop(&mut self) {
        // The innermost node is unwound first, and stays.
        NODE.with_borrow_mut(|node| {
            node.get_or_insert_with(|| self.0.into());
        });
    }
}

/// The innermost node that the last panic on this thread went through, once; `None` when it struck outside of all nodes.
///
/// For whoever catches panics of user code, as tasks do.
pub fn take_panicked_node() -> Option<Box<str>> {
    NODE.take()
}
