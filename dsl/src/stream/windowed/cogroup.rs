//! Several grouped streams folded into one table of windows.

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use super::{WindowKind, WindowedStream};
use crate::operator::{SessionAggregate, SlidingAggregate, WindowAggregate, Windowing};
use crate::processor::{Operator, ProcessError, StreamOf, TableOf};
use crate::serde::{Data, SerdeRef};
use crate::state::{KeyedRows, SessionKeeping, SessionState, StoreSpec, WindowKeeping, WindowState};
use crate::stream::cogroup::{FoldNode, Member, plan_members};
use crate::stream::stream_type::{KnownSerdes, check_builder, serde_for};
use crate::stream::{GroupedStream, IntoMaterialized, Materialized, Sessions, StreamsBuilder, Table, Windows};
use crate::topology::{StoreSlot, TopologyBuilder, Wiring};
use crate::window::{
    EmitStrategy, Session, SessionWindowed, Sliding, TimeWindowed, TimeWindows, WindowEnds, Windowed, millis,
};

/// Makes the first state of a row.
type Initial<A> = Arc<dyn Fn() -> A + Send + Sync>;

/// Adds the row of a session that is found to what was merged so far.
type Merge<K, A> = Arc<dyn Fn(&K, A, A) -> A + Send + Sync>;

/// What the folds into rows of sessions share.
pub struct MergeSessions<K, A> {
    initial: Initial<A>,
    merge: Merge<K, A>,
}

impl<K, A> Clone for MergeSessions<K, A> {
    fn clone(&self) -> Self {
        MergeSessions { initial: self.initial.clone(), merge: self.merge.clone() }
    }
}

/// A fold of a stream's records.
type Fold<K, V, A> = Arc<dyn Fn(A, &K, &V) -> Result<Option<A>, ProcessError> + Send + Sync>;

/// Kinds of windows that several streams can be folded in.
pub trait CogroupWindows: WindowKind + Clone + 'static {
    /// What the folds into one table share.
    #[doc(hidden)]
    type Shared<K: 'static, A: 'static>: Clone + Send + Sync + 'static;

    /// Adds the node that folds one of the streams.
    #[doc(hidden)]
    fn add_fold<K: Data<Plain: Clone>, V: Data, A: Data<Plain = A> + Clone>(
        &self,
        place: FoldPlace<'_>,
        shared: &Self::Shared<K::Plain, A>,
        fold: Fold<K::Plain, V, A>,
        builder: &mut TopologyBuilder,
    );
}

/// Where a fold stands; only the builder makes one.
#[doc(hidden)]
pub struct FoldPlace<'a> {
    name: &'a str,
    parent: &'a str,
    store: &'a Arc<str>,
    sends_old: bool,
}

/// Adds a node that folds into a store which it shares with others.
fn add_operator<K, V, S, O>(
    place: FoldPlace<'_>,
    builder: &mut TopologyBuilder,
    operator: impl FnOnce(Windowing<S>) -> O + 'static,
) where
    K: Data,
    V: Data,
    S: KeyedRows,
    O: Operator<StreamOf<K, V>, TableOf<S::Key, S::Value>>,
{
    let (store, sends_old) = (place.store.clone(), place.sends_old);
    let make = move |wiring: &mut Wiring<'_>| {
        let store: StoreSlot<S> = wiring.rows(&store, sends_old);
        operator(Windowing { store, time: wiring.add_time(), emit: EmitStrategy::OnUpdate })
    };
    builder.add_operator_with::<StreamOf<K, V>, TableOf<S::Key, S::Value>, O>(
        place.name,
        &[place.parent],
        &[place.store],
        make,
    );
}

/// The fold of a row that may not be there yet.
fn beginning<K: 'static, V: 'static, A: 'static>(
    initial: &Initial<A>,
    fold: Fold<K, V, A>,
) -> impl Fn(Option<A>, &K, &V) -> Result<Option<A>, ProcessError> + Send + Sync + 'static {
    let initial = initial.clone();
    move |row, key, value| fold(row.unwrap_or_else(|| initial()), key, value)
}

impl<W: TimeWindows + Clone> CogroupWindows for W {
    type Shared<K: 'static, A: 'static> = Initial<A>;

    fn add_fold<K: Data<Plain: Clone>, V: Data, A: Data<Plain = A> + Clone>(
        &self,
        place: FoldPlace<'_>,
        initial: &Initial<A>,
        fold: Fold<K::Plain, V, A>,
        builder: &mut TopologyBuilder,
    ) {
        let (windows, fold) = (self.clone(), beginning(initial, fold));
        add_operator::<K, V, WindowState<K::Plain, A>, _>(place, builder, move |windowing| WindowAggregate {
            windowing,
            windows,
            fold,
        });
    }
}

