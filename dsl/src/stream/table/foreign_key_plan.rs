//! The nodes and topics of a foreign-key join, in the order and with the names of Kafka Streams.

use super::{Demand, Row, Table, plan_source, plan_store};
use crate::operator::{
    AnswerSubscription, KeepSubscription, NotifySubscribers, Padding, Resolve, Subscribe, ToLeftRow,
};
use crate::processor::{ProcessError, StreamOf, TableOf};
use crate::serde::{
    Data, Nullable, Response, ResponseSerde, SerdeRef, Subscription, SubscriptionKey, SubscriptionSerde,
};
use crate::state::{Store, StoreSpec};
use crate::stream::Materialized;
use crate::stream::names::{NameId, Names};
use crate::stream::plan::{Plan, StepId};
use crate::stream::sides::Sides;
use crate::stream::stream_type::{Sources, check_builder, serde_for};
use crate::topology::{Sink, Source, Wiring};

/// What makes a row of two.
pub(super) type Joined<R> = Result<Option<R>, ProcessError>;

/// What the nodes, topics and the store of a join are called.
struct JoinNames {
    /// What `.named(..)` gives; all others follow from it.
    base: NameId,
    registration: NameId,
    subscribe: NameId,
    registration_sink: NameId,
    registration_source: NameId,
    store: NameId,
    keep: NameId,
    answer: NameId,
    notify: NameId,
    response: NameId,
    response_sink: NameId,
    response_source: NameId,
    resolve: NameId,
    result: NameId,
}

impl JoinNames {
    /// Takes the numbers in the order in which Kafka Streams does.
    fn take(names: &mut Names) -> Self {
        const REGISTRATION: &str = "KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-";
        const PROCESSOR: &str = "KTABLE-FK-JOIN-SUBSCRIPTION-PROCESSOR-";
        let base = names.later();
        let mut next = |ending: &str, prefix| names.derived(base, ending, prefix);
        JoinNames {
            base,
            registration: next("-subscription-registration", REGISTRATION),
            subscribe: next("-subscription-registration-processor", REGISTRATION),
            registration_sink: next("-subscription-registration-sink", "KTABLE-SINK-"),
            registration_source: next("-subscription-registration-source", "KTABLE-SOURCE-"),
            store: next("-subscription-store", "KTABLE-FK-JOIN-SUBSCRIPTION-STATE-STORE-"),
            keep: next("-subscription-receive", PROCESSOR),
            answer: next("-subscription-join-foreign", PROCESSOR),
            notify: next("-foreign-join-subscription", PROCESSOR),
            response: next("-subscription-response", "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-"),
            response_sink: next("-subscription-response-sink", "KTABLE-SINK-"),
            response_source: next("-subscription-response-source", "KTABLE-SOURCE-"),
            resolve: next(
                "-subscription-response-resolver",
                "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-RESOLVER-PROCESSOR-",
            ),
            result: next("-result", "KTABLE-FK-JOIN-OUTPUT-"),
        }
    }
}

fn topic_name(plan: &Plan, name: NameId) -> String {
    format!("{}-topic", plan.name(name))
}

/// One side of a join: where its changes come from, how its rows are read, how they are written.
struct Side<K: 'static, V: 'static> {
    step: StepId,
    sources: Sources,
    rows: Row<K, V>,
    key: SerdeRef<K>,
    row: SerdeRef<V>,
}

impl<K: Data<Plain = K>, V: Data<Plain = V>> Side<K, V> {
    /// `None`, and a fault in the plan, when a serde is not known.
    fn of(plan: &mut Plan, table: &Table<'_, K, V>) -> Option<Self> {
        table.row.need(plan);
        let key = serde_for(plan, table.serdes.0.clone(), "key of a foreign-key join");
        let row = serde_for(plan, table.serdes.1.clone(), "row of a foreign-key join");
        let (step, sources, rows) = (table.step, table.sources.clone(), table.row.clone());
        key.zip(row).map(|(key, row)| Side { step, sources, rows, key, row })
    }
}

