//! `event_sourced`: commands become states, events, refusals and replies, in one step.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::names::NameId;
use super::options::Beside;
use super::plan::{Plan, StepId, StoreId};
use super::stream_type::{Sources, serde_for};
use super::table::{MakeSpec, Row, plan_store};
use super::{IntoMaterialized, Materialized, Stream, StreamsBuilder, Table};
use crate::event_sourcing::{Aggregate, Refusal, Reply, ReplySerde};
use crate::operator::{
    AnswerKey, AnswerKeySerde, Answers, Decide, Decided, Events, ExpectedOf, IdOf, KeepState, Refusals, Replies,
    to_their_partition,
};
use crate::processor::{Operator, StreamOf, TableOf};
use crate::serde::{Data, SerdeRef};
use crate::state::{RowFormat, Store, StoreSpec, WindowKeeping, WindowStore};
use crate::topology::{Answering, Fault, Sink};
use crate::window::{WindowEnds, millis};

/// For how long the ids of commands are remembered where nothing else is said: longer than a client goes on repeating a command
/// whose outcome it does not know.
const REMEMBERED: Duration = Duration::from_secs(600);

/// How commands are decided: for how long their ids are remembered, where ids and expected versions come from, who is answered.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use tidemill_dsl::event_sourcing::{Aggregate, CommandContext};
/// # use tidemill_dsl::serde::Data;
/// # #[derive(Clone, Debug, Default, Serialize, Deserialize, Data)]
/// # #[data(json, crate = tidemill_dsl)]
/// # struct Counter(u64);
/// # impl Aggregate for Counter {
/// #     type Key = String;
/// #     type Command = i64;
/// #     type Event = i64;
/// #     type Refusal = String;
/// #     fn decide(&self, by: &i64, _: &CommandContext<'_, String>) -> Result<Vec<i64>, String> { Ok(vec![*by]) }
/// #     fn evolve(&mut self, _: &i64) { self.0 += 1; }
/// # }
/// use std::time::Duration;
/// use tidemill_dsl::event_sourcing::Commands;
/// use tidemill_dsl::state::Store;
/// use tidemill_dsl::stream::{EventSourced, StreamsBuilder};
///
/// const COMMANDS: Commands<Counter> = Commands::of("commands");
/// const COUNTERS: Store<String, Counter> = Store::of("counters");
///
/// let builder = StreamsBuilder::new();
/// let day = EventSourced::default().remember(Duration::from_secs(86_400)).unasked();
/// builder.stream(&COMMANDS).event_sourced_with(&COUNTERS, day);
/// # builder.build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct EventSourced<A: Aggregate> {
    remember: Duration,
    events: Option<SerdeRef<A::Event>>,
    refusals: Option<SerdeRef<A::Refusal>>,
    id: Option<IdOf<A::Command>>,
    expected: Option<ExpectedOf<A::Command>>,
    answers: bool,
    answer_partitions: Option<u32>,
}

impl<A: Aggregate> Default for EventSourced<A> {
    /// Ids are remembered for ten minutes of record time, and come from the headers; whoever asks is answered.
    fn default() -> Self {
        EventSourced {
            remember: REMEMBERED,
            events: None,
            refusals: None,
            id: None,
            expected: None,
            answers: true,
            answer_partitions: None,
        }
    }
}

impl<A: Aggregate> EventSourced<A> {
    /// For how long the id of a command is remembered, by the commands' own times: a command of the same key and id within it
    /// gets the first one's reply and does nothing. One with an id that is further behind the greatest time so far is refused,
    /// because what it may repeat can be forgotten. What is remembered takes room in a store for that long.
    #[must_use]
    pub fn remember(self, within: Duration) -> Self {
        EventSourced { remember: within, ..self }
    }

    /// Takes a command's id from the command; where that gives none, and without this, it is in the header
    /// [`COMMAND_ID`](crate::event_sourcing::headers::COMMAND_ID). A command without an id is decided each time it comes.
    #[must_use]
    pub fn id(self, of: impl Fn(&A::Command) -> Option<String> + Send + Sync + 'static) -> Self {
        EventSourced { id: Some(Arc::new(of)), ..self }
    }

