//! What a backend promises, and what it leaves free.
//!
//! Rule: every freedom that the search uses, and every promise that it relies on, has a name here; a report lists them, so
//! that whoever reads a verdict can object to one.

use std::fmt;

/// Where the topology is imagined to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The embedded log: all tasks of the application commit together, see each other's records at once, and know exactly
    /// how far their inputs reach.
    Embedded,
    /// Apache Kafka: each thread commits by itself, and records take their time.
    Kafka(Kafka),
}

/// When effects of a crash can be seen twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    /// Outputs are sent, then positions are committed: after a crash records may be processed again.
    AtLeastOnce,
    /// Outputs, changelogs and positions are one transaction, and readers see committed records only.
    ExactlyOnce,
}

/// How an application runs on Apache Kafka, and what is assumed beyond what Kafka promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kafka {
    pub(super) guarantee: Guarantee,
    pub(super) idling: bool,
    pub(super) exact_ends: bool,
    pub(super) instant_appends: bool,
}

impl Kafka {
    /// With transactions (`exactly_once_v2`).
    pub const fn exactly_once() -> Self {
        Kafka { guarantee: Guarantee::ExactlyOnce, idling: true, exact_ends: false, instant_appends: false }
    }

    /// Without transactions.
    pub const fn at_least_once() -> Self {
        Kafka { guarantee: Guarantee::AtLeastOnce, ..Kafka::exactly_once() }
    }

    /// Tasks process what they have, whatever their other inputs are known to hold: `max.task.idle.ms=-1`. Otherwise a task
    /// waits for records that it knows of (KIP-695).
    #[must_use]
    pub const fn without_idling(self) -> Self {
        Kafka { idling: false, ..self }
    }

    /// Assumes that tasks know at every moment how far their inputs reach. Kafka does not promise it: a consumer knows what
    /// the last answer to a fetch said.
    #[must_use]
    pub const fn assuming_exact_ends(self) -> Self {
        Kafka { exact_ends: true, ..self }
    }

    /// Assumes that what is sent is in its partition at once. Kafka does not promise it.
    #[must_use]
    pub const fn assuming_instant_appends(self) -> Self {
        Kafka { instant_appends: true, ..self }
    }
}

impl From<Kafka> for Backend {
    fn from(kafka: Kafka) -> Self {
        Backend::Kafka(kafka)
    }
}

/// What the search may do on a backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) guarantee: Guarantee,
    /// Whether a task waits for records that it knows of.
    pub(super) idling: bool,
    /// Whether a task knows how far its inputs reach.
    pub(super) exact_ends: bool,
    /// Whether what is sent is in its partition at once.
    pub(super) instant_appends: bool,
    /// Whether all tasks commit together and see each other's records before that.
    pub(super) one_epoch: bool,
}

impl Backend {
    pub(super) fn rules(self) -> Rules {
        match self {
            Backend::Embedded => Rules {
                guarantee: Guarantee::ExactlyOnce,
                idling: true,
                exact_ends: true,
                instant_appends: true,
                one_epoch: true,
            },
            Backend::Kafka(Kafka { guarantee, idling, exact_ends, instant_appends }) => {
                Rules { guarantee, idling, exact_ends, instant_appends, one_epoch: false }
            }
        }
    }

    /// `embedded` or `kafka`.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Embedded => "embedded",
            Backend::Kafka(_) => "kafka",
        }
    }

    /// The guarantee.
    pub fn guarantee(self) -> Guarantee {
        self.rules().guarantee
    }

    /// Whether tasks wait for records that they know of.
    pub fn idling(self) -> bool {
        self.rules().idling
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Guarantee::AtLeastOnce => "at-least-once",
            Guarantee::ExactlyOnce => "exactly-once",
        })
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.rules();
        write!(f, "{}, {}", self.name(), rules.guarantee)?;
        if let Backend::Kafka(kafka) = self {
            f.write_str(if kafka.idling { ", idling" } else { ", without idling" })?;
            f.write_str(if kafka.exact_ends { ", exact ends assumed" } else { "" })?;
            f.write_str(if kafka.instant_appends { ", instant appends assumed" } else { "" })?;
        }
        Ok(())
    }
}

/// How often things may happen that happen seldom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Budgets {
    pub(super) crashes: u8,
    pub(super) rebalances: u8,
    pub(super) ticks: u8,
}

impl Budgets {
    /// Whether anything is ever restored.
    pub(super) fn has_faults(self) -> bool {
        self.crashes > 0 || self.rebalances > 0
    }
}

/// A promise that a verdict relies on, or a freedom that the search used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axiom {
    /// Its name: `A` and a number for promises, `F` for freedoms, `R` for rules of the runtime.
    pub id: &'static str,
    /// What it says.
    pub says: &'static str,
}

/// The axioms of a search.
pub(super) fn axioms(rules: Rules, budgets: Budgets, has_globals: bool) -> Vec<Axiom> {
    let exactly_once = rules.guarantee == Guarantee::ExactlyOnce;
    let all = [
        (true, "A1", "a partition keeps its order, and one producer's records keep theirs"),
        (true, "A2", "a key goes to one partition of a topic"),
        (budgets.rebalances > 0, "A3", "a task has one owner, and former owners that have not noticed it yet"),
        (exactly_once, "A4", "outputs, changelogs and positions become visible together or never"),
        (!exactly_once, "A5", "outputs are sent, then positions committed; a crash goes back to the committed ones"),
        (!rules.one_epoch, "F1", "partitions and topics have no order among each other"),
        (true, "F2", "a fetch brings any part of what is there"),
        (!rules.instant_appends, "F3", "what is sent may take any time until it is in its partition"),
        (true, "F4", "a commit may come after any record"),
        (budgets.crashes > 0, "F5", "a crash may come anywhere"),
        (budgets.rebalances > 0, "F6", "a rebalance may come anywhere"),
        (budgets.ticks > 0, "F7", "the wall clock may move on by anything"),
        (rules.idling && !rules.exact_ends, "F8", "how far an input reaches is known as of some earlier moment"),
        (has_globals, "F9", "a process reads the topics of its global stores by itself, and as late as it likes"),
        (
            true,
            "R1",
            "of the records that wait, the one with the smallest time is processed; the JVM's heap decides ties",
        ),
        (rules.idling, "R2", "a task does not run while an input is empty that is known to have more"),
    ];
    all.into_iter().filter(|(used, ..)| *used).map(|(_, id, says)| Axiom { id, says }).collect()
}