impl<'b, K: Data<Plain = K>, V: Data<Plain = V>> Table<'b, K, V> {
    /// Plans a join: `extract` says to which right key a row points, if it points anywhere.
    pub(super) fn join_foreign<KO: Data<Plain = KO>, VO: Data<Plain = VO>, R: Data<Plain = R> + Clone>(
        &self,
        right: &Table<'b, KO, VO>,
        padding: Padding,
        materialized: Materialized<K, R>,
        extract: impl Fn(&K, &V) -> Result<Option<KO>, ProcessError> + Send + Sync + 'static,
        join: impl Fn(&K, &V, Option<&VO>) -> Joined<R> + Send + Sync + 'static,
    ) -> Table<'b, K, R> {
        let verb = if padding == Padding::Pad { "left_join_on" } else { "join_on" };
        if !check_builder(self.builder, right.builder, verb) {
            return self.unjoined();
        }
        right.want_old(Demand::Force);
        self.want_old(Demand::Force);
        let mut plan = self.builder.plan();
        let names = JoinNames::take(&mut plan.names);
        let store_name = match &materialized.name {
            Some(name) => plan.names.fixed(name),
            None => plan.names.numbered("KTABLE-FK-JOIN-OUTPUT-STATE-STORE-"),
        };
        for name in [names.registration, names.store, names.response] {
            plan.persistent.push(name);
        }
        let known = (materialized.key.clone(), materialized.value.clone());
        let needed = materialized.name.is_some();
        let (store, spec) = plan_store(&mut plan, store_name, materialized, needed);
        let (left, right) = (Side::of(&mut plan, self), Side::of(&mut plan, right));
        let Some((left, right)) = left.zip(right) else {
            drop(plan);
            return self.unjoined();
        };
        let subscriptions = plan_subscriptions(&mut plan, &names, &left, &right, padding, extract);
        let responses = plan_responses(&mut plan, &names, &left, &right, subscriptions);
        let sources = left.sources.and(&Sources::one(responses));
        let resolved = plan_resolver(&mut plan, &names, left, responses, &sources, padding, join);
        let step = plan_source::<K, Option<R>>(&mut plan, resolved, names.result, (store, spec), Sides::default());
        plan.rename_to(step, names.base);
        drop(plan);
        Table::stored(self.builder, step, sources, store).with_serdes((self.serdes.0.clone().or(known.0), known.1))
    }
}

/// Plans the way of the subscriptions to the right side; gives the step that has kept them.
fn plan_subscriptions<K: Data<Plain = K>, V: Data<Plain = V>, KO: Data<Plain = KO>, VO: Data<Plain = VO>>(
    plan: &mut Plan,
    names: &JoinNames,
    left: &Side<K, V>,
    right: &Side<KO, VO>,
    padding: Padding,
    extract: impl Fn(&K, &V) -> Result<Option<KO>, ProcessError> + Send + Sync + 'static,
) -> StepId {
    type Subscribed<KO> = StreamOf<Option<KO>, Subscription>;
    let JoinNames { registration, subscribe, registration_sink, registration_source, store, keep, .. } = *names;
    let (parent, foreign_key) = (left.step, right.key.clone());
    let operator =
        Subscribe { padding, extract, key: left.key.clone(), row: left.row.clone(), foreign_key: foreign_key.clone() };
    let sent = plan.add(subscribe, &[parent], move |plan, builder| {
        let (name, parent) = (plan.name(subscribe), plan.node(parent));
        builder.add_operator::<TableOf<K, V>, Subscribed<KO>>(&name, &[&parent], operator);
    });
    let nullable: SerdeRef<Option<KO>> = SerdeRef::new(Nullable::new(foreign_key.clone()));
    let serdes = (nullable, SerdeRef::new(SubscriptionSerde));
    let (key, message) = serdes.clone();
    plan.add(registration_sink, &[sent], move |plan, builder| {
        let sink = Sink::internal(&topic_name(plan, registration), &key, &message);
        builder.add_sink(&plan.name(registration_sink), &[&plan.node(sent)], sink);
    });
    let (key, message) = serdes;
    let source = plan.add(registration_source, &[], move |plan, builder| {
        let source = Source::internal(&topic_name(plan, registration), &key, &message);
        builder.add_source(&plan.name(registration_source), source);
    });
    let sources = right.sources.and(&Sources::one(source));
    plan.add(keep, &[source], move |plan, builder| {
        let (name, store) = (plan.name(keep), plan.name(store));
        let opened = store.clone();
        builder.add_operator_with::<Subscribed<KO>, Subscribed<KO>, _>(
            &name,
            &[&plan.node(source)],
            &[&store],
            move |wiring| KeepSubscription { keys: SubscriptionKey(foreign_key), store: wiring.store(&opened) },
        );
        let kept = Store::new(&*store, SerdeRef::<Vec<u8>>::of(), SerdeRef::new(SubscriptionSerde));
        builder.add_state_store(StoreSpec::timestamped(&kept), &[&name]);
        plan.copartition(&sources, builder);
    })
}

