//! `deduplicate`: lets the first of equal records through.

use std::time::Duration;

use super::Stream;
use super::plan::Plan;
use super::repartition::{Repartition, plan_repartition};
use super::stream_type::{Sources, serde_for};
use crate::operator::{Deduplicate, SeenState};
use crate::processor::{ProcessError, StreamOf};
use crate::serde::{Data, SerdeRef};
use crate::state::{RowFormat, StoreSpec, WindowKeeping, WindowStore};
use crate::topology::Fault;
use crate::window::{WindowEnds, millis};

/// For how long `deduplicate` remembers. A `Duration` is one: records that near repeat each other, and one that is as far
/// behind can still be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deduplicated {
    within: Duration,
    grace: Duration,
    in_memory: bool,
}

impl Deduplicated {
    /// A record repeats one of the same identity that went through less than `within` before or after it, by their own times.
    pub const fn within(within: Duration) -> Self {
        Deduplicated { within, grace: within, in_memory: false }
    }

    /// How far a record may be behind the greatest time that the operator has seen; one that is further behind is dropped and
    /// counted as late. It is as long as `within` unless it is said.
    #[must_use]
    pub const fn grace(self, grace: Duration) -> Self {
        Deduplicated { grace, ..self }
    }

    /// Remembers in memory only: after a start the whole changelog is read.
    #[must_use]
    pub const fn in_memory(self) -> Self {
        Deduplicated { in_memory: true, ..self }
    }

    fn spec(self, store: &str) -> StoreSpec {
        let size = millis(self.within);
        let retention = size.saturating_add(millis(self.grace));
        let keeping = WindowKeeping { retention, ends: WindowEnds::Size(size), duplicates: None, closing: false };
        let seen = WindowStore::<Vec<u8>, Vec<u8>>::new(store, SerdeRef::of(), SerdeRef::of());
        let spec = StoreSpec::windowed(&seen, RowFormat::Plain, keeping);
        if self.in_memory { spec.in_memory() } else { spec }
    }
}

