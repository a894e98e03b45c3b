//! Compares a program with what an earlier one left, in words.
//!
//! Rule: every difference is found at once, and each comes with what can be done about it. What is new is no difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tidemill_dsl::topology::changelog_topic;

use super::decisions::{Decisions, may_adopt};
use super::{Counts, Program, Rows};

/// Something kept that the new program does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// The store, or the full name of the repartition topic.
    pub(super) name: String,
    pub(super) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// No store has this name now; those that are new and have its shape may be the one.
    StoreGone {
        shape: String,
        like: Vec<String>,
    },
    /// It was to become this one, which it cannot.
    NotRenamed {
        to: String,
        why: &'static str,
    },
    Shape {
        was: String,
        is: String,
    },
    /// Other numbers of partitions, of the changelog and of what the program reads.
    Partitions {
        was: u32,
        is: u32,
    },
    /// The rows would be looked for elsewhere.
    Rows {
        was: Rows,
    },
    RepartitionGone,
    RepartitionPartitions {
        was: u32,
        is: u32,
    },
}

/// The differences that no decision is about, and what is to be done about the others.
pub(super) struct Diff {
    pub(super) open: Vec<Difference>,
    /// Names of what is dropped.
    pub(super) dropped: BTreeSet<String>,
    /// New names of stores, by their old ones.
    pub(super) renamed: BTreeMap<String, String>,
}

/// One application's old program and its new one.
pub(super) struct Comparison<'a> {
    pub(super) application: &'a str,
    pub(super) old: &'a Program,
    /// Of the topics that there are.
    pub(super) old_counts: &'a Counts,
    pub(super) new: &'a Program,
    pub(super) new_counts: &'a Counts,
}

