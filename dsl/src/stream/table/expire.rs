//! `expire_after`: takes rows out of a table that nothing has changed for some time.

use std::time::Duration;

use super::{OldRows, Table};
use crate::operator::Expire;
use crate::processor::TableOf;
use crate::serde::{Data, SerdeRef};
use crate::state::{Store, StoreSpec};
use crate::topology::Fault;
use crate::window::millis;

impl<'b, K: Data<Plain = K>, V: Data<Plain = V>> Table<'b, K, V> {
    /// Takes rows out of the table's store that have not changed for `after`, so that keys which never come again do not stay for
    /// ever. What is below the table that this returns sees a deletion; what is below the table itself is not told, but does
    /// not find the row any more.
    ///
    /// Time is that of the changes: the greatest one that this node has seen. A row goes when that is as much later than the row's
    /// own time, or up to a sixteenth of `after` later; the deletion has the time of then. A change takes out sixteen rows at most,
    /// so none takes long. A key that comes again after its row has gone begins anew. In a table that stands still nothing goes,
    /// unless time moves on by itself: `TaskSettings::idle_advance`.
    ///
    /// The table has a key-value store of its own, from a changelog, and the latest rows only. Beside it lie the deadlines of its
    /// rows, in a store called after the node: name it with [`named`](Self::named).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::Store;
    ///
    /// const COUNTS: Store<String, i64> = Store::of("counts");
    /// # let builder = StreamsBuilder::new();
    /// let counts = builder.stream(&IN).group_by_key().count_with(&COUNTS);
    /// counts.expire_after(Duration::from_secs(16)).named("forget").to_stream().to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(0).send("a", 7);
    /// driver.input(&IN).at(17_000).send("b", 7);
    /// assert_eq!(driver.output(&OUT).optional_values(), [Some(1), Some(1), None]);
    /// assert_eq!(driver.store(&COUNTS).get("a"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn expire_after(&self, after: Duration) -> Table<'b, K, V> {
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered("KTABLE-EXPIRE-"));
        let deadlines = plan.names.derived(name, "-deadlines", "KTABLE-EXPIRE-STATE-STORE-");
        plan.persistent.push(deadlines);
        let own = self.row.own();
        self.row.need(&mut plan);
        let after = millis(after);
        let step = plan.add(name, &[parent], move |plan, builder| {
            let (name, deadlines) = (plan.name(name), plan.name(deadlines));
            let kept = own.and_then(|store| Some((plan.store(store)?, plan.sends_old(store))));
            let of_topic = |store: &str| {
                let spec = builder.stores.iter().map(|known| &known.spec).find(|spec| **spec.name() == *store);
                spec.is_none_or(|spec| spec.source_topic().is_some())
            };
            let reason = match &kept {
                _ if after == 0 => Some("its rows would expire at once: let them stay a millisecond or longer"),
                None => {
                    Some("the table has no store of the latest rows of its own: keep it in one, with `Materialized`")
                }
                Some((store, _)) if of_topic(store) => Some(
                    "the table is restored from its topic, where its rows would still be: say what its changelog gets",
                ),
                Some(_) => None,
            };
            if let Some(reason) = reason {
                builder.faults.push(Fault::Setting { node: name.clone(), reason: reason.into() });
            }
            let Some((rows, sends_old)) = kept else { return };
            let (opened, stores) = (deadlines.clone(), [rows.clone(), deadlines.clone()]);
            builder.add_operator_with::<TableOf<K, V>, TableOf<K, V>, _>(
                &name,
                &[&plan.node(parent)],
                &[&stores[0], &stores[1]],
                move |wiring| Expire {
                    rows: wiring.rows_of_above(&rows, sends_old),
                    deadlines: wiring.store(&opened),
                    time: wiring.add_time(),
                    after,
                },
            );
            let deadlines = Store::<Vec<u8>, Vec<u8>>::new(&*deadlines, SerdeRef::of(), SerdeRef::of());
            builder.add_state_store(StoreSpec::plain(&deadlines), &[&name]);
        });
        drop(plan);
        let old_rows = OldRows::computed(&self.old_rows);
        Table::new(self.builder, step, self.sources.clone(), (self.row.clone(), old_rows))
            .with_serdes(self.serdes.clone())
    }
}
