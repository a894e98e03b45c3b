//! Answers "can I assume ...?" about a topology, for every order of things that a backend permits.
//!
//! A test driver runs a topology once. A cluster runs it in any order that its promises allow: a record that is sent may
//! arrive late, a fetch may bring this or that, a commit may come between any two records. [`Explorer`] goes through all of
//! these orders with a few scripted records, by the very task that applications run, and says whether what you assume
//! [holds](Verdict::Holds) in all of them. If not, it [tells](Verdict::Fails) the story with the fewest surprises in which it
//! does not.
//!
//! ```
//! use tidemill::prelude::*;
//! use tidemill_testkit::explorer::{Explorer, Kafka};
//!
//! const DEPOSITS: Topic<String, i64> = Topic::of("deposits");
//! const BALANCES: Topic<String, i64> = Topic::of("balances");
//! const ACCOUNTS: Store<String, i64> = Store::of("accounts");
//!
//! let builder = StreamsBuilder::new();
//! let accounts = builder.stream(&DEPOSITS).group_by_key().reduce_with(&ACCOUNTS, |sum, amount| sum + amount);
//! accounts.to_stream().map_values(|sum| sum.unwrap_or(0)).to(&BALANCES);
//!
//! Explorer::new(&builder.build()?)
//!     .on(Kafka::exactly_once())
//!     .crashes(1)
//!     .input(&DEPOSITS, [("alice", 10), ("alice", 20)])
//!     .never_output(&BALANCES, |_, balance| *balance > 30)
//!     .refines_crash_free()
//!     .explore()
//!     .assert_holds();
//! # Ok::<(), TopologyErrors>(())
//! ```
//!
//! Small scripts suffice for most mistakes, and three to six records are explored in seconds: the number of orders grows
//! with each record by a factor. Look at [`Report::states`].

mod accept;
mod backend;
mod cancel;
mod chance;
mod disk;
mod event;
mod frozen_log;
mod images;
mod look;
mod machine;
mod model;
mod outcome;
mod part;
mod picture;
mod property;
mod report;
mod search;
mod shrink;
mod step;
mod story;
mod token;
mod world;

use std::sync::Arc;

use tidemill::Topic;
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition, partition_of_record};
use tidemill::serde::Data;
use tidemill::topology::{TaskSettings, Topology};

use backend::{Budgets, axioms};
use machine::Machine;
use model::{Counts, Model, Parts, Records};
use property::{First, Kind, Property, no_memory};
use search::{Found, Search, Seen, Watch, not_refining};
use token::Token;

pub use accept::{RealRun, Unexplained};
pub use backend::{Axiom, Backend, Guarantee, Kafka};
pub use cancel::Cancel;
pub use look::Look;
pub use property::{Confluence, Moment};
pub use report::{End, Order, Report, Verdict};
pub use story::{Story, StoryStep};
pub use token::TokenError;

/// How many states are looked at where nothing is said.
const STATES: usize = 2_000_000;

/// Explores a topology: see the [module](self).
///
/// What is not said: Apache Kafka with exactly-once and idling, one partition for each topic, a thread for each task, no
/// crashes, no rebalances, a wall clock that stands.
#[derive(Clone)]
pub struct Explorer {
    topology: Topology,
    settings: TaskSettings,
    backend: Backend,
    counts: Counts,
    one_thread: bool,
    reduces: bool,
    budgets: Budgets,
    script: Records,
    given: Records,
    /// The time of the next record.
    time: i64,
    properties: Vec<Property>,
    states_max: usize,
    progress: Arc<dyn Fn(usize, usize)>,
    cancel: Cancel,
}

