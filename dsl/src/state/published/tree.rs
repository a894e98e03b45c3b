//! An immutable ordered map of rows: a new version shares with the old one whatever a commit did not change.
//!
//! Rule: a version is never changed. A commit with `n` changed rows makes the blocks anew that have them, a few thousand
//! bytes each, and the way from the root to those.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use super::block::{PackedRow, RowBlock};
use crate::state::Direction;
use crate::state::cells::KeyBytes;

/// A block is split when it gets greater than this; one row may be greater.
const BLOCK_BYTES: usize = 4 << 10;
const CHILDREN: usize = 64;

/// What becomes of a deleted row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deleted {
    /// It goes.
    Go,
    /// It stays as a row without value, because it hides another one.
    Hide,
}

impl Deleted {
    /// What becomes of it in a version over other rows, or over none.
    pub(super) fn over(others: bool) -> Self {
        if others { Deleted::Hide } else { Deleted::Go }
    }
}

/// A version.
#[derive(Clone, Debug, Default)]
pub(super) struct RowTree {
    root: Option<Arc<Node>>,
    rows: usize,
}

#[derive(Debug)]
enum Node {
    Leaf(RowBlock),
    Inner(Vec<Child>),
}

#[derive(Clone, Debug)]
struct Child {
    /// The lowest key below.
    first: KeyBytes,
    node: Arc<Node>,
}

/// Bounds of keys.
pub(super) type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

impl RowTree {
    /// How many rows there are, those without value included.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<PackedRow<'_>> {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Inner(children) => node = &children[child_of(children, key)].node,
                Node::Leaf(block) => {
                    let place = block.lower_bound(key);
                    return (place < block.len()).then(|| block.row(place)).filter(|row| row.key == key);
                }
            }
        }
    }

    /// Visits rows in order until `visit` breaks.
    pub(super) fn visit<'t>(
        &'t self,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut dyn FnMut(PackedRow<'t>) -> ControlFlow<()>,
    ) {
        if let Some(root) = &self.root {
            // Whoever broke off knows it.
            let _ = root.visit(bounds, direction, visit);
        }
    }

    /// The version after these changes.
    pub(super) fn changed(&self, changes: &RowBlock, deleted: Deleted) -> RowTree {
        if changes.is_empty() {
            return self.clone();
        }
        let mut change = Change { changes, deleted, rows: self.rows };
        let none = Node::Leaf(RowBlock::default());
        let mut level = change.apply(self.root.as_deref().unwrap_or(&none), 0..changes.len());
        while level.len() > 1 {
            level = split_children(level);
        }
        let mut root = level.pop().map(|child| child.node);
        while let Some(Node::Inner(children)) = root.as_deref()
            && let [only] = &children[..]
        {
            root = Some(only.node.clone());
        }
        RowTree { root, rows: change.rows }
    }
}

/// The place of the child that has `key`, if there is one.
fn child_of(children: &[Child], key: &[u8]) -> usize {
    children.partition_point(|child| child.first.as_slice() <= key).saturating_sub(1)
}

impl Node {
    fn visit<'t>(
        &'t self,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut dyn FnMut(PackedRow<'t>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match self {
            Node::Leaf(block) => {
                let from = match bounds.0 {
                    Bound::Included(key) => block.lower_bound(key),
                    Bound::Excluded(key) => block.upper_bound(key),
                    Bound::Unbounded => 0,
                };
                let to = match bounds.1 {
                    Bound::Included(key) => block.upper_bound(key),
                    Bound::Excluded(key) => block.lower_bound(key),
                    Bound::Unbounded => block.len(),
                };
                in_direction(from..to, direction, |place| visit(block.row(place)))
            }
            Node::Inner(children) => {
                let from = match bounds.0 {
                    Bound::Included(key) | Bound::Excluded(key) => child_of(children, key),
                    Bound::Unbounded => 0,
                };
                let to = match bounds.1 {
                    Bound::Included(key) | Bound::Excluded(key) => {
                        children.partition_point(|child| child.first.as_slice() <= key)
                    }
                    Bound::Unbounded => children.len(),
                };
                in_direction(from..to, direction, |place| children[place].node.visit(bounds, direction, visit))
            }
        }
    }

    /// Both in one node, where that is small.
    fn joined(&self, next: &Node) -> Option<Node> {
        match (self, next) {
            (Node::Leaf(left), Node::Leaf(right)) if left.size() + right.size() <= BLOCK_BYTES / 2 => {
                let mut joined = RowBlock::with_capacity(left.len() + right.len(), left.size() + right.size());
                joined.push_rows(left, 0..left.len(), usize::MAX);
                joined.push_rows(right, 0..right.len(), usize::MAX);
                Some(Node::Leaf(joined))
            }
            (Node::Inner(left), Node::Inner(right)) if left.len() + right.len() <= CHILDREN / 2 => {
                Some(Node::Inner(left.iter().chain(right).cloned().collect()))
            }
            _ => None,
        }
    }
}

