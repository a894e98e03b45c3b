//! Runs one processor by itself.
//!
//! Rule: the processor runs in a real task, between a source and children that only keep what they get. So its stores, times,
//! timers and errors are those of an application.

mod slab;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::{
    FixedKeyProcessor, Flow, NodeContext, Nowhere, Operator, PartitionCounts, Processor, StreamOf, TimerView,
};
use tidemill::record::{BatchBuilder, Headers, Record, Timestamp, TopicName};
use tidemill::state::{Changelog, Descriptor, StoreSpec};
use tidemill::task::Task;
use tidemill::topology::{Source, TaskSettings, TaskSpec, Topology, TopologyBuilder};

use crate::DriverError;
use slab::Slab;

/// The processor's name among the nodes.
const NODE: &str = "processor";

/// A record that a processor forwarded.
#[derive(Clone, Debug, PartialEq)]
pub struct Forwarded<K, V> {
    /// The child that got it. What is forwarded to all children is here once for each.
    pub child: String,
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// The time.
    pub timestamp: Timestamp,
    /// The headers.
    pub headers: Headers,
}

/// What the children got, in the order in which they got it.
type Kept<K, V> = Arc<Mutex<Vec<Forwarded<K, V>>>>;

/// A child that keeps what it gets.
struct Keep<K, V> {
    child: String,
    kept: Kept<K, V>,
}

impl<K, V> Operator<StreamOf<K, V>, Nowhere> for Keep<K, V>
where
    K: Clone + Send + 'static,
    V: Clone + Send + 'static,
{
    fn process(&self, record: Record<'_, K, V>, _: &mut NodeContext<'_, Nowhere>) -> Flow {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(Forwarded {
            child: self.child.clone(),
            key: record.key.clone(),
            value: record.value.clone(),
            timestamp: record.timestamp,
            headers: record.headers.clone(),
        });
        Ok(())
    }
}

type AddProcessor = Box<dyn Fn(&mut TopologyBuilder)>;

/// Runs one processor by itself, as Kafka's `MockProcessorContext`: hands it records and times, and keeps what it forwards.
///
/// Settings come first, in a chain; the first record or time makes the processor begin.
///
/// ```
/// use std::time::Duration;
///
/// use tidemill::processor::PunctuationType::WallClock;
/// use tidemill::processor::{Context, Flow, Processor, SilentContext};
/// use tidemill::record::{Record, Timestamp};
/// use tidemill::state::{Store, StoreSpec};
/// use tidemill_testkit::MockContext;
///
/// const SEEN: Store<String, u64> = Store::of("seen");
///
/// /// Counts the records of a key, and forwards the counts once a minute.
/// struct PerMinute;
///
/// impl Processor<String, String, String, u64> for PerMinute {
///     fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
///         ctx.schedule("minute", Duration::from_secs(60), WallClock)
///     }
///
///     fn process(&mut self, record: Record<'_, String, String>, ctx: &mut Context<'_, String, u64>) -> Flow {
///         let mut seen = ctx.store(&SEEN)?;
///         let count = seen.get(record.key)?.unwrap_or(&0) + 1;
///         seen.put(record.key, count, record.timestamp)
///     }
///
///     fn punctuate(&mut self, _: &str, time: Timestamp, ctx: &mut Context<'_, String, u64>) -> Flow {
///         let mut rows = ctx.scan(&SEEN, ..)?;
///         while let Some((key, count)) = rows.next(ctx)? {
///             ctx.forward(Record::new(&key, &count, time))?;
///         }
///         Ok(())
///     }
/// }
///
/// let mut mock = MockContext::new(|| PerMinute).with_store(StoreSpec::plain(&SEEN));
/// mock.process("a", "first")?;
/// mock.process("a", "second")?;
/// assert!(mock.forwarded().is_empty());
/// assert_eq!(mock.store(&SEEN).get(&"a".to_string())?, Some(&2));
///
/// mock.advance_clock(Duration::from_secs(60))?;
/// assert_eq!(mock.key_values(), [("a".to_string(), 2)]);
/// # Ok::<(), tidemill::processor::ProcessError>(())
/// ```
pub struct MockContext<KIn, VIn, KOut, VOut> {
    add: AddProcessor,
    specs: Vec<StoreSpec>,
    children: Vec<String>,
    topic: String,
    partition: u32,
    keys: Slab<KIn>,
    values: Slab<VIn>,
    kept: Kept<KOut, VOut>,
    now: Timestamp,
    running: Option<Task>,
}