    /// Takes the version that a command is meant for from the command; where that gives none, and without this, it is in the
    /// header [`EXPECTED_VERSION`](crate::event_sourcing::headers::EXPECTED_VERSION). A command without one is decided
    /// against whatever version there is.
    #[must_use]
    pub fn expected_version(self, of: impl Fn(&A::Command) -> Option<u64> + Send + Sync + 'static) -> Self {
        EventSourced { expected: Some(Arc::new(of)), ..self }
    }

    /// With these serdes for replies that are remembered or sent, in place of those that the types have.
    #[must_use]
    pub fn serdes(self, events: SerdeRef<A::Event>, refusals: SerdeRef<A::Refusal>) -> Self {
        EventSourced { events: Some(events), refusals: Some(refusals), ..self }
    }

    /// Nobody asks: there is no topic of answers.
    #[must_use]
    pub fn unasked(self) -> Self {
        EventSourced { answers: false, ..self }
    }

    /// How many partitions the topic of answers has: instances of the application read one each. Unless it is said, as many as
    /// the commands have.
    #[must_use]
    pub fn answer_partitions(self, partitions: u32) -> Self {
        EventSourced { answer_partitions: Some(partitions), ..self }
    }
}

/// What comes of commands: streams of events, refusals and replies, and the table of states. All of it is one step of one task.
pub struct Decisions<'b, A: Aggregate> {
    builder: &'b StreamsBuilder,
    step: StepId,
    name: NameId,
    sources: Sources,
    /// `None` where the plan has a fault.
    serdes: Option<DeciderSerdes<A>>,
    states: Table<'b, A::Key, A>,
}

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    /// Decides each command against the state of its key, and changes the state by the events that come of it.
    ///
    /// Reading the state, deciding, storing the state and handing on what was decided is one step: a command meets everything
    /// that was decided before it, on every log. That is what a join with a table of results cannot promise. Commands of a key
    /// are decided in their order; events, refusals and replies have the command's time, and come out in the order of the
    /// commands, events of one command in their own. A command without key or value is dropped and counted. If the key may have
    /// changed, the commands go through a repartition topic first.
    ///
    /// Besides its own data a command may carry, as headers, an id and the version that it is meant for: see
    /// [`headers`](crate::event_sourcing::headers). Events carry their version: 1, 2, 3 and so on for each key, without gaps.
    ///
    /// Stores a row per key, the state, as the options say: a `&Store` keeps it on disk, with a changelog, under its name; that
    /// changelog has the state alone. Beside it lie the versions, in `<store>-versions`, and for ten minutes of record time the
    /// replies to commands with an id, in `<store>-receipts`. Replies for [`App::ask`] go to the topic
    /// `<application>-<store>-answers`. Name the node with [`named`](Decisions::named).
    ///
    /// [`App::ask`]: https://docs.rs/tidemill/latest/tidemill/struct.App.html
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tidemill_dsl::serde::Data;
    /// # use tidemill_testkit::TestDriver;
    /// use tidemill_dsl::event_sourcing::{Aggregate, CommandContext, Commands};
    /// use tidemill_dsl::{Topic, state::Store, stream::StreamsBuilder};
    ///
    /// #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
    /// # #[data(crate = tidemill_dsl)]
    /// #[data(json)]
    /// struct Account(i64);
    ///
    /// impl Aggregate for Account {
    ///     type Key = String;
    ///     type Command = i64; // what to move
    ///     type Event = i64; // what was moved
    ///     type Refusal = String;
    ///
    ///     fn decide(&self, amount: &i64, _: &CommandContext<'_, String>) -> Result<Vec<i64>, String> {
    ///         if self.0 + amount >= 0 { Ok(vec![*amount]) } else { Err("insufficient funds".into()) }
    ///     }
    ///
    ///     fn evolve(&mut self, amount: &i64) {
    ///         self.0 += amount;
    ///     }
    /// }
    ///
    /// const OPERATIONS: Commands<Account> = Commands::of("operations");
    /// const MOVEMENTS: Topic<String, i64> = Topic::of("movements");
    /// const ACCOUNTS: Store<String, Account> = Store::of("accounts");
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream(&OPERATIONS).event_sourced(&ACCOUNTS).named("decide").events().to(&MOVEMENTS);
    ///
    /// let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&OPERATIONS).send("alice", 10).send("alice", 10).send("alice", -20).send("alice", -1);
    /// assert_eq!(driver.output(&MOVEMENTS).values(), [10, 10, -20]);
    /// assert_eq!(driver.store(&ACCOUNTS).get("alice"), Some(Account(0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn event_sourced<A>(&self, states: impl IntoMaterialized<A::Key, A>) -> Decisions<'b, A>
    where
        A: Aggregate<Key = K::Plain, Command = V::Plain>,
    {
        self.event_sourced_with(states, EventSourced::default())
    }

    /// As [`event_sourced`](Self::event_sourced), with options.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tidemill_dsl::{Topic, serde::Data, state::Store, stream::{EventSourced, StreamsBuilder}};
    /// # use tidemill_dsl::event_sourcing::{Aggregate, CommandContext};
    /// # use tidemill_testkit::TestDriver;
    /// /// A command with its id.
    /// #[derive(Clone, Debug, Serialize, Deserialize, Data)]
    /// # #[data(crate = tidemill_dsl)]
    /// #[data(json)]
    /// struct Add {
    ///     id: String,
    ///     what: i64,
    /// }
    /// # #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
    /// # #[data(json, crate = tidemill_dsl)]
    /// # struct Sum(i64);
    /// # impl Aggregate for Sum {
    /// #     type Key = String;
    /// #     type Command = Add;
    /// #     type Event = i64;
    /// #     type Refusal = String;
    /// #     fn decide(&self, add: &Add, _: &CommandContext<'_, String>) -> Result<Vec<i64>, String> { Ok(vec![add.what]) }
    /// #     fn evolve(&mut self, what: &i64) { self.0 += what; }
    /// # }
    /// const ADDS: Topic<String, Add> = Topic::of("adds");
    /// const SUMS: Store<String, Sum> = Store::of("sums");
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream(&ADDS).event_sourced_with(&SUMS, EventSourced::default().id(|add: &Add| Some(add.id.clone())));
    /// let mut driver = TestDriver::new(&builder.build()?);
    /// let add = Add { id: "c1".into(), what: 5 };
    /// driver.input(&ADDS).send("a", add.clone()).send("a", add); // sent again by a careful client
    /// assert_eq!(driver.store(&SUMS).get("a"), Some(Sum(5)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn event_sourced_with<A>(
        &self,
        states: impl IntoMaterialized<A::Key, A>,
        options: EventSourced<A>,
    ) -> Decisions<'b, A>
    where
        A: Aggregate<Key = K::Plain, Command = V::Plain>,
    {
        let grouped = self.group_by_key();
        let mut materialized = states.into_materialized();
        materialized.key = materialized.key.or_else(|| grouped.plain_key_serde());
        let mut plan = self.builder.plan();
        let names = DeciderNames::of(&mut plan, materialized.name.as_deref());
        let serdes = DeciderSerdes::of(&mut plan, &materialized, &options);
        let (known, beside) = ((materialized.key.clone(), materialized.value.clone()), materialized.beside());
        let (kept, spec) = plan_store(&mut plan, names.store, materialized, true);
        drop(plan);
        let (parent, sources) = grouped.placed(names.store);
        let mut plan = self.builder.plan();
        let (answers, partitions) = (options.answers, options.answer_partitions);
        let states = Row::stored(kept, &plan);
        let step = self.plan_decider(&mut plan, (parent, names), serdes.clone(), (states, beside), options);
        let kept_step = plan_keeper::<A>(&mut plan, (step, names), (kept, spec));
        if answers {
            plan_answers::<A>(&mut plan, (step, names), serdes.clone(), partitions);
        }
        drop(plan);
        let states = Table::stored(self.builder, kept_step, sources.clone(), kept).with_serdes(known);
        Decisions { builder: self.builder, step, name: names.node, sources, serdes, states }
    }

    /// Plans the node that decides, with what it keeps besides the states.
    fn plan_decider<A>(
        &self,
        plan: &mut Plan,
        (parent, names): (StepId, DeciderNames),
        serdes: Option<DeciderSerdes<A>>,
        (states, beside): (Row<A::Key, A>, Beside),
        options: EventSourced<A>,
    ) -> StepId
    where
        A: Aggregate<Key = K::Plain, Command = V::Plain>,
    {
        let sides = self.sides.clone();
        plan.add(names.node, &[parent], move |plan, builder| {
            // Without serdes the plan has a fault already.
            let Some(DeciderSerdes { keys, replies, .. }) = serdes else { return };
            let [node, store, versions, receipts] =
                [names.node, names.store, names.versions, names.receipts].map(|id| plan.name(id));
            let remember = millis(options.remember);
            if remember == 0 {
                let reason = "it is to remember commands for less than a millisecond: give it a longer time".into();
                builder.faults.push(Fault::Setting { node: node.clone(), reason });
            }
            if K::NULLABLE || keys.name() == "void" {
                builder.unkeyed.push(node.clone());
            }
            let numbers = Store::<A::Key, u64>::new(&*versions, keys.clone(), SerdeRef::of());
            let specs = [StoreSpec::plain(&numbers), receipts_spec(remember, &receipts)];
            let (states, parent, stores) = (states.reader(plan), plan.node(parent), [&*store, &versions, &receipts]);
            let opened = (versions.clone(), receipts.clone());
            builder.add_operator_with::<StreamOf<K, V>, DecidedOf<A>, _>(&node, &[&parent], &stores, move |wiring| {
                Decide {
                    states: states(wiring),
                    versions: wiring.store(&opened.0),
                    receipts: wiring.store(&opened.1),
                    time: wiring.add_time(),
                    remember,
                    keys,
                    replies,
                    id: options.id,
                    expected: options.expected,
                }
            });
            for spec in specs {
                builder.add_state_store(beside.for_nobody_else().keep(spec), &[&node]);
            }
            sides.add_to(&node, builder);
        })
    }
}

