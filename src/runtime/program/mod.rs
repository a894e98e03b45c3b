//! What of a program outlives it: its stores and its repartition topics, kept in the log so that the next program can be compared.
//!
//! Rule: a program that does not fit what is kept is refused before anything of it is changed; what is kept changes only where the
//! new program says so.

mod decisions;
mod diff;
mod kept;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use tidemill_dsl::state::{Changelog, Persistence};
use tidemill_dsl::topology::{TopicKind, TopicPlan, Topology, changelog_topic};

pub(super) use decisions::{Decisions, may_adopt};
pub(super) use kept::{Accepted, accept};
pub(crate) use kept::{forget, scope};

/// What a program leaves behind for the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Program {
    /// By name. A store whose rows end with the process, or can be had from its source topic again, is not among them.
    stores: BTreeMap<String, KeptStore>,
    /// Topics with records between two tasks, by full name.
    repartitions: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct KeptStore {
    /// Kind and serdes, as `StoreSpec::shape` says.
    shape: String,
    rows: Rows,
}

/// Where a store's rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    Changelog,
    /// In the process's folder alone.
    Disk,
}

/// Numbers of partitions of own topics, by full name.
type Counts = BTreeMap<String, u32>;

impl Program {
    fn of(topology: &Topology, application: &str, changelog: Changelog, plan: &TopicPlan) -> Program {
        let planned = |name: &str| plan.internal.iter().any(|need| need.name.as_ref() == name);
        let mut stores = BTreeMap::new();
        for spec in topology.stores() {
            let is_off = spec.changelog_declared().unwrap_or(changelog) == Changelog::Off;
            let rows = if planned(&changelog_topic(application, spec.name())) {
                Rows::Changelog
            } else if is_off && spec.persistence() == Persistence::Disk && spec.source_topic().is_none() {
                Rows::Disk
            } else {
                continue;
            };
            stores.insert(spec.name().to_string(), KeptStore { shape: spec.shape().to_owned(), rows });
        }
        let repartitions = plan.internal.iter().filter(|need| need.kind == TopicKind::Repartition);
        Program { stores, repartitions: repartitions.map(|need| need.name.to_string()).collect() }
    }
}
