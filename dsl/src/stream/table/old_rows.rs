//! Who can tell the rows of a table as they were before a change.
//!
//! Rule: old rows cost a copy of every row that changes, so only what asks for them gets them, and what asks by force has
//! the rows kept that are computed from.

use std::cell::Cell;
use std::rc::Rc;

use crate::stream::plan::{Plan, StoreId};

/// How much somebody wants old rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stream) enum Demand {
    /// Rows that are not kept yet are kept from now on.
    Force,
    /// They would be no reason to keep the rows.
    IfKept,
}

/// The way up from a table to the stores that its old rows come from.
#[derive(Clone)]
pub(in crate::stream) struct OldRows(Rc<Node>);

struct Node {
    from: From,
    /// Whether the table's node passes them on.
    told: Cell<bool>,
}

enum From {
    /// The table's own store.
    Store(StoreId),
    /// The table above: they are computed from that one's.
    Above(OldRows),
    /// The tables of a join. It joins old rows of one with rows of the other, whether it keeps the results or not.
    Both(OldRows, OldRows),
}

impl OldRows {
    /// Of a table with a store of its own.
    pub(in crate::stream) fn stored(store: StoreId) -> Self {
        OldRows::new(From::Store(store))
    }

    /// Of a table that is computed from the one above.
    pub(in crate::stream) fn computed(above: &OldRows) -> Self {
        OldRows::new(From::Above(above.clone()))
    }

    /// Of a join of two tables.
    pub(in crate::stream) fn joined(left: &OldRows, right: &OldRows) -> Self {
        OldRows::new(From::Both(left.clone(), right.clone()))
    }

    fn new(from: From) -> Self {
        OldRows(Rc::new(Node { from, told: Cell::new(false) }))
    }

    /// Asks for old rows; says whether they will come.
    pub(in crate::stream) fn want(&self, plan: &mut Plan, demand: Demand) -> bool {
        let told = self.0.told.get()
            || match &self.0.from {
                From::Store(store) => plan.want_old(*store, demand == Demand::Force),
                From::Above(above) => above.want(plan, demand),
                // Both tables have their rows kept anyway, because the other's changes are joined with them.
                From::Both(left, right) => left.want(plan, Demand::Force) && right.want(plan, Demand::Force),
            };
        self.0.told.set(told);
        told
    }

    /// Whether the table's node passes old rows on. Known when everything has been described.
    pub(in crate::stream) fn told(&self) -> bool {
        self.0.told.get()
    }
}