impl<KIn, VIn, KOut, VOut> MockContext<KIn, VIn, KOut, VOut>
where
    KIn: Clone + Send + 'static,
    VIn: Clone + Send + 'static,
    KOut: Clone + Send + 'static,
    VOut: Clone + Send + 'static,
{
    /// A processor with the stores that it brings along, in partition 0, with one child called `child`.
    pub fn new<P: Processor<KIn, VIn, KOut, VOut>>(supplier: impl Fn() -> P + Clone + Send + Sync + 'static) -> Self {
        MockContext::with(move |builder| {
            builder.add_processor(NODE, &["source"], supplier.clone());
        })
    }

    fn with(add: impl Fn(&mut TopologyBuilder) + 'static) -> Self {
        MockContext {
            add: Box::new(add),
            specs: Vec::new(),
            children: vec!["child".into()],
            topic: "mock".into(),
            partition: 0,
            keys: Slab::new(),
            values: Slab::new(),
            kept: Kept::default(),
            now: Timestamp::ZERO,
            running: None,
        }
    }

    /// Connects the processor to a store of its own.
    #[must_use]
    pub fn with_store(mut self, spec: StoreSpec) -> Self {
        self.specs.push(spec);
        self
    }

    /// Gives the processor these children, in this order, in place of the one called `child`.
    #[must_use]
    pub fn children(self, names: &[&str]) -> Self {
        MockContext { children: names.iter().map(|name| (*name).to_owned()).collect(), ..self }
    }

    /// Says where the records come from: what `ctx.address()` tells. Without this call it is partition 0 of `mock`.
    #[must_use]
    pub fn from(self, topic: &str, partition: u32) -> Self {
        MockContext { topic: topic.into(), partition, ..self }
    }

    /// Sets the clock before the processor begins; without this call it is 0.
    #[must_use]
    pub fn now(self, now: impl Into<Timestamp>) -> Self {
        MockContext { now: now.into(), ..self }
    }

    /// Lets the processor begin, if it has not: calls its `init`.
    pub fn begin(&mut self) -> Result<(), DriverError> {
        if self.running.is_none() {
            let mut task = self.make_task()?;
            task.state().set_now(self.now);
            task.begin()?;
            self.running = Some(task);
        }
        Ok(())
    }

    fn make_task(&self) -> Result<Task, DriverError> {
        let topology = self.topology()?;
        let spec = TaskSpec {
            subtopologies: &[0],
            partition: self.partition,
            application: "mock",
            topics: &[TopicName::from(self.topic.as_str())],
            counts: Arc::new(Partitions(self.partition + 1)),
            settings: TaskSettings { changelog: Changelog::Off, ..TaskSettings::default() },
            globals: topology.global_stores(),
            open_store: &mut |_| Ok(None),
        };
        Ok(Task::new(&topology, spec)?)
    }

    /// A source, the processor, and its children.
    fn topology(&self) -> Result<Topology, DriverError> {
        let mut builder = TopologyBuilder::new();
        builder.add_source("source", Source::topic(&Topic::new(&*self.topic, self.keys.serde(), self.values.serde())));
        (self.add)(&mut builder);
        for spec in &self.specs {
            builder.add_state_store(spec.clone(), &[NODE]);
        }
        for child in &self.children {
            let keep = Keep { child: child.clone(), kept: self.kept.clone() };
            builder.add_operator::<StreamOf<KOut, VOut>, Nowhere>(child, &[NODE], keep);
        }
        Ok(builder.build()?)
    }

    fn task(&mut self) -> Result<&mut Task, DriverError> {
        self.begin()?;
        Ok(self.running.as_mut().expect("begun in the line above"))
    }

    /// Hands the processor a record with the clock's time.
    pub fn process(&mut self, key: impl Into<KIn>, value: impl Into<VIn>) -> Result<(), DriverError> {
        let (key, value, now) = (key.into(), value.into(), self.now);
        self.process_record(Record::new(&key, &value, now))
    }

    /// Hands the processor a record, which moves the stream time on and fires the timers that this makes due. Offsets count
    /// from 0.
    pub fn process_record(&mut self, record: Record<'_, KIn, VIn>) -> Result<(), DriverError> {
        let (key, value) = (self.keys.keep(record.key.clone()), self.values.keep(record.value.clone()));
        let task = self.task()?;
        let mut batch = BatchBuilder::default();
        batch.push(record.timestamp, Some(&key), Some(&value), record.headers);
        task.enqueue(0, &Arc::new(batch.finish(task.fetch_position(0))))?;
        task.process()?;
        Ok(())
    }

    /// Moves the clock on, and fires the timers that this makes due, each once.
    pub fn advance_clock(&mut self, by: Duration) -> Result<(), DriverError> {
        self.begin()?;
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.now = Timestamp::from_millis(self.now.as_millis().saturating_add(millis));
        let now = self.now;
        let task = self.task()?;
        task.state().set_now(now);
        task.punctuate_wall_clock()?;
        Ok(())
    }

    /// Moves the stream time on without a record, and fires the timers that this makes due, each once.
    pub fn advance_stream_time(&mut self, to: impl Into<Timestamp>) -> Result<(), DriverError> {
        let task = self.task()?;
        task.state().advance_stream_time(to.into());
        task.punctuate_stream_time()?;
        Ok(())
    }

    /// The timers that are set, stream time first, by the time when they are due.
    pub fn timers(&mut self) -> Result<Vec<TimerView>, DriverError> {
        Ok(self.task()?.state().timers_set())
    }

    /// Takes what was forwarded since the last call, in order.
    pub fn forwarded(&mut self) -> Vec<Forwarded<KOut, VOut>> {
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// As [`forwarded`](Self::forwarded), keys and values only.
    pub fn key_values(&mut self) -> Vec<(KOut, VOut)> {
        self.forwarded().into_iter().map(|record| (record.key, record.value)).collect()
    }

    /// One of the processor's stores, to look into or to fill.
    ///
    /// # Panics
    ///
    /// When the processor has no store of this name, or one of other types, or cannot begin.
    pub fn store<D: Descriptor>(&mut self, store: &D) -> D::Access<'_> {
        let task = self.task().unwrap_or_else(|error| panic!("the processor cannot begin: {error}"));
        let opened = task.state().open(store).unwrap_or_else(|error| panic!("{error}"));
        opened.unwrap_or_else(|| panic!("the processor has no store `{}`: add it with `with_store`", store.name()))
    }

    /// Whether the processor asked for a commit since the last call.
    pub fn commit_requested(&mut self) -> Result<bool, DriverError> {
        let task = self.task()?;
        let requested = task.commit_requested();
        task.prepare_commit()?;
        Ok(requested)
    }
}

impl<K, VIn, VOut> MockContext<K, VIn, K, VOut>
where
    K: Clone + Send + 'static,
    VIn: Clone + Send + 'static,
    VOut: Clone + Send + 'static,
{
    /// As [`new`](Self::new), for a processor that cannot change the key.
    pub fn fixed_key<P: FixedKeyProcessor<K, VIn, VOut>>(
        supplier: impl Fn() -> P + Clone + Send + Sync + 'static,
    ) -> Self {
        MockContext::with(move |builder| {
            builder.add_fixed_key_processor(NODE, &["source"], supplier.clone());
        })
    }
}

/// The topic has partitions up to the processor's own.
struct Partitions(u32);

impl PartitionCounts for Partitions {
    fn partitions(&self, _topic: &str) -> Option<u32> {
        Some(self.0)
    }
}
