//! Where a table's rows can be read: in its own store, or computed from the rows of stores above.

use std::rc::Rc;
use std::sync::Arc;

use crate::operator::{ReadRow, StoredRow};
use crate::stream::plan::{Plan, StoreId};
use crate::topology::Wiring;

/// Makes the reader of a row when the node that reads it is put into the topology.
pub(in crate::stream) type WireReader<K, V> = Box<dyn FnOnce(&Wiring<'_>) -> Box<dyn ReadRow<K, V>>>;

type MakeReader<K, V> = Rc<dyn Fn(&Plan) -> WireReader<K, V>>;

/// How the rows of a table are read.
pub(in crate::stream) struct Row<K, V> {
    stores: Rc<[StoreId]>,
    make: MakeReader<K, V>,
}

impl<K, V> Clone for Row<K, V> {
    fn clone(&self) -> Self {
        Row { stores: self.stores.clone(), make: self.make.clone() }
    }
}

impl<K: 'static, V: Send + 'static> Row<K, V> {
    /// Rows of a key-value store.
    pub(in crate::stream) fn stored(store: StoreId) -> Self {
        Row::new([store], move |plan| {
            let name = plan.store(store);
            Box::new(move |wiring| {
                let name = name.expect("a row is read only where its store is needed");
                Box::new(StoredRow(wiring.store(&name)))
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
        Row { stores: stores.into(), make: Rc::new(make) }
    }

    /// Rows computed from these, each when it is read.
    pub(in crate::stream) fn computed<V2: 'static, R: ReadRow<K, V2> + 'static>(
        &self,
        compute: impl Fn(Box<dyn ReadRow<K, V>>) -> R + Clone + 'static,
    ) -> Row<K, V2> {
        let above = self.make.clone();
        Row::new(self.stores.clone(), move |plan| {
            let (above, compute) = (above(plan), compute.clone());
            Box::new(move |wiring| Box::new(compute(above(wiring))))
        })
    }

    /// Says that something reads the rows, so that they have to be kept.
    pub(in crate::stream) fn need(&self, plan: &mut Plan) {
        self.stores.iter().for_each(|store| plan.need_store(*store));
    }

    /// The names of the stores that a node has to be connected to for reading.
    pub(in crate::stream) fn store_names(&self, plan: &Plan) -> Vec<Arc<str>> {
        self.stores.iter().filter_map(|store| plan.store(*store)).collect()
    }

    /// The reader, for a node that is connected to the stores.
    pub(in crate::stream) fn reader(&self, plan: &Plan) -> WireReader<K, V> {
        (self.make)(plan)
    }
}