impl Explorer {
    /// An explorer of a topology.
    pub fn new(topology: &Topology) -> Self {
        Explorer {
            topology: topology.clone(),
            settings: TaskSettings::default(),
            backend: Kafka::exactly_once().into(),
            counts: Counts::default(),
            one_thread: false,
            reduces: true,
            budgets: Budgets::default(),
            script: Records::new(),
            given: Records::new(),
            time: 1,
            properties: vec![Property { name: "no task fails".into(), kind: Kind::NoFailure }],
            states_max: STATES,
            progress: Arc::new(|_, _| {}),
            cancel: Cancel::default(),
        }
    }

    /// Where it runs.
    #[must_use]
    pub fn on(self, backend: impl Into<Backend>) -> Self {
        Explorer { backend: backend.into(), ..self }
    }

    /// Gives a topic this number of partitions. Say it before its records.
    ///
    /// # Panics
    ///
    /// When records of the topic were given already.
    #[must_use]
    pub fn partitions<K, V>(mut self, topic: &Topic<K, V>, partitions: u32) -> Self {
        let name = topic.name();
        let given = self.script.keys().chain(self.given.keys()).any(|to| *to.topic == *name);
        assert!(!given, "say how many partitions `{name}` has before you give it records");
        self.counts.0.insert(name.into(), partitions);
        self
    }

    /// Lets one thread run all tasks, so that they commit together; otherwise each has its own.
    #[must_use]
    pub fn one_thread(self) -> Self {
        Explorer { one_thread: true, ..self }
    }

    /// Takes every step that is possible, also those of which it was proved that nobody can tell them apart: fetches behind
    /// records that wait, arrivals that nobody reads, commits that nobody sees. The answers are the same, and it takes many
    /// times as long: it is there to check that.
    #[must_use]
    pub fn without_reductions(self) -> Self {
        Explorer { reduces: false, ..self }
    }

    /// Sets how tasks work: changelogs, caches, error handlers.
    #[must_use]
    pub fn settings(self, settings: TaskSettings) -> Self {
        Explorer { settings, ..self }
    }

    /// How many times a process may crash, at any moment.
    #[must_use]
    pub fn crashes(mut self, crashes: u8) -> Self {
        self.budgets.crashes = crashes;
        self
    }

    /// How many times tasks may move to another member at any moment, while the one that had them goes on for a time. The
    /// embedded log has no other members.
    #[must_use]
    pub fn rebalances(mut self, rebalances: u8) -> Self {
        self.budgets.rebalances = rebalances;
        self
    }

    /// How many wall-clock timers may fire, at any moment.
    #[must_use]
    pub fn ticks(mut self, ticks: u8) -> Self {
        self.budgets.ticks = ticks;
        self
    }

    /// How many different worlds are looked at, at most; 2,000,000 where nothing is said. A search that gets there goes some
    /// runs at random, to see something of what it did not get to, and says [`Bounded`](Verdict::Bounded).
    #[must_use]
    pub fn states_max(self, states: usize) -> Self {
        Explorer { states_max: states, ..self }
    }

    /// Lets another thread, or a handler of Ctrl-C, end the search: what it has not refuted by then is
    /// [`Bounded`](Verdict::Bounded).
    #[must_use]
    pub fn cancel(self, cancel: &Cancel) -> Self {
        Explorer { cancel: cancel.clone(), ..self }
    }

    /// Is told now and then how many worlds were looked at, and how many wait.
    #[must_use]
    pub fn progress(self, progress: impl Fn(usize, usize) + 'static) -> Self {
        Explorer { progress: Arc::new(progress), ..self }
    }

    /// Sends these records, in their order, at any moments: each a millisecond after the one that was given before.
    #[must_use]
    pub fn input<K: Data, V: Data>(
        mut self,
        topic: &Topic<K, V>,
        records: impl IntoIterator<Item = (impl Into<K>, impl Into<V>)>,
    ) -> Self {
        for (key, value) in records {
            let time = self.time;
            self = self.input_at(topic, time, key, value);
        }
        self
    }