fn in_direction(
    places: std::ops::Range<usize>,
    direction: Direction,
    mut visit: impl FnMut(usize) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match direction {
        Direction::Forward => places.into_iter().try_for_each(&mut visit),
        Direction::Backward => places.into_iter().rev().try_for_each(&mut visit),
    }
}

/// The making of a version.
struct Change<'c> {
    changes: &'c RowBlock,
    deleted: Deleted,
    rows: usize,
}

impl Change<'_> {
    /// The nodes that take the place of `node`, on its level: none when all its rows went.
    fn apply(&mut self, node: &Node, changes: std::ops::Range<usize>) -> Vec<Child> {
        match node {
            Node::Leaf(block) => self.apply_to_block(block, changes),
            Node::Inner(children) => self.apply_to_children(children, changes),
        }
    }

    fn apply_to_children(&mut self, children: &[Child], mut changes: std::ops::Range<usize>) -> Vec<Child> {
        let mut made: Vec<Child> = Vec::with_capacity(children.len() + 2);
        for (place, child) in children.iter().enumerate() {
            let end = match children.get(place + 1) {
                Some(next) => changes.end.min(self.changes.lower_bound(&next.first)).max(changes.start),
                None => changes.end,
            };
            if end == changes.start {
                made.push(child.clone());
                continue;
            }
            for child in self.apply(&child.node, changes.start..end) {
                push_joined(&mut made, child);
            }
            changes.start = end;
        }
        if made.is_empty() { made } else { split_children(made) }
    }

    fn apply_to_block(&mut self, block: &RowBlock, changes: std::ops::Range<usize>) -> Vec<Child> {
        let total = block.size() + self.changes.size_of_rows(&changes);
        let blocks = total.div_ceil(BLOCK_BYTES).max(1);
        let mut leaves = Leaves::new((block.len() + changes.len()).div_ceil(blocks), total.div_ceil(blocks));
        let mut old = 0;
        for place in changes {
            let change = self.changes.row(place);
            let before = block.lower_bound(change.key);
            leaves.push_rows(block, old..before);
            let replaced = before < block.len() && block.row(before).key == change.key;
            old = before + usize::from(replaced);
            let stays = change.value.is_some() || self.deleted == Deleted::Hide;
            if stays {
                leaves.push_rows(self.changes, place..place + 1);
            }
            self.rows = self.rows + usize::from(stays) - usize::from(replaced);
        }
        leaves.push_rows(block, old..block.len());
        leaves.finish()
    }
}

/// Blocks of about equal sizes.
struct Leaves {
    /// About how many rows each has.
    rows: usize,
    /// How many bytes each has at least.
    target: usize,
    block: RowBlock,
    made: Vec<Child>,
}

impl Leaves {
    fn new(rows: usize, target: usize) -> Self {
        Leaves { rows, target, block: RowBlock::with_capacity(rows, target), made: Vec::new() }
    }

    fn push_rows(&mut self, from: &RowBlock, mut rows: std::ops::Range<usize>) {
        while rows.start < rows.end {
            if !self.block.is_empty() && self.block.size() >= self.target {
                self.end_block();
                self.block = RowBlock::with_capacity(self.rows, self.target);
            }
            rows.start = self.block.push_rows(from, rows.clone(), self.target);
        }
    }

    fn end_block(&mut self) {
        let block = std::mem::take(&mut self.block);
        if !block.is_empty() {
            let block = block.fitted();
            self.made.push(Child { first: KeyBytes::from_slice(block.row(0).key), node: Arc::new(Node::Leaf(block)) });
        }
    }

    fn finish(mut self) -> Vec<Child> {
        self.end_block();
        self.made
    }
}

/// Adds a child that was made anew; small neighbours become one, so that deletes leave no crumbs.
fn push_joined(made: &mut Vec<Child>, child: Child) {
    let joined = made.last().and_then(|last| last.node.joined(&child.node));
    match (joined, made.last_mut()) {
        (Some(joined), Some(last)) => last.node = Arc::new(joined),
        _ => made.push(child),
    }
}

/// Inner nodes over these children, each of about the same number.
fn split_children(children: Vec<Child>) -> Vec<Child> {
    let nodes = children.len().div_ceil(CHILDREN);
    let size = children.len().div_ceil(nodes);
    let inner =
        |children: &[Child]| Child { first: children[0].first.clone(), node: Arc::new(Node::Inner(children.to_vec())) };
    children.chunks(size).map(inner).collect()
}
