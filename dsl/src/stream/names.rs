//! Names of nodes, stores and topics: numbered as in Kafka Streams, or given by the author.

use std::sync::Arc;

/// A name's place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameId(usize);

/// A name, as far as it is known while the program is still being written.
enum Name {
    /// Made from the counter.
    Numbered(Arc<str>),
    /// Given by the author.
    Given(Arc<str>),
    /// Another name and an ending, when that other name is given; else made from the counter.
    Derived { of: NameId, ending: &'static str, numbered: Arc<str> },
    /// The first name if it is given, else the second.
    Either { given: NameId, else_: NameId },
    /// Another name, whatever it is, and an ending of one's own: branches.
    Joined { of: NameId, ending: Arc<str> },
}

/// All names of a plan, and the counter.
#[derive(Default)]
pub(super) struct Names {
    counter: usize,
    names: Vec<Name>,
}

impl Names {
    /// The next number with a prefix: `KSTREAM-FILTER-0000000003`.
    pub(super) fn number(&mut self, prefix: &str) -> Arc<str> {
        let name = format!("{prefix}{:010}", self.counter);
        self.counter += 1;
        name.into()
    }

    /// Uses up a number, as Kafka Streams does for some helpers that need no name in the end.
    pub(super) fn burn(&mut self) {
        self.counter += 1;
    }

    fn add(&mut self, name: Name) -> NameId {
        self.names.push(name);
        NameId(self.names.len() - 1)
    }

    pub(super) fn numbered(&mut self, prefix: &str) -> NameId {
        let name = self.number(prefix);
        self.add(Name::Numbered(name))
    }

    pub(super) fn fixed(&mut self, name: &str) -> NameId {
        self.add(Name::Given(name.into()))
    }

    pub(super) fn derived(&mut self, of: NameId, ending: &'static str, prefix: &str) -> NameId {
        let numbered = self.number(prefix);
        self.add(Name::Derived { of, ending, numbered })
    }

    pub(super) fn joined(&mut self, of: NameId, ending: &str) -> NameId {
        self.add(Name::Joined { of, ending: ending.into() })
    }

    /// A name that gets its number later, because Kafka Streams numbers other nodes before it.
    pub(super) fn numbered_later(&mut self) -> NameId {
        self.add(Name::Numbered("".into()))
    }

    /// Gives a name its number.
    pub(super) fn number_now(&mut self, id: NameId, prefix: &str) {
        let name = self.number(prefix);
        self.names[id.0] = Name::Numbered(name);
    }

    /// The name `given` if its author gave it, else the other.
    pub(super) fn named_or(&mut self, given: NameId, else_: NameId) -> NameId {
        self.add(Name::Either { given, else_ })
    }

    /// The author gives a name: the whole one, or for a branch the part after the split's.
    pub(super) fn give(&mut self, id: NameId, given: &str) {
        let name = &mut self.names[id.0];
        *name = match name {
            Name::Joined { of, .. } => Name::Joined { of: *of, ending: given.into() },
            _ => Name::Given(given.into()),
        };
    }

    /// Whether the author gave this name, or the one that it derives from.
    pub(super) fn is_given(&self, id: NameId) -> bool {
        match &self.names[id.0] {
            Name::Given(_) => true,
            Name::Numbered(_) => false,
            Name::Derived { of, .. } | Name::Joined { of, .. } => self.is_given(*of),
            Name::Either { given, .. } => self.is_given(*given),
        }
    }

    pub(super) fn resolve(&self, id: NameId) -> Arc<str> {
        match &self.names[id.0] {
            Name::Numbered(name) | Name::Given(name) => name.clone(),
            Name::Derived { of, ending, .. } if self.is_given(*of) => format!("{}{ending}", self.resolve(*of)).into(),
            Name::Derived { numbered, .. } => numbered.clone(),
            Name::Either { given, else_ } => self.resolve(if self.is_given(*given) { *given } else { *else_ }),
            Name::Joined { of, ending } => format!("{}{ending}", self.resolve(*of)).into(),
        }
    }
}