/// The edge by which decided commands go on.
type DecidedOf<A> = StreamOf<<A as Aggregate>::Key, Decided<A>>;

/// What the nodes, stores and topics of an `event_sourced` are called.
#[derive(Clone, Copy)]
struct DeciderNames {
    node: NameId,
    store: NameId,
    versions: NameId,
    receipts: NameId,
    answers: NameId,
}

impl DeciderNames {
    fn of(plan: &mut Plan, store: Option<&str>) -> Self {
        let store = match store {
            Some(name) => plan.names.fixed(name),
            None => plan.names.numbered("KSTREAM-EVENT-SOURCED-STATE-STORE-"),
        };
        let node = plan.names.numbered("KSTREAM-EVENT-SOURCED-");
        let [versions, receipts, answers] =
            ["-versions", "-receipts", "-answers"].map(|ending| plan.names.joined(store, ending));
        DeciderNames { node, store, versions, receipts, answers }
    }
}

/// How keys and what comes of commands are written.
struct DeciderSerdes<A: Aggregate> {
    keys: SerdeRef<A::Key>,
    events: SerdeRef<A::Event>,
    replies: ReplySerde<A::Event, A::Refusal>,
}

impl<A: Aggregate> Clone for DeciderSerdes<A> {
    fn clone(&self) -> Self {
        DeciderSerdes { keys: self.keys.clone(), events: self.events.clone(), replies: self.replies.clone() }
    }
}