impl From<Duration> for Deduplicated {
    fn from(within: Duration) -> Self {
        Deduplicated::within(within)
    }
}

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    /// Lets the first record of each key through, and drops those that come less than a time away from it.
    ///
    /// Distances are between the records' own times, so a replay drops the same ones; "first" is the order of processing, so
    /// of two that come out of order the one that comes first goes through. Only a record that went through makes others
    /// duplicates: after the time is over the next one goes through, however many came meanwhile. A record that is further
    /// behind than the grace is dropped and counted as late, because what it repeats may be forgotten. One without a key goes
    /// through. If the key may have changed, the records go through a repartition topic first.
    ///
    /// Stores the time of each record that went through by its key, on disk, with a changelog, for the time and the grace;
    /// name node, store and topic with [`named`](Self::named).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).deduplicate(Duration::from_millis(100)).named("once").to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// for (time, key, value) in [(0, "a", 1), (99, "a", 2), (100, "a", 3), (100, "b", 4)] {
    ///     driver.input(&IN).at(time).send(key, value);
    /// }
    /// assert_eq!(driver.output(&OUT).values(), [1, 3, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deduplicate(&self, remembered: impl Into<Deduplicated>) -> Self {
        self.deduplicated(remembered.into(), |_, keys| {
            Some(move |key: &K, _: &V, identity: &mut Vec<u8>| Ok(keys.write_nullable(key, identity)?))
        })
    }

    /// As [`deduplicate`](Self::deduplicate), where records repeat each other whose keys and whose ids are equal. A record
    /// whose `id` is `None` goes through.
    ///
    /// Ids are compared among the records of a key: where equal ids come with several keys, select the id as key first.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::stream::Deduplicated;
    ///
    /// # let builder = StreamsBuilder::new();
    /// let day = Deduplicated::within(Duration::from_secs(86_400)).grace(Duration::from_secs(600));
    /// // The id is what stands before the colon.
    /// builder.stream(&IN).deduplicate_by(day, |_key, value| value.split(':').next().map(str::to_owned)).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "7: paid").send("a", "8: paid").send("a", "7: paid again").send("b", "7: paid");
    /// assert_eq!(driver.output(&OUT).values(), ["7: paid", "8: paid", "7: paid"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deduplicate_by<I: Data>(
        &self,
        remembered: impl Into<Deduplicated>,
        id: impl Fn(&K, &V) -> I + Send + Sync + 'static,
    ) -> Self {
        self.try_deduplicate_by(remembered, move |key, value| Ok::<_, ProcessError>(id(key, value)))
    }

    /// As [`deduplicate_by`](Self::deduplicate_by), with a function that can fail; an error fails the task, naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, String> = Topic::of("in");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use std::time::Duration;
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).try_deduplicate_by(Duration::from_secs(1), |_key, value| value.parse::<i64>()).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", "7").send("a", "07");
    /// assert!(driver.input(&IN).try_send("a", "no number").is_err());
    /// assert_eq!(driver.output(&OUT).values(), ["7"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_deduplicate_by<I: Data, E: Into<ProcessError>>(
        &self,
        remembered: impl Into<Deduplicated>,
        id: impl Fn(&K, &V) -> Result<I, E> + Send + Sync + 'static,
    ) -> Self {
        self.deduplicated(remembered.into(), |plan, keys| {
            let ids = serde_for(plan, None, "id of `deduplicate_by`")?;
            Some(move |key: &K, value: &V, identity: &mut Vec<u8>| {
                identity.extend_from_slice(&[0; 4]);
                keys.write_nullable(key, identity)?;
                let length = u32::try_from(identity.len() - 4)?;
                identity[..4].copy_from_slice(&length.to_be_bytes());
                let id = id(key, value).map_err(Into::into)?;
                Ok(ids.write_nullable(&id, identity)?)
            })
        })
    }

    /// Plans the operator with its store, behind a repartition topic if the key may have changed. `identity` makes what
    /// appends a record's identity, given the serde of keys.
    fn deduplicated<F>(
        &self,
        remembered: Deduplicated,
        identity: impl FnOnce(&mut Plan, SerdeRef<K>) -> Option<F>,
    ) -> Self
    where
        F: Fn(&K, &V, &mut Vec<u8>) -> Result<bool, ProcessError> + Send + Sync + 'static,
    {
        let mut plan = self.builder.plan();
        let name = plan.names.numbered("KSTREAM-DEDUPLICATE-");
        let store = plan.names.derived(name, "-store", "KSTREAM-DEDUPLICATE-STATE-STORE-");
        plan.persistent.push(store);
        let keys = serde_for(&mut plan, self.serdes.0.clone(), "key of `deduplicate`");
        let identity = keys.and_then(|keys| identity(&mut plan, keys));
        let (parent, sources) = if self.rekeyed {
            let base = plan.names.named_or(name, store);
            let step = plan_repartition(&mut plan, self.step, Repartition::of(self, base));
            (step, Sources::one(step))
        } else {
            (self.step, self.sources.clone())
        };
        let sides = self.sides.clone();
        let step = plan.add(name, &[parent], move |plan, builder| {
            // Without serdes the plan has a fault already.
            let Some(identity) = identity else { return };
            let (name, store) = (plan.name(name), plan.name(store));
            if millis(remembered.within) == 0 {
                let reason = "it is to remember records for less than a millisecond: give it a longer time".into();
                builder.faults.push(Fault::Setting { node: name.clone(), reason });
            }
            let opened = store.clone();
            builder.add_operator_with::<StreamOf<K, V>, StreamOf<K, V>, _>(
                &name,
                &[&plan.node(parent)],
                &[&store],
                move |wiring| Deduplicate {
                    seen: wiring.store::<SeenState>(&opened),
                    time: wiring.add_time(),
                    within: millis(remembered.within),
                    grace: millis(remembered.grace),
                    identity,
                },
            );
            builder.add_state_store(remembered.spec(&store), &[&name]);
            sides.add_to(&name, builder);
        });
        // A record without a key goes through, so no topic above may drop it.
        plan.take_null_keys(step);
        drop(plan);
        Stream { rekeyed: false, ..Stream::new(self.builder, step, sources, self.serdes.clone()) }
    }
}
