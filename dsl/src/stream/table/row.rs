//! Where a table's rows can be read: in its own store, or computed from the rows of stores above.

use std::rc::Rc;
use std::sync::Arc;

use crate::operator::{ReadRow, StoredRow};
use crate::state::{KeyValueState, KeyedRows};
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
    make: MakeReader<K, V>,
}

impl<K, V> Clone for Row<K, V> {
    fn clone(&self) -> Self {
        Row { stores: self.stores.clone(), used: self.used.clone(), make: self.make.clone() }
    }
}

impl<K: 'static, V: Send + 'static> Row<K, V> {
    /// Rows of a key-value store.
    pub(in crate::stream) fn stored(store: StoreId) -> Self {
        Row::stored_in::<KeyValueState<K, V>>(store)
    }

    /// Rows of a store of any kind.
    pub(in crate::stream) fn stored_in<S: KeyedRows<Key = K, Value = V>>(store: StoreId) -> Self {
        Row::new([store], move |plan| {
            let name = plan.store(store);
            Box::new(move |wiring| {
                let name = name.expect("a row is read only where its store is needed");
                Box::new(StoredRow::<S>(wiring.store(&name)))
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
        Row { stores: stores.into(), used: Rc::default(), make: Rc::new(make) }
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
        Row { used: used.collect(), ..row }
    }

    /// Rows computed from these and those of another table, each when it is read.
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
