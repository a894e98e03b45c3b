//! Where a table's rows can be read: in its own store, or computed from the rows of stores above.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::operator::{ReadRow, StoredRow, TableStore, VersionedRow};
use crate::state::KeyedRows;
use crate::stream::plan::{Plan, StoreId};
use crate::topology::Wiring;

/// Makes the reader of a row when the node that reads it is put into the topology.
pub(in crate::stream) type WireReader<K, V> = Box<dyn FnOnce(&Wiring<'_>) -> Box<dyn ReadRow<K, V>>>;

type MakeReader<K, V> = Rc<dyn Fn(&Plan) -> WireReader<K, V>>;

/// How the rows of a table are read.
pub(in crate::stream) struct Row<K, V> {
    stores: Rc<[StoreId]>,
    /// Stores that a function on the way uses.
    used: Rc<[Arc<str>]>,
    /// How far back the rows can be read as they were; `None` where only the latest is known.
    retention: Option<Duration>,
    /// The table's own key-value store of its latest rows, where there is one.
    own: Option<StoreId>,
    make: MakeReader<K, V>,
}

impl<K, V> Clone for Row<K, V> {
    fn clone(&self) -> Self {
        let (stores, used, make) = (self.stores.clone(), self.used.clone(), self.make.clone());
        Row { stores, used, make, ..*self }
    }
}

impl<K: 'static, V: Send + 'static> Row<K, V> {
    /// Rows of a key-value store, with their versions if it keeps them.
    pub(in crate::stream) fn stored(store: StoreId, plan: &Plan) -> Self {
        let row = Row::of_store(store, |wiring, name| match wiring.table_store(name) {
            TableStore::Latest(slot) => Box::new(StoredRow(slot)),
            TableStore::Versions(slot) => Box::new(VersionedRow(slot)),
        });
        let retention = plan.retention(store);
        Row { retention, own: Some(store).filter(|_| retention.is_none()), ..row }
    }

    /// Rows of a store of any kind.
    pub(in crate::stream) fn stored_in<S: KeyedRows<Key = K, Value = V>>(store: StoreId) -> Self {
        Row::of_store(store, |wiring, name| Box::new(StoredRow::<S>(wiring.store(name))))
    }

    fn of_store(store: StoreId, open: fn(&Wiring<'_>, &str) -> Box<dyn ReadRow<K, V>>) -> Self {
        Row::new([store], move |plan| {
            let name = plan.store(store);
            Box::new(move |wiring| {
                let name = name.expect("a row is read only where its store is needed");
                open(wiring, &name)
            })
        })
    }
}

impl<K: 'static, V: 'static> Row<K, V> {
    /// Rows that `make` reads from these stores.
    pub(in crate::stream) fn new(
        stores: impl Into<Rc<[StoreId]>>,
        make: impl Fn(&Plan) -> WireReader<K, V> + 'static,
    ) -> Self {
        Row { stores: stores.into(), used: Rc::default(), retention: None, own: None, make: Rc::new(make) }
    }

    /// Rows computed from these, each when it is read.
    pub(in crate::stream) fn computed<V2: 'static, R: ReadRow<K, V2> + 'static>(
        &self,
        compute: impl Fn(Box<dyn ReadRow<K, V>>) -> R + Clone + 'static,
    ) -> Row<K, V2> {
        self.computed_with(&[], move |above, _| compute(above))
    }

    /// As `computed`, by a function that uses stores.
    pub(in crate::stream) fn computed_with<V2: 'static, R: ReadRow<K, V2> + 'static>(
        &self,
        used: &[&str],
        compute: impl Fn(Box<dyn ReadRow<K, V>>, &Wiring<'_>) -> R + Clone + 'static,
    ) -> Row<K, V2> {
        let above = self.make.clone();
        let row = Row::new(self.stores.clone(), move |plan| {
            let (above, compute) = (above(plan), compute.clone());
            Box::new(move |wiring| Box::new(compute(above(wiring), wiring)))
        });
        let used = self.used.iter().cloned().chain(used.iter().map(|name| (*name).into()));
        Row { used: used.collect(), retention: self.retention, ..row }
    }

    /// Rows computed from these and from a store of the table's own.
    pub(in crate::stream) fn computed_over<V2: 'static, R: ReadRow<K, V2> + 'static>(
        &self,
        store: StoreId,
        compute: impl Fn(Box<dyn ReadRow<K, V>>, &Wiring<'_>, &str) -> R + Clone + 'static,
    ) -> Row<K, V2> {
        let above = self.make.clone();
        let stores: Vec<StoreId> = self.stores.iter().copied().chain([store]).collect();
        let row = Row::new(stores, move |plan| {
            let (above, compute, name) = (above(plan), compute.clone(), plan.store(store));
            Box::new(move |wiring| {
                let name = name.expect("the store is there whenever the table is");
                Box::new(compute(above(wiring), wiring, &name))
            })
        });
        Row { used: self.used.clone(), ..row }
    }

    /// The table's own key-value store of its latest rows, where there is one.
    pub(in crate::stream) fn own(&self) -> Option<StoreId> {
        self.own
    }

    /// How far back the rows can be read as they were; `None` where only the latest is known.
    pub(in crate::stream) fn retention(&self) -> Option<Duration> {
        self.retention
    }

    /// Rows computed from these and those of another table, each when it is read: from the latest rows, so that a join knows no
    /// versions.
    pub(in crate::stream) fn joined<V2: 'static, R: 'static, J: ReadRow<K, R> + 'static>(
        &self,
        other: &Row<K, V2>,
        join: impl Fn(Box<dyn ReadRow<K, V>>, Box<dyn ReadRow<K, V2>>) -> J + Clone + 'static,
    ) -> Row<K, R> {
        let (this_make, other_make) = (self.make.clone(), other.make.clone());
        let stores: Vec<StoreId> = self.stores.iter().chain(&*other.stores).copied().collect();
        let row = Row::new(stores, move |plan| {
            let (this, other, join) = (this_make(plan), other_make(plan), join.clone());
            Box::new(move |wiring| Box::new(join(this(wiring), other(wiring))))
        });
        Row { used: self.used.iter().chain(&*other.used).cloned().collect(), ..row }
    }

    /// Says that something reads the rows, so that they have to be kept.
    pub(in crate::stream) fn need(&self, plan: &mut Plan) {
        self.stores.iter().for_each(|store| plan.need_store(*store));
    }

    /// The names of the stores that a node has to be connected to for reading.
    pub(in crate::stream) fn store_names(&self, plan: &Plan) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        let own = self.stores.iter().filter_map(|store| plan.store(*store));
        for name in own.chain(self.used.iter().cloned()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The reader, for a node that is connected to the stores.
    pub(in crate::stream) fn reader(&self, plan: &Plan) -> WireReader<K, V> {
        (self.make)(plan)
    }
}