impl<A: Aggregate> DeciderSerdes<A> {
    /// Those that are known, or the types' own; without one the plan gets a fault.
    fn of(plan: &mut Plan, states: &Materialized<A::Key, A>, options: &EventSourced<A>) -> Option<Self> {
        let keys = serde_for(plan, states.key.clone(), "key of `event_sourced`");
        let events = serde_for(plan, options.events.clone(), "event of `event_sourced`");
        let rules = serde_for(plan, options.refusals.clone(), "refusal of `event_sourced`");
        let (keys, events) = (keys?, events?);
        Some(DeciderSerdes { keys, replies: ReplySerde::new(events.clone(), rules?), events })
    }
}

/// The store of remembered replies, in milliseconds.
fn receipts_spec(remember: i64, store: &str) -> StoreSpec {
    // A command that is as late as can be looks back as far again, and a row as old as the retention cannot be read any more.
    let retention = remember.saturating_mul(2).saturating_add(1);
    let keeping = WindowKeeping { retention, ends: WindowEnds::Size(remember), duplicates: None, closing: false };
    let store = WindowStore::<Vec<u8>, Vec<u8>>::new(store, SerdeRef::of(), SerdeRef::of());
    StoreSpec::windowed(&store, RowFormat::Plain, keeping)
}

/// Plans the node that keeps the states, the first one below the one that decides.
fn plan_keeper<A: Aggregate>(
    plan: &mut Plan,
    (decider, names): (StepId, DeciderNames),
    (kept, spec): (StoreId, MakeSpec),
) -> StepId {
    let keeper = plan.names.numbered("KTABLE-STATES-");
    plan.add(keeper, &[decider], move |plan, builder| {
        let (node, parent, store) = (plan.name(keeper), plan.node(decider), plan.name(names.store));
        let (opened, sends_old) = (store.clone(), plan.sends_old(kept));
        builder.add_operator_with::<DecidedOf<A>, TableOf<A::Key, A>, _>(&node, &[&parent], &[&store], move |wiring| {
            KeepState { states: wiring.table_rows(&opened, sends_old) }
        });
        builder.add_state_store(spec(&store), &[&node]);
    })
}