impl CogroupWindows for Sliding {
    type Shared<K: 'static, A: 'static> = Initial<A>;

    fn add_fold<K: Data<Plain: Clone>, V: Data, A: Data<Plain = A> + Clone>(
        &self,
        place: FoldPlace<'_>,
        initial: &Initial<A>,
        fold: Fold<K::Plain, V, A>,
        builder: &mut TopologyBuilder,
    ) {
        let (windows, fold) = (*self, beginning(initial, fold));
        add_operator::<K, V, WindowState<K::Plain, A>, _>(place, builder, move |windowing| SlidingAggregate {
            windowing,
            windows,
            fold,
        });
    }
}

impl CogroupWindows for Session {
    type Shared<K: 'static, A: 'static> = MergeSessions<K, A>;

    fn add_fold<K: Data<Plain: Clone>, V: Data, A: Data<Plain = A> + Clone>(
        &self,
        place: FoldPlace<'_>,
        shared: &MergeSessions<K::Plain, A>,
        fold: Fold<K::Plain, V, A>,
        builder: &mut TopologyBuilder,
    ) {
        let (windows, MergeSessions { initial, merge }) = (*self, shared.clone());
        add_operator::<K, V, SessionState<K::Plain, A>, _>(place, builder, move |windowing| SessionAggregate {
            windowing,
            windows,
            initial: move || initial(),
            fold: move |row, key: &K::Plain, value: &V| fold(row, key, value),
            merge: move |key: &K::Plain, row, session| Ok(merge(key, row, session)),
        });
    }
}

/// Streams with equal key types, each with a fold into the same rows of windows. The verb is `aggregate`.
pub struct WindowedCogroup<'b, K: 'static, A: 'static, W: CogroupWindows> {
    builder: &'b StreamsBuilder,
    windows: W,
    members: Vec<Member<'b, W::Shared<K, A>>>,
    /// What is wrong with the windows.
    faults: Vec<String>,
    types: PhantomData<fn(K, A)>,
}

impl<'b, K: Data<Plain: Clone>, V: Data, W: CogroupWindows> WindowedStream<'b, K, V, W> {
    /// Begins a table of windows that several streams are folded into: the rows are of one type, the streams' values need not
    /// be.
    ///
    /// `fold` takes the row so far and gives the new one, or `None` to delete it; it gets the values that are absent too, but
    /// for those in sliding windows, where records without value are dropped. [`and`](WindowedCogroup::and) adds a stream.
    /// Each stream's records are late by a time of their own.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const CLICKS: Topic<String, String> = Topic::of("clicks");
    /// # const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::WindowStore;
    /// use tidemill_dsl::window::Tumbling;
    ///
    /// const STORIES: WindowStore<String, String> = WindowStore::of("stories");
    /// # let builder = StreamsBuilder::new();
    /// let (clicks, orders) = (builder.stream(&CLICKS).group_by_key(), builder.stream(&ORDERS).group_by_key());
    /// clicks
    ///     .windowed_by(Tumbling::of(Duration::from_secs(60)))
    ///     .cogroup(|story: String, _user, page| format!("{story}{page} "))
    ///     .and(&orders, |story, _user, amount| format!("{story}+{amount} "))
    ///     .aggregate(&STORIES, String::new);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&CLICKS).at(1_000).send("alice", "shoes");
    /// driver.input(&ORDERS).at(2_000).send("alice", 10);
    /// assert_eq!(driver.store(&STORIES).get("alice", 0), Some("shoes +10 ".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cogroup<A, R>(
        &self,
        fold: impl Fn(A, &K::Plain, &V) -> R + Send + Sync + 'static,
    ) -> WindowedCogroup<'b, K::Plain, A, W>
    where
        A: Data<Plain = A> + Clone,
        R: Into<Option<A>>,
    {
        self.try_cogroup(move |row, key, value| Ok::<_, ProcessError>(fold(row, key, value)))
    }

    /// As [`cogroup`](Self::cogroup), with a fold that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::WindowStore;
    /// use tidemill_dsl::window::Tumbling;
    ///
    /// const SUMS: WindowStore<String, i64> = WindowStore::of("sums");
    /// # let builder = StreamsBuilder::new();
    /// let windowed = builder.stream(&IN).group_by_key().windowed_by(Tumbling::of(Duration::from_secs(60)));
    /// windowed.try_cogroup(|sum: i64, _, value| sum.checked_add(*value).ok_or("overflow")).aggregate(&SUMS, || 0);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", i64::MAX);
    /// assert!(driver.input(&IN).try_send("a", 1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_cogroup<A, R, E>(
        &self,
        fold: impl Fn(A, &K::Plain, &V) -> Result<R, E> + Send + Sync + 'static,
    ) -> WindowedCogroup<'b, K::Plain, A, W>
    where
        A: Data<Plain = A> + Clone,
        R: Into<Option<A>>,
        E: Into<ProcessError>,
    {
        let (builder, windows) = (self.grouped.stream.builder, self.windows.clone());
        let mut faults: Vec<String> = self.fault.iter().cloned().collect();
        if self.emit != EmitStrategy::OnUpdate {
            let reason = "several streams are folded in them, each with a time of its own, so nobody knows when they are \
                          closed: let results wait with `suppress`";
            faults.push(reason.into());
        }
        let none = WindowedCogroup { builder, windows, members: Vec::new(), faults, types: PhantomData };
        none.try_and(&self.grouped, fold)
    }
}