/// Plans the way of the answers back to the left side; gives the step of their source.
fn plan_responses<K: Data<Plain = K>, V: Data<Plain = V>, KO: Data<Plain = KO>, VO: Data<Plain = VO>>(
    plan: &mut Plan,
    names: &JoinNames,
    left: &Side<K, V>,
    right: &Side<KO, VO>,
    subscriptions: StepId,
) -> StepId {
    type Encoded<K> = StreamOf<K, Response<Vec<u8>>>;
    let JoinNames { store, answer, notify, response, response_sink, response_source, .. } = *names;
    let (key, row, rows) = (left.key.clone(), right.row.clone(), right.rows.clone());
    let answered = plan.add(answer, &[subscriptions], move |plan, builder| {
        let (name, parent) = (plan.name(answer), plan.node(subscriptions));
        let (stores, table) = (rows.store_names(plan), rows.reader(plan));
        let stores: Vec<&str> = stores.iter().map(|store| &**store).collect();
        let make = |wiring: &mut Wiring<'_>| AnswerSubscription { key, table: table(wiring), row };
        builder.add_operator_with::<StreamOf<Option<KO>, Subscription>, Encoded<K>, _>(
            &name,
            &[&parent],
            &stores,
            make,
        );
    });
    let (parent, key, row, keys) = (right.step, left.key.clone(), right.row.clone(), right.key.clone());
    let notified = plan.add(notify, &[parent], move |plan, builder| {
        let (name, store) = (plan.name(notify), plan.name(store));
        let opened = store.clone();
        builder.add_operator_with::<TableOf<KO, VO>, Encoded<K>, _>(
            &name,
            &[&plan.node(parent)],
            &[&store],
            move |wiring| NotifySubscribers { key, keys: SubscriptionKey(keys), row, store: wiring.store(&opened) },
        );
    });
    let key = left.key.clone();
    plan.add(response_sink, &[answered, notified], move |plan, builder| {
        let message = SerdeRef::new(ResponseSerde(SerdeRef::<Vec<u8>>::of()));
        let sink = Sink::internal(&topic_name(plan, response), &key, &message).partitioner(ToLeftRow);
        let parents = [&*plan.node(answered), &*plan.node(notified)];
        builder.add_sink(&plan.name(response_sink), &parents, sink);
    });
    let (key, message) = (left.key.clone(), SerdeRef::new(ResponseSerde(right.row.clone())));
    plan.add(response_source, &[], move |plan, builder| {
        let source = Source::internal(&topic_name(plan, response), &key, &message);
        builder.add_source(&plan.name(response_source), source);
    })
}

/// Plans the node that joins an answer with its left row.
fn plan_resolver<K: Data<Plain = K>, V: Data<Plain = V>, VO: Data<Plain = VO>, R: Data<Plain = R>>(
    plan: &mut Plan,
    names: &JoinNames,
    left: Side<K, V>,
    responses: StepId,
    sources: &Sources,
    padding: Padding,
    join: impl Fn(&K, &V, Option<&VO>) -> Joined<R> + Send + Sync + 'static,
) -> StepId {
    let (resolve, sources) = (names.resolve, sources.clone());
    let Side { rows, row, .. } = left;
    plan.add(resolve, &[responses], move |plan, builder| {
        let (name, parent) = (plan.name(resolve), plan.node(responses));
        let (stores, table) = (rows.store_names(plan), rows.reader(plan));
        let stores: Vec<&str> = stores.iter().map(|store| &**store).collect();
        let make = move |wiring: &mut Wiring<'_>| Resolve { table: table(wiring), row, padding, join };
        builder.add_operator_with::<StreamOf<K, Response<VO>>, StreamOf<K, Option<R>>, _>(
            &name,
            &[&parent],
            &stores,
            make,
        );
        plan.copartition(&sources, builder);
    })
}
