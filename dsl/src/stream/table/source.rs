//! The store of a table, and the node that makes records into rows.

use crate::operator::TableSource;
use crate::processor::{StreamOf, TableOf};
use crate::serde::Data;
use crate::state::StoreSpec;
use crate::stream::Materialized;
use crate::stream::names::NameId;
use crate::stream::plan::{Plan, StepId, StoreId};
use crate::stream::sides::Sides;
use crate::stream::stream_type::serde_for;

/// Makes the specification of a store once its name is known.
pub(in crate::stream) type MakeSpec = Box<dyn FnOnce(&str) -> StoreSpec>;

/// Plans the store that a materialisation describes, with the serdes of the types where it names none.
pub(in crate::stream) fn plan_store<K: Data, V: Data>(
    plan: &mut Plan,
    name: NameId,
    materialized: Materialized<K, V>,
    needed: bool,
) -> (StoreId, MakeSpec) {
    let store = plan.add_store(name, needed);
    plan.keep_versions(store, materialized.versions());
    plan.persistent.push(name);
    let key = serde_for(plan, materialized.key.clone(), "key of a store");
    let value = serde_for(plan, materialized.value.clone(), "value of a store");
    let spec: MakeSpec = match key.zip(value) {
        Some((key, value)) => Box::new(move |name| materialized.spec(name, key, value)),
        None => Box::new(|_| unreachable!("a plan with a fault is not built")),
    };
    (store, spec)
}

/// Plans the node that makes records into rows, with its store if that is needed in the end.
pub(in crate::stream) fn plan_source<K: Data, V: Data<Plain: Clone>>(
    plan: &mut Plan,
    parent: StepId,
    name: NameId,
    (store, spec): (StoreId, MakeSpec),
    sides: Sides<K, V>,
) -> StepId {
    plan.add(name, &[parent], move |plan, builder| {
        let (name, parent) = (plan.name(name), plan.node(parent));
        type Out<K, V> = TableOf<<K as Data>::Plain, <V as Data>::Plain>;
        let sends_old = plan.sends_old(store);
        let Some(store) = plan.store(store) else {
            let passing = TableSource { store: None };
            builder.add_operator::<StreamOf<K, V>, Out<K, V>>(&name, &[&parent], passing);
            return sides.add_to(&name, builder);
        };
        let opened = store.clone();
        builder.add_operator_with::<StreamOf<K, V>, Out<K, V>, _>(&name, &[&parent], &[&store], move |wiring| {
            TableSource { store: Some(wiring.table_rows(&opened, sends_old)) }
        });
        builder.add_state_store(spec(&store), &[&name]);
        sides.add_to(&name, builder);
    })
}