/// Plans the node that sends replies to those who asked, and its topic.
fn plan_answers<A: Aggregate>(
    plan: &mut Plan,
    (decider, names): (StepId, DeciderNames),
    serdes: Option<DeciderSerdes<A>>,
    partitions: Option<u32>,
) {
    let (answerer, sink) = (plan.names.numbered("KSTREAM-ANSWERS-"), plan.names.numbered("KSTREAM-SINK-"));
    plan.add(answerer, &[decider], move |plan, builder| {
        let Some(DeciderSerdes { replies, .. }) = serdes else { return };
        let [node, answerer, sink, topic] = [names.node, answerer, sink, names.answers].map(|id| plan.name(id));
        type Out<A> = StreamOf<AnswerKey, Reply<<A as Aggregate>::Event, <A as Aggregate>::Refusal>>;
        builder.add_operator::<DecidedOf<A>, Out<A>>(&answerer, &[&node], Answers::<A>(PhantomData));
        let to = Sink::internal(&topic, &SerdeRef::new(AnswerKeySerde), &SerdeRef::new(replies.clone()));
        builder.add_sink(&sink, &[&answerer], to.partitioner(to_their_partition));
        builder.answering.push(Answering { node, topic, partitions, replies: Arc::new(replies) });
    });
}

impl<'b, A: Aggregate> Decisions<'b, A> {
    /// Gives the node that decides a name of its own. Stores and topics are called after the store of states.
    pub fn named(self, name: &str) -> Self {
        self.builder.plan().names.give(self.name, name);
        self
    }

    /// What happened: the events, each with its version in the header
    /// [`EVENT_VERSION`](crate::event_sourcing::headers::EVENT_VERSION).
    pub fn events(&self) -> Stream<'b, A::Key, A::Event> {
        let serde = self.serdes.as_ref().map(|serdes| serdes.events.clone());
        self.outcome("KSTREAM-EVENTS-", Events::<A>(PhantomData), serde)
    }

    /// Commands that were refused, and why. A command that repeats a refused one is not refused again.
    pub fn refusals(&self) -> Stream<'b, A::Key, Refusal<A::Refusal>> {
        self.outcome("KSTREAM-REFUSALS-", Refusals::<A>(PhantomData), None)
    }

    /// The reply to every command, also to one that repeats another: that gets the first one's.
    pub fn replies(&self) -> Stream<'b, A::Key, Reply<A::Event, A::Refusal>> {
        let serde = self.serdes.as_ref().map(|serdes| SerdeRef::new(serdes.replies.clone()));
        self.outcome("KSTREAM-REPLIES-", Replies::<A>(PhantomData), serde)
    }

    /// The state of each key after the last event.
    pub fn states(&self) -> Table<'b, A::Key, A> {
        self.states.clone()
    }

    fn outcome<V: Data>(
        &self,
        prefix: &str,
        operator: impl Operator<StreamOf<A::Key, Decided<A>>, StreamOf<A::Key, V>>,
        serde: Option<SerdeRef<V>>,
    ) -> Stream<'b, A::Key, V> {
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered(prefix));
        let step = plan.add(name, &[parent], move |plan, builder| {
            builder.add_operator(&plan.name(name), &[&plan.node(parent)], operator);
        });
        drop(plan);
        Stream::new(
            self.builder,
            step,
            self.sources.clone(),
            (self.serdes.as_ref().map(|serdes| serdes.keys.clone()), serde),
        )
    }
}
