//! The order that Java's `TreeSet` keeps, also when what it compares by changes after items were added.
//!
//! In `describe` the sizes that nodes are sorted by still grow while they are added to the sets of their neighbours, so where
//! an item comes to stand depends on which items it is compared with: on the shape of the tree. This is the red-black tree
//! of the textbooks (Cormen et al., insertion mended from below), which Java's documentation names as its own.

use std::cmp::Ordering;

/// A red-black tree that only grows.
#[derive(Default)]
pub(super) struct JavaTree<T> {
    nodes: Vec<Node<T>>,
    root: Option<usize>,
}

struct Node<T> {
    item: T,
    red: bool,
    parent: Option<usize>,
    /// Left and right.
    children: [Option<usize>; 2],
}

impl<T: Copy> JavaTree<T> {
    /// Adds an item; `compare` holds it against one that is there. An equal one stays as it is.
    pub(super) fn insert(&mut self, item: T, compare: impl Fn(T) -> Ordering) {
        let (mut parent, mut side, mut next) = (None, 0, self.root);
        while let Some(at) = next {
            side = match compare(self.nodes[at].item) {
                Ordering::Less => 0,
                Ordering::Greater => 1,
                Ordering::Equal => return,
            };
            (parent, next) = (Some(at), self.nodes[at].children[side]);
        }
        self.nodes.push(Node { item, red: true, parent, children: [None, None] });
        let added = self.nodes.len() - 1;
        match parent {
            Some(parent) => self.nodes[parent].children[side] = Some(added),
            None => self.root = Some(added),
        }
        self.mend(added);
    }

    /// The items in the order of the tree.
    pub(super) fn items(&self) -> Vec<T> {
        let mut items = Vec::with_capacity(self.nodes.len());
        self.walk(self.root, &mut items);
        items
    }

    fn walk(&self, from: Option<usize>, items: &mut Vec<T>) {
        let Some(at) = from else { return };
        let Node { item, children: [left, right], .. } = self.nodes[at];
        self.walk(left, items);
        items.push(item);
        self.walk(right, items);
    }

    /// Makes every red node's parent black again, from `at` upwards.
    fn mend(&mut self, mut at: usize) {
        while let Some((parent, grandparent)) = self.red_parent(at) {
            let side = self.side(parent, grandparent);
            match self.nodes[grandparent].children[1 - side].filter(|uncle| self.nodes[*uncle].red) {
                Some(uncle) => {
                    self.nodes[uncle].red = false;
                    self.nodes[parent].red = false;
                    self.nodes[grandparent].red = true;
                    at = grandparent;
                }
                None => {
                    let inner = self.side(at, parent) != side;
                    let top = if inner { at } else { parent };
                    if inner {
                        self.rotate(parent, side);
                    }
                    self.nodes[top].red = false;
                    self.nodes[grandparent].red = true;
                    self.rotate(grandparent, 1 - side);
                    break;
                }
            }
        }
        if let Some(root) = self.root {
            self.nodes[root].red = false;
        }
    }

    /// The parent, if it is red, and its parent; the root is black, so there is one.
    fn red_parent(&self, at: usize) -> Option<(usize, usize)> {
        let parent = self.nodes[at].parent.filter(|parent| self.nodes[*parent].red)?;
        self.nodes[parent].parent.map(|grandparent| (parent, grandparent))
    }

    fn side(&self, child: usize, parent: usize) -> usize {
        usize::from(self.nodes[parent].children[1] == Some(child))
    }

    /// Turns the edge between a node and its child on the other side of `side`, so that the node goes down on `side`.
    fn rotate(&mut self, at: usize, side: usize) {
        let Some(up) = self.nodes[at].children[1 - side] else { return };
        let (inner, above) = (self.nodes[up].children[side], self.nodes[at].parent);
        self.nodes[at].children[1 - side] = inner;
        if let Some(inner) = inner {
            self.nodes[inner].parent = Some(at);
        }
        match above {
            Some(above) => {
                let place = self.side(at, above);
                self.nodes[above].children[place] = Some(up);
            }
            None => self.root = Some(up),
        }
        self.nodes[up].parent = above;
        self.nodes[up].children[side] = Some(at);
        self.nodes[at].parent = Some(up);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn items_stand_in_order_and_the_tree_stays_flat(numbers in proptest::collection::vec(0..500_u32, 0..200)) {
            let mut tree = JavaTree::default();
            for number in &numbers {
                tree.insert(*number, |there| number.cmp(&there));
            }
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(tree.items(), sorted);
            prop_assert!(black_height(&tree, tree.root).is_some(), "red below red, or paths with unequal black nodes");
        }
    }

    /// How many black nodes every path down has; `None` where the rules of the tree are broken.
    fn black_height(tree: &JavaTree<u32>, from: Option<usize>) -> Option<usize> {
        let Some(at) = from else { return Some(0) };
        let Node { red, children: [left, right], .. } = tree.nodes[at];
        let is_red = |child: Option<usize>| child.is_some_and(|child| tree.nodes[child].red);
        let heights = (black_height(tree, left)?, black_height(tree, right)?);
        let holds = heights.0 == heights.1 && !(red && (is_red(left) || is_red(right)));
        holds.then_some(heights.0 + usize::from(!red))
    }
}