    /// Sends a record of this time, in milliseconds, behind those of its topic that were given before.
    ///
    /// # Panics
    ///
    /// When the topic's serdes refuse it.
    #[must_use]
    pub fn input_at<K: Data, V: Data>(
        mut self,
        topic: &Topic<K, V>,
        time: i64,
        key: impl Into<K>,
        value: impl Into<V>,
    ) -> Self {
        let (to, record) = self.record(topic, time, (&key.into(), &value.into()));
        self.script.entry(to).or_default().push(record);
        self
    }

    /// Sends a record as bytes, behind those of its topic that were given before.
    #[must_use]
    pub fn input_raw(
        mut self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Self {
        let (to, record) = self.raw(topic, (key, value), timestamp, headers);
        self.script.entry(to).or_default().push(record);
        self
    }

    /// Records that lie in a topic before anything starts.
    #[must_use]
    pub fn given<K: Data, V: Data>(
        mut self,
        topic: &Topic<K, V>,
        records: impl IntoIterator<Item = (impl Into<K>, impl Into<V>)>,
    ) -> Self {
        for (key, value) in records {
            let time = self.time;
            let (to, record) = self.record(topic, time, (&key.into(), &value.into()));
            self.given.entry(to).or_default().push(record);
        }
        self
    }

    fn record<K: Data, V: Data>(
        &mut self,
        topic: &Topic<K, V>,
        time: i64,
        (key, value): (&K, &V),
    ) -> (TopicPartition, Arc<tidemill::record::Batch>) {
        let refused = |error| panic!("a record for topic `{}` cannot be written: {error}", topic.name());
        let key = topic.key_serde().to_nullable_bytes(key).unwrap_or_else(refused);
        let refused = |error| panic!("a record for topic `{}` cannot be written: {error}", topic.name());
        let value = topic.value_serde().to_nullable_bytes(value).unwrap_or_else(refused);
        self.raw(topic.name(), (key.as_deref(), value.as_deref()), Timestamp::from_millis(time), &Headers::NONE)
    }

    fn raw(
        &mut self,
        topic: &str,
        (key, value): (Option<&[u8]>, Option<&[u8]>),
        time: Timestamp,
        headers: &Headers,
    ) -> (TopicPartition, Arc<tidemill::record::Batch>) {
        self.time = self.time.max(time.as_millis()) + 1;
        let count = self.counts.0.get(topic).copied().unwrap_or(1);
        let partition = partition_of_record(key, value, count);
        let mut builder = BatchBuilder::default();
        builder.push(time, key, value, headers);
        (TopicPartition::new(topic, partition), Arc::new(builder.finish(Offset::ZERO)))
    }

    fn ask(mut self, name: impl Into<String>, kind: Kind) -> Self {
        self.properties.push(Property { name: name.into(), kind });
        self
    }

    /// No record like that can ever be read from a topic. The question's name is `never TOPIC`.
    #[must_use]
    pub fn never_output<K: Data, V: Data>(
        self,
        topic: &Topic<K, V>,
        is_bad: impl Fn(&K, &V) -> bool + 'static,
    ) -> Self {
        let typed = topic.clone();
        let is_bad = Arc::new(move |record: &tidemill::record::StoredRecord<'_>| {
            let (key, value) = look::read(&typed, record);
            is_bad(&key, &value)
        });
        self.ask(format!("never {}", topic.name()), Kind::NeverOutput { topic: topic.name().into(), is_bad })
    }

    /// Something is so in every world.
    #[must_use]
    pub fn always(self, name: &str, holds: impl Fn(&mut Look<'_, '_>) -> bool + 'static) -> Self {
        self.ask(name, Kind::Always(Arc::new(holds)))
    }

