//! `suppress`: lets a table's changes wait.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::{Demand, OldRows, Table};
use crate::operator::{BufferTime, Suppress, SuppressedRow, WhenFull};
use crate::processor::TableOf;
use crate::serde::Data;
use crate::state::{BufferState, Changelog, StoreSpec};
use crate::stream::stream_type::serde_for;
use crate::window::{Windowed, millis};

/// How many changes of rows may wait, and what is done with more. `Full` says whether rows may leave early:
/// [`Strict`] ones may not, [`Eager`] ones may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer<Full> {
    records: u64,
    bytes: u64,
    /// So many rows stay in memory; more of them may lie on disk.
    in_memory: Option<usize>,
    full: PhantomData<Full>,
}

/// Rows leave when their time has come, and never earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strict {}

/// Rows that have waited longest leave early when there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eager {}

/// A limit of a buffer, of which it is not said yet what happens behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferLimit {
    records: u64,
    bytes: u64,
}

impl Buffer<Strict> {
    /// Any number of rows, in memory.
    pub const fn unbounded() -> Self {
        Buffer { records: u64::MAX, bytes: u64::MAX, in_memory: None, full: PhantomData }
    }

    /// Any number of rows, of which no more than about so many stay in memory; the others lie on disk until they leave. So a
    /// burst costs time, and neither memory nor the task.
    pub const fn spilling(rows_in_memory: usize) -> Self {
        Buffer { in_memory: Some(rows_in_memory), ..Buffer::unbounded() }
    }

    /// At most so many rows.
    pub const fn records(records: u64) -> BufferLimit {
        BufferLimit { records, bytes: u64::MAX }
    }

    /// At most so many bytes, counted as Kafka Streams counts them: values, key, and 28 bytes and the topic's name and headers
    /// of the record that made the change.
    pub const fn bytes(bytes: u64) -> BufferLimit {
        BufferLimit { records: u64::MAX, bytes }
    }
}

impl BufferLimit {
    /// At most so many bytes besides.
    #[must_use]
    pub const fn and_bytes(self, bytes: u64) -> Self {
        BufferLimit { bytes, ..self }
    }

    /// Lets the rows that have waited longest leave early when there are more.
    pub const fn emit_early(self) -> Buffer<Eager> {
        Buffer { records: self.records, bytes: self.bytes, in_memory: None, full: PhantomData }
    }

    /// Fails the task when there are more.
    pub const fn fail_when_full(self) -> Buffer<Strict> {
        Buffer { records: self.records, bytes: self.bytes, in_memory: None, full: PhantomData }
    }
}

/// How long changes of a table wait, and where.
pub struct Suppressed<K> {
    wait: Wait<K>,
    when_full: WhenFull,
    records: u64,
    bytes: u64,
    in_memory: Option<usize>,
    logged: bool,
}

enum Wait<K> {
    /// From the first change of a row on, so long.
    For(i64),
    /// Until the row's window is closed; the function gives its end.
    WindowClose(BufferTime<K>),
}

impl<K> Suppressed<Windowed<K>> {
    /// Until the row's window is closed: one result for each window, and none for a deleted row.
    ///
    /// A window is closed when the greatest time of a change that `suppress` has seen reaches the window's end and grace; of
    /// sessions, end, gap and grace.
    pub fn until_window_closes(buffer: Buffer<Strict>) -> Self {
        let end: BufferTime<Windowed<K>> = Arc::new(|key: &Windowed<K>, _| key.window.end);
        Suppressed::new(Wait::WindowClose(end), WhenFull::Fail, buffer)
    }
}

impl<K> Suppressed<K> {
    /// For so long after the first change of a row that waits, in record time. A deleted row is a change like any other.
    pub fn until_time_limit<Full: 'static>(limit: Duration, buffer: Buffer<Full>) -> Self {
        let eager = std::any::TypeId::of::<Full>() == std::any::TypeId::of::<Eager>();
        let when_full = if eager { WhenFull::Emit } else { WhenFull::Fail };
        Suppressed::new(Wait::For(millis(limit)), when_full, buffer)
    }

    fn new<Full>(wait: Wait<K>, when_full: WhenFull, buffer: Buffer<Full>) -> Self {
        let Buffer { records, bytes, in_memory, .. } = buffer;
        Suppressed { wait, when_full, records, bytes, in_memory, logged: true }
    }

    /// Keeps no changelog of what waits: it is lost with the process.
    #[must_use]
    pub fn without_changelog(self) -> Self {
        Suppressed { logged: false, ..self }
    }
}