impl<'b, K: Data<Plain = K> + Clone, A: Data<Plain = A> + Clone, W: CogroupWindows> WindowedCogroup<'b, K, A, W> {
    /// Adds a stream with its fold, in the same windows. If its key may have changed, it goes through a repartition topic of its
    /// own. See [`cogroup`](WindowedStream::cogroup) for an example.
    #[must_use = "a cogroup makes nothing before `aggregate`"]
    pub fn and<K2: Data<Plain = K>, V: Data, R: Into<Option<A>>>(
        self,
        grouped: &GroupedStream<'b, K2, V>,
        fold: impl Fn(A, &K, &V) -> R + Send + Sync + 'static,
    ) -> Self {
        self.try_and(grouped, move |row, key, value| Ok::<_, ProcessError>(fold(row, key, value)))
    }

    /// As [`and`](Self::and), with a fold that can fail; an error fails the task, naming the record. See
    /// [`try_cogroup`](WindowedStream::try_cogroup) for an example.
    #[must_use = "a cogroup makes nothing before `aggregate`"]
    pub fn try_and<K2: Data<Plain = K>, V: Data, R: Into<Option<A>>, E: Into<ProcessError>>(
        mut self,
        grouped: &GroupedStream<'b, K2, V>,
        fold: impl Fn(A, &K, &V) -> Result<R, E> + Send + Sync + 'static,
    ) -> Self {
        if !check_builder(self.builder, grouped.stream.builder, "cogroup") {
            return self;
        }
        let (grouped, sides, windows) = (grouped.clone(), grouped.stream.sides.clone(), self.windows.clone());
        let fold: Fold<K, V, A> =
            Arc::new(move |row, key: &K, value: &V| fold(row, key, value).map(Into::into).map_err(Into::into));
        let add = move |node: FoldNode<'_, W::Shared<K, A>>, builder: &mut TopologyBuilder| {
            let FoldNode { name, parent, store, sends_old, shared } = node;
            windows.add_fold::<K2, V, A>(FoldPlace { name, parent, store, sends_old }, shared, fold.clone(), builder);
            sides.add_to(name, builder);
        };
        self.members.push(Member { placed: Rc::new(move |store| grouped.placed(store)), fold: Rc::new(add) });
        self
    }

    /// Plans the folds with their store.
    fn planned<S: KeyedRows<Key = Windowed<K>, Value = A>>(
        &self,
        (name, (key, value)): (Option<String>, KnownSerdes<K, A>),
        row_keys: impl Fn(SerdeRef<K>) -> SerdeRef<Windowed<K>>,
        spec: impl FnOnce(&str, SerdeRef<K>, SerdeRef<A>) -> StoreSpec + 'static,
        (shared, grace): (W::Shared<K, A>, i64),
        fault: Option<String>,
    ) -> Table<'b, Windowed<K>, A> {
        let mut plan = self.builder.plan();
        let store = match &name {
            Some(name) => plan.names.fixed(name),
            None => plan.names.numbered("COGROUPKSTREAM-AGGREGATE-STATE-STORE-"),
        };
        plan.persistent.push(store);
        let kept = plan.add_store(store, true);
        let key = serde_for(&mut plan, key, "key of a store");
        let value = serde_for(&mut plan, value, "value of a store");
        drop(plan);
        let serdes = (key.clone().map(row_keys), value.clone());
        let spec = key.zip(value).map(|(key, value)| move |name: &str| spec(name, key, value));
        let (step, sources) =
            plan_members::<_, TableOf<Windowed<K>, A>>(self.builder, &self.members, (store, kept), shared, spec);
        let mut plan = self.builder.plan();
        plan.set_grace(step, grace);
        plan.windows_cannot_be(step, self.faults.iter().cloned().chain(fault));
        drop(plan);
        Table::stored_in::<S>(self.builder, step, sources, kept).with_serdes(serdes)
    }

    /// As `planned`, in a window store.
    fn in_windows(
        &self,
        materialized: Materialized<K, A, Windows>,
        (ends, retention): (WindowEnds, i64),
        shared: (W::Shared<K, A>, i64),
    ) -> Table<'b, Windowed<K>, A> {
        let fault = materialized.fault(retention);
        let known = (materialized.name.clone(), (materialized.key.clone(), materialized.value.clone()));
        let keeping = WindowKeeping { retention, ends: ends.clone(), duplicates: None, closing: false };
        let row_keys = move |key| TimeWindowed::ending(key, ends.clone());
        let spec = move |name: &str, key, value| materialized.spec(name, key, value, keeping);
        self.planned::<WindowState<K, A>>(known, row_keys, spec, shared, fault)
    }
}

