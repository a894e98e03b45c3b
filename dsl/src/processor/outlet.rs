//! Hands what a node makes to its children, in the order in which they were connected, depth first.

use std::sync::Arc;

use super::{Edge, Flow, TaskState};

/// A compiled node, as its parents see it.
pub trait Push<E: Edge>: Send + Sync {
    /// Takes an item through this node and everything below it.
    fn push(&self, item: E::Item<'_>, task: &mut TaskState) -> Flow;
}

/// The children of a node.
pub struct Outlet<E: Edge> {
    children: Box<[Arc<dyn Push<E>>]>,
}

impl<E: Edge> Outlet<E> {
    pub(crate) fn new(children: Vec<Arc<dyn Push<E>>>) -> Self {
        Outlet { children: children.into() }
    }

    /// Hands `item` to every child.
    #[inline]
    pub fn push(&self, item: E::Item<'_>, task: &mut TaskState) -> Flow {
        // Most nodes have one child; without the loop the call can be the last thing that they do.
        if let [only] = &*self.children {
            return only.push(item, task);
        }
        for child in &self.children {
            child.push(item, task)?;
        }
        Ok(())
    }

    /// Hands `item` to one child, by its position.
    #[inline]
    pub(crate) fn push_to(&self, child: usize, item: E::Item<'_>, task: &mut TaskState) -> Flow {
        self.children[child].push(item, task)
    }
}