impl<'b, K, V> Table<'b, K, V>
where
    K: Data<Plain = K>,
    V: Data<Plain = V> + Clone,
{
    /// Lets changes wait, so that only the last one of a row comes out: when the row's window is closed, or some time after
    /// the first change.
    ///
    /// Nothing comes out but when a change comes in: by its time, not by the clock. What is due comes in the order of the time
    /// from which it waits (a window's end; the time of the first change), then of the keys' bytes, with the time and the
    /// headers of the last change. What waits is kept in memory, with a changelog. Name node and buffer with
    /// [`named`](Self::named).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::stream::{Buffer, Suppressed};
    /// use tidemill_dsl::window::Tumbling;
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream(&IN)
    ///     .group_by_key()
    ///     .windowed_by(Tumbling::of(Duration::from_secs(1)))
    ///     .count()
    ///     .suppress(Suppressed::until_window_closes(Buffer::unbounded()))
    ///     .to_stream()
    ///     .map(|row, count| (row.to_string(), *count))
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// for time in [100, 900, 1_000] {
    ///     driver.input(&IN).at(time).send("a", 7);
    /// }
    /// assert_eq!(driver.output(&OUT).key_values(), [("a@0-1000".into(), 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn suppress(&self, suppressed: Suppressed<K>) -> Table<'b, K, V> {
        // Those below know a row as it was before the first change that waits.
        self.want_old(Demand::Force);
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered_if_needed("KTABLE-SUPPRESS-"));
        let store = plan.names.derived_if_needed(name, "-store", "KTABLE-SUPPRESS-STATE-STORE-");
        plan.persistent.push(store);
        let kept = plan.add_store(store, true);
        let key = serde_for(&mut plan, self.serdes.0.clone(), "key of a buffer of `suppress`");
        let value = serde_for(&mut plan, self.serdes.1.clone(), "value of a buffer of `suppress`");
        let Suppressed { wait, when_full, records, bytes, in_memory, logged } = suppressed;
        let mut fault: Option<String> = None;
        let (buffer_time, wait, drops_deleted): (BufferTime<K>, _, _) = match wait {
            Wait::For(limit) => (Arc::new(|_: &K, time| time), limit, false),
            Wait::WindowClose(end) => {
                let grace = plan.grace_above(parent);
                let reason = "it is to wait until they are closed, and no windowed aggregation is above it: use \
                              `until_time_limit`, or suppress the table of such an aggregation";
                fault = grace.is_none().then(|| reason.into());
                (end, grace.unwrap_or(0), true)
            }
        };
        let serdes = (key.clone(), value.clone());
        let step = plan.add(name, &[parent], move |plan, builder| {
            // Without serdes the plan has a fault already.
            let Some(serdes) = key.zip(value) else { return };
            let (name, store) = (plan.name(name), plan.name(store));
            let opened = store.clone();
            builder.add_operator_with::<TableOf<K, V>, TableOf<K, V>, _>(
                &name,
                &[&plan.node(parent)],
                &[&store],
                move |wiring| {
                    let (store, time) = (wiring.store(&opened), wiring.add_time());
                    let (records_max, bytes_max) = (records, bytes);
                    Suppress { store, time, buffer_time, wait, drops_deleted, records_max, bytes_max, when_full }
                },
            );
            let spec = StoreSpec::buffer(&store, serdes, bytes != u64::MAX);
            let spec = if logged { spec } else { spec.changelog(Changelog::Off) };
            let spec = match in_memory {
                Some(rows) => spec.rows_in_memory(rows),
                None => spec.in_memory(),
            };
            builder.add_state_store(spec, &[&name]);
        });
        plan.windows_cannot_be(step, fault);
        if self.row.retention().is_some() {
            plan.versions_before_suppress.push(step);
        }
        drop(plan);
        let row = self.row.computed_over(kept, |above, wiring, store| SuppressedRow {
            above,
            store: wiring.store::<BufferState<K, V>>(store),
        });
        let old_rows = OldRows::computed(&self.old_rows);
        Table::new(self.builder, step, self.sources.clone(), (row, old_rows)).with_serdes(serdes)
    }
}