    /// Something is so whenever a record of a topic is about to be processed.
    #[must_use]
    pub fn before<K: Data, V: Data>(
        self,
        topic: &Topic<K, V>,
        name: &str,
        holds: impl Fn((&K, &V), &mut Look<'_, '_>) -> bool + 'static,
    ) -> Self {
        let typed = topic.clone();
        let holds = Arc::new(move |record: &tidemill::record::StoredRecord<'_>, look: &mut Look<'_, '_>| {
            let (key, value) = look::read(&typed, record);
            holds((&key, &value), look)
        });
        self.ask(name, Kind::Before { topic: topic.name().into(), holds })
    }

    /// Something is so in some world: that the script gets there at all. What never happens makes a property that speaks of it
    /// worthless.
    #[must_use]
    pub fn sometimes(self, name: &str, holds: impl Fn(&mut Look<'_, '_>) -> bool + 'static) -> Self {
        self.ask(name, Kind::Sometimes(Arc::new(holds)))
    }

    /// Something is so whenever nothing is left to do.
    #[must_use]
    pub fn at_quiescence(self, name: &str, holds: impl Fn(&mut Look<'_, '_>) -> bool + 'static) -> Self {
        self.ask(name, Kind::AtQuiescence(Arc::new(holds)))
    }

    /// All runs end with the same records in a topic. The question's name is `confluent TOPIC`.
    #[must_use]
    pub fn confluent<K: Data, V: Data>(self, topic: &Topic<K, V>, how: Confluence) -> Self {
        self.ask(format!("confluent {}", topic.name()), Kind::Confluent { topic: topic.name().into(), how })
    }

    /// Asks which of two moments comes first.
    #[must_use]
    pub fn order(self, name: &str, one: Moment, other: Moment) -> Self {
        self.ask(name, Kind::Order([one, other]))
    }

    /// Every way in which runs end with crashes and rebalances is one in which they end without: exactly-once, and needs
    /// nothing of you. With at-least-once: they end with every record that some run without them has. The question's name is
    /// `refines crash-free`.
    #[must_use]
    pub fn refines_crash_free(self) -> Self {
        self.ask("refines crash-free", Kind::RefinesCrashFree)
    }

    fn model(&self, budgets: Budgets) -> Model {
        let on_the_way = |property: &Property| {
            matches!(property.kind, Kind::Always(_) | Kind::Before { .. } | Kind::Sometimes(_) | Kind::Order(_))
        };
        Model::new(Parts {
            topology: &self.topology,
            settings: &self.settings,
            counts: &self.counts,
            rules: self.backend.rules(),
            budgets,
            one_thread: self.one_thread,
            reduces: self.reduces,
            looks_on_the_way: self.properties.iter().any(on_the_way),
            script: &self.script,
            given: &self.given,
        })
    }

    fn search(&self, model: &Model, properties: &[Property]) -> Found {
        Search::new(Machine::new(model), properties, self.watch()).run()
    }

    fn watch(&self) -> Watch<'_> {
        Watch { states_max: self.states_max, progress: &*self.progress, cancel: &self.cancel }
    }

    /// Goes through all runs.
    ///
    /// # Panics
    ///
    /// When the topology does not fit the topics, or has a processor that keeps state in its fields and cannot copy it; when
    /// a record is not of a topic's types.
    pub fn explore(&self) -> Report {
        let model = self.model(self.budgets);
        let mut found = self.search(&model, &self.properties);
        let refining = self.properties.iter().position(|property| matches!(property.kind, Kind::RefinesCrashFree));
        if let Some(refining) = refining {
            let calm = self.model(Budgets { crashes: 0, rebalances: 0, ..self.budgets });
            let without = self.search(&calm, &[]);
            found.complete &= without.complete;
            // Of a calm search that was cut off some ends are not known: an end with faults may be one of those.
            if without.complete {
                let way = not_refining(self.backend.guarantee(), &found.outcomes, &without.outcomes);
                found.answers[refining].way = way.map(|way| ((0, 0), way));
            }
        }
        let mut report = self.report(&model, found);
        for ((_, verdict), property) in report.answers.iter_mut().zip(&self.properties) {
            if let Verdict::Fails(story) = verdict
                && let Some(shorter) = self.shrunk(property)
            {
                *story = shorter;
            }
        }
        report
    }

    /// Goes so many runs at random, each to its end, for what is too big to be explored: many records, several partitions,
    /// many faults. The same seed gives the same runs; the next seed begins with the second run of this one. Nothing
    /// [holds](Verdict::Holds) by it: what does not fail is [`Bounded`](Verdict::Bounded).
    ///
    /// # Panics
    ///
    /// As [`explore`](Self::explore), and when it was asked whether [crashes are refined](Self::refines_crash_free), which
    /// takes all runs: ask what is so [at the end](Self::at_quiescence).
    pub fn sample(&self, seed: u64, runs: usize) -> Report {
        let refines = |property: &Property| matches!(property.kind, Kind::RefinesCrashFree);
        assert!(!self.properties.iter().any(refines), "some runs do not say how all of them end: ask `at_quiescence`");
        let model = self.model(self.budgets);
        let search = Search::new(Machine::new(&model), &self.properties, self.watch());
        let found = search.walk(seed, runs);
        self.report(&model, found)
    }

    fn report(&self, model: &Model, found: Found) -> Report {
        let answers = self.properties.iter().zip(&found.answers);
        let answers = answers
            .map(|(property, seen)| (property.name.clone(), self.verdict(model, property, seen, found.complete)));
        let end = |(outcome, way): &(outcome::Outcome, search::Way)| End {
            records: outcome.text(model),
            story: self.story(model, way),
        };
        Report {
            backend: self.backend,
            axioms: axioms(self.backend.rules(), self.budgets, model.has_globals()),
            states: found.states,
            transitions: found.transitions,
            complete: found.complete,
            surprises: found.surprises,
            sampled: found.sampled,
            answers: answers.collect(),
            ends: found.outcomes.iter().map(end).collect(),
        }
    }

    fn verdict(&self, model: &Model, property: &Property, seen: &Seen, complete: bool) -> Verdict {
        match (&property.kind, &seen.way) {
            (Kind::Sometimes(_), Some(_)) => Verdict::Holds,
            (Kind::Sometimes(_), None) if complete => Verdict::Vacuous,
            (Kind::Sometimes(_), None) => Verdict::Bounded,
            (Kind::Order(_), _) if complete => Verdict::Order(self.order_of(model, seen)),
            (Kind::Order(_), _) => Verdict::Bounded,
            (_, Some((_, way))) => Verdict::Fails(self.story(model, way)),
            (_, None) if !complete => Verdict::Bounded,
            (Kind::NeverOutput { .. } | Kind::Before { .. }, None) if !seen.asked => Verdict::Vacuous,
            (_, None) => Verdict::Holds,
        }
    }

    fn order_of(&self, model: &Model, seen: &Seen) -> Order {
        let way = |first| seen.orders.get(&First::Both { first }.byte());
        match (way(0), way(1)) {
            (Some(before), Some(after)) => {
                Order::Either { before: self.story(model, before), after: self.story(model, after) }
            }
            (Some(_), None) => Order::Before,
            (None, Some(_)) => Order::After,
            (None, None) => Order::NeverBoth,
        }
    }

    fn story(&self, model: &Model, way: &search::Way) -> Story {
        Story::of(model, |machine| machine.first(no_memory(&self.properties)), Token::of(way))
    }

    fn story_without(&self, left_out: &[usize], way: &search::Way) -> Story {
        let smaller = self.without(left_out);
        let model = smaller.model(smaller.budgets);
        let token = Token::of(way).without(left_out);
        Story::of(&model, |machine| machine.first(no_memory(&smaller.properties)), token)
    }

    /// Tells a story again: of the same topology, script and backend.
    ///
    /// # Errors
    ///
    /// For text that is no token.
    ///
    /// # Panics
    ///
    /// When the token belongs to something else.
    pub fn replay(&self, token: &str) -> Result<Story, TokenError> {
        let token: Token = token.parse()?;
        Ok(self.story_without(token.left_out(), token.way()))
    }
}