impl Comparison<'_> {
    pub(super) fn decided(&self, decisions: &Decisions) -> Diff {
        let mut diff = Diff { open: Vec::new(), dropped: BTreeSet::new(), renamed: BTreeMap::new() };
        for difference in self.differences() {
            let name = &difference.name;
            if decisions.dropped.contains(name) {
                diff.dropped.insert(name.clone());
                continue;
            }
            match (&difference.what, decisions.renamed.get(name)) {
                (What::Shape { was, is }, _) if decisions.adopted.contains(name) && may_adopt(was, is) => {}
                (What::StoreGone { .. }, Some(to)) => match self.cannot_become(name, to, decisions) {
                    None => drop(diff.renamed.insert(name.clone(), to.clone())),
                    Some(why) => {
                        let what = What::NotRenamed { to: to.clone(), why };
                        diff.open.push(Difference { name: name.clone(), what });
                    }
                },
                _ => diff.open.push(difference),
            }
        }
        diff
    }

    /// Why a store that was kept cannot go on under a new name.
    fn cannot_become(&self, name: &str, to: &str, decisions: &Decisions) -> Option<&'static str> {
        let (old, new) = (&self.old.stores[name], self.new.stores.get(to));
        let counts = |of: &Counts, name: &str| of.get(&*changelog_topic(self.application, name)).copied();
        let others = decisions.renamed.iter().filter(|(_, other)| *other == to).count();
        let Some(new) = new else { return Some("the program has no store of that name whose rows are kept") };
        let may_adopt = decisions.adopted.contains(to) && may_adopt(&old.shape, &new.shape);
        Some(match () {
            () if self.old.stores.contains_key(to) => "that one has rows of its own",
            () if others > 1 => "another one is to have that name too",
            () if old.shape != new.shape && !may_adopt => "that one has another shape",
            () if old.rows == Rows::Disk || new.rows == Rows::Disk => "only rows that are in a changelog can be moved",
            () if counts(self.old_counts, name) != counts(self.new_counts, to) => "that one has other partitions",
            () => return None,
        })
    }

    fn differences(&self) -> Vec<Difference> {
        let mut found: Vec<Difference> = Vec::new();
        for name in self.old.stores.keys() {
            let differences = self.of_store(name).into_iter().map(|what| Difference { name: name.clone(), what });
            found.extend(differences);
        }
        for name in &self.old.repartitions {
            let what = if self.new.repartitions.contains(name) {
                self.partitions(name).map(|(was, is)| What::RepartitionPartitions { was, is })
            } else {
                Some(What::RepartitionGone)
            };
            found.extend(what.map(|what| Difference { name: name.clone(), what }));
        }
        found
    }

    fn of_store(&self, name: &str) -> Vec<What> {
        let old = &self.old.stores[name];
        let Some(new) = self.new.stores.get(name) else {
            let is_new = |other: &str| !self.old.stores.contains_key(other);
            let like = self.new.stores.iter().filter(|(other, store)| is_new(other) && store.shape == old.shape);
            let like = like.map(|(other, _)| other.clone()).collect();
            return vec![What::StoreGone { shape: old.shape.clone(), like }];
        };
        let mut found = Vec::new();
        if old.shape != new.shape {
            found.push(What::Shape { was: old.shape.clone(), is: new.shape.clone() });
        }
        if old.rows != new.rows {
            found.push(What::Rows { was: old.rows });
        }
        let counts = self.partitions(&changelog_topic(self.application, name));
        found.extend(counts.map(|(was, is)| What::Partitions { was, is }));
        found
    }

    /// Both numbers of a topic, if they differ.
    fn partitions(&self, topic: &str) -> Option<(u32, u32)> {
        let (was, is) = (*self.old_counts.get(topic)?, *self.new_counts.get(topic)?);
        (was != is).then_some((was, is))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.what {
            What::StoreGone { shape, like } => {
                write!(f, "store `{name}` ({shape}) is kept, and the program has none of this name")?;
                if !like.is_empty() {
                    let like = like.join("` or `");
                    write!(
                        f,
                        "; `{like}` is new and has its shape: if that is the one, call `rename_state(\"{name}\", ..)`"
                    )?;
                }
                write!(f, "; to delete its rows call `drop_state(\"{name}\")`")
            }
            What::NotRenamed { to, why } => {
                write!(
                    f,
                    "store `{name}` cannot be renamed to `{to}`: {why}; to delete its rows call `drop_state(\"{name}\")`"
                )
            }
            What::Shape { was, is } => {
                write!(
                    f,
                    "store `{name}` was made as `{was}`, and the program declares it as `{is}`: give the new one another name, or"
                )?;
                if may_adopt(was, is) {
                    write!(f, " call `adopt(\"{name}\")` if the old bytes can be read so, or")?;
                }
                write!(f, " `drop_state(\"{name}\")` to begin without rows")
            }
            What::Partitions { was, is } => write!(
                f,
                "store `{name}` is kept in {was} partitions, and what the program reads has {is}: go back to {was}, or reset the \
                 application (`tidemill reset`), because its rows would be looked for in other tasks"
            ),
            What::Rows { was: Rows::Changelog } => write!(
                f,
                "store `{name}` has its rows in a changelog, and the program declares it without one: let it have its changelog, or \
                 call `drop_state(\"{name}\")` to begin without rows"
            ),
            What::Rows { was: Rows::Disk } => write!(
                f,
                "store `{name}` has its rows on disk alone, and the program declares a changelog, which would not have them: declare \
                 `Changelog::Off`, or call `drop_state(\"{name}\")` to begin without rows"
            ),
            What::RepartitionGone => write!(
                f,
                "topic `{name}` has records that were not processed yet, and the program has no repartition of this name: give the \
                 repartition its old name, let the old program process them, or call `drop_state(\"{name}\")` to lose them"
            ),
            What::RepartitionPartitions { was, is } => write!(
                f,
                "topic `{name}` has {was} partitions, and the program repartitions to {is}: go back to {was}, or reset the application \
                 (`tidemill reset`)"
            ),
        }
    }
}