impl<'b, K, A, W> WindowedCogroup<'b, K, A, W>
where
    K: Data<Plain = K> + Clone,
    A: Data<Plain = A> + Clone,
    W: TimeWindows + Clone,
{
    /// Folds all streams into one row per key and window: `initial` makes the first state of a row.
    ///
    /// The rows are kept as the options say; a `&WindowStore` keeps them on disk, with a changelog, under its name. A row's
    /// time is the greatest of its records. Every update comes out. All topics need equal numbers of partitions; repartition
    /// topics follow the others. See [`cogroup`](WindowedStream::cogroup) for an example.
    pub fn aggregate(
        &self,
        materialized: impl IntoMaterialized<K, A, Windows>,
        initial: impl Fn() -> A + Send + Sync + 'static,
    ) -> Table<'b, Windowed<K>, A> {
        let (ends, grace) = (WindowEnds::by(self.windows.clone()), millis(self.windows.grace()));
        let retention = ends.size().saturating_add(grace);
        let initial: Initial<A> = Arc::new(initial);
        self.in_windows(materialized.into_materialized(), (ends, retention), (initial, grace))
    }
}

impl<'b, K, A> WindowedCogroup<'b, K, A, Sliding>
where
    K: Data<Plain = K> + Clone,
    A: Data<Plain = A> + Clone,
{
    /// As for windows of fixed places: one row per key and window; `initial` makes the first state of a row.
    pub fn aggregate(
        &self,
        materialized: impl IntoMaterialized<K, A, Windows>,
        initial: impl Fn() -> A + Send + Sync + 'static,
    ) -> Table<'b, Windowed<K>, A> {
        let (difference, retention) = (millis(self.windows.difference()), self.windows.retention());
        let shared: (Initial<A>, _) = (Arc::new(initial), millis(self.windows.grace()));
        self.in_windows(materialized.into_materialized(), (WindowEnds::Size(difference), retention), shared)
    }
}

impl<'b, K, A> WindowedCogroup<'b, K, A, Session>
where
    K: Data<Plain = K> + Clone,
    A: Data<Plain = A> + Clone,
{
    /// Folds all streams into one row per key and session: `initial` makes the first state of a row, `merge` adds the row of a
    /// session to a state.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const CLICKS: Topic<String, String> = Topic::of("clicks");
    /// # const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// use std::time::Duration;
    /// use tidemill_dsl::state::SessionStore;
    /// use tidemill_dsl::window::{Session, Window};
    ///
    /// const EVENTS: SessionStore<String, i64> = SessionStore::of("events");
    /// # let builder = StreamsBuilder::new();
    /// let (clicks, orders) = (builder.stream(&CLICKS).group_by_key(), builder.stream(&ORDERS).group_by_key());
    /// clicks
    ///     .windowed_by(Session::gap(Duration::from_secs(60)))
    ///     .cogroup(|events: i64, _user, _page| events + 1)
    ///     .and(&orders, |events, _user, _amount| events + 1)
    ///     .aggregate(&EVENTS, || 0, |_user, events, session| events + session);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&CLICKS).at(1_000).send("alice", "shoes");
    /// driver.input(&ORDERS).at(2_000).send("alice", 10);
    /// assert_eq!(driver.store(&EVENTS).get("alice", Window::of_millis(1_000, 2_000)), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate(
        &self,
        materialized: impl IntoMaterialized<K, A, Sessions>,
        initial: impl Fn() -> A + Send + Sync + 'static,
        merge: impl Fn(&K, A, A) -> A + Send + Sync + 'static,
    ) -> Table<'b, Windowed<K>, A> {
        let materialized = materialized.into_materialized();
        let retention = self.windows.retention();
        let fault = materialized.fault(retention);
        let known = (materialized.name.clone(), (materialized.key.clone(), materialized.value.clone()));
        let keeping = SessionKeeping { retention, closing: false };
        let spec = move |name: &str, key, value| materialized.spec(name, key, value, keeping);
        let shared = MergeSessions { initial: Arc::new(initial), merge: Arc::new(merge) };
        self.planned::<SessionState<K, A>>(known, SessionWindowed::serde, spec, (shared, retention), fault)
    }
}
