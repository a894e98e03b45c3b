//! Which rewrites of the plan are wanted. They change topics and so the place of state: a running application keeps its choice.

/// A rewrite of the topology before it is built: Kafka Streams' `topology.optimization`.
///
/// Each changes which topics an application has. To switch one on or off under a running application is to give it another
/// topology: drain its repartition topics first, or reset it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Optimization {
    /// None, whatever was asked for before: the default.
    None,
    /// All of them (`all`).
    All,
    /// A table that is read from a topic restores its rows from that topic and has no changelog of its own
    /// (`reuse.ktable.source.topics`).
    ReuseSourceTopics,
    /// The repartition topics below a change of key become one, right below it (`merge.repartition.topics`).
    MergeRepartitions,
    /// A stream that is joined with itself is stored once (`single.store.self.join`).
    SingleStoreSelfJoin,
}

/// The rewrites that were asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Optimizations(Vec<Optimization>);

impl Optimizations {
    /// One more; `None` takes back all.
    pub(super) fn add(&mut self, one: Optimization) {
        match one {
            Optimization::None => self.0.clear(),
            one => self.0.push(one),
        }
    }

    /// Whether a rewrite is wanted.
    pub(super) fn wants(&self, one: Optimization) -> bool {
        self.0.contains(&one) || self.0.contains(&Optimization::All)
    }
}
