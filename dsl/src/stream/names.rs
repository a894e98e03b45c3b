//! Names of nodes, stores and topics: numbered as in Kafka Streams, or given by the author.
//!
//! Rule: every call takes its numbers when it is made, but what they are is known only when all names are, because a
//! repartition topic that gets a name of its own gives its number back.

use std::sync::Arc;

/// A name's place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameId(usize);

/// A number's place among all numbers that were taken.
#[derive(Clone, Copy)]
struct Ticket(usize);

/// A name, as far as it is known while the program is still being written.
enum Name {
    /// A prefix and a number.
    Numbered(Box<str>, Ticket),
    /// Given by the author.
    Given(Arc<str>),
    /// Another name and an ending, when that other name is given; else numbered.
    Derived { of: NameId, ending: Box<str>, prefix: &'static str, ticket: Ticket },
    /// The name of a topic and an ending, unless the topic is called after a numbered node or store; then numbered.
    AfterTopic { topic: NameId, ending: &'static str, prefix: &'static str, ticket: Ticket },
    /// The first name if it is given, else the second.
    Either { given: NameId, else_: NameId },
    /// Another name, whatever it is, and an ending of one's own: branches.
    Joined { of: NameId, ending: Arc<str> },
}

/// All names of a plan, and the numbers that were taken.
#[derive(Default)]
pub(super) struct Names {
    /// For each number the name that gives it back when its author gives that name, if there is one.
    tickets: Vec<Option<NameId>>,
    names: Vec<Name>,
}

impl Names {
    fn ticket(&mut self) -> Ticket {
        self.tickets.push(None);
        Ticket(self.tickets.len() - 1)
    }

    /// A prefix with the number that a ticket stands for: `KSTREAM-FILTER-0000000003`.
    fn number(&self, prefix: &str, ticket: Ticket) -> Arc<str> {
        let given_back = |name: &&NameId| self.is_given(**name);
        let gaps = self.tickets[..ticket.0].iter().flatten().filter(given_back).count();
        format!("{prefix}{:010}", ticket.0 - gaps).into()
    }

    /// Uses up a number, as Kafka Streams does for some helpers that need no name in the end.
    pub(super) fn burn(&mut self) {
        self.ticket();
    }

    fn add(&mut self, name: Name) -> NameId {
        self.names.push(name);
        NameId(self.names.len() - 1)
    }

    pub(super) fn numbered(&mut self, prefix: &str) -> NameId {
        let ticket = self.ticket();
        self.add(Name::Numbered(prefix.into(), ticket))
    }

    /// A numbered name that takes no number when its author gives it another one.
    pub(super) fn numbered_if_needed(&mut self, prefix: &str) -> NameId {
        let (ticket, id) = (self.ticket(), NameId(self.names.len()));
        self.tickets[ticket.0] = Some(id);
        self.add(Name::Numbered(prefix.into(), ticket))
    }

    pub(super) fn fixed(&mut self, name: &str) -> NameId {
        self.add(Name::Given(name.into()))
    }

    /// Another name with an ending, if that is given; else a numbered one.
    pub(super) fn derived(&mut self, of: NameId, ending: &str, prefix: &'static str) -> NameId {
        let ticket = self.ticket();
        self.add(Name::Derived { of, ending: ending.into(), prefix, ticket })
    }

    /// As `derived`, and takes no number when the other name is given.
    pub(super) fn derived_if_needed(&mut self, of: NameId, ending: &str, prefix: &'static str) -> NameId {
        let ticket = self.ticket();
        self.tickets[ticket.0] = Some(of);
        self.add(Name::Derived { of, ending: ending.into(), prefix, ticket })
    }

    /// The name of a node that belongs to a repartition topic.
    pub(super) fn after_topic(&mut self, topic: NameId, ending: &'static str, prefix: &'static str) -> NameId {
        let ticket = self.ticket();
        self.add(Name::AfterTopic { topic, ending, prefix, ticket })
    }

    /// Another name, whatever it is, with an ending.
    pub(super) fn joined(&mut self, of: NameId, ending: &str) -> NameId {
        self.add(Name::Joined { of, ending: ending.into() })
    }

    /// A prefix with the number that another name took.
    pub(super) fn sibling(&mut self, of: NameId, prefix: &str) -> NameId {
        let Name::Numbered(_, ticket) = self.names[of.0] else { return of };
        self.add(Name::Numbered(prefix.into(), ticket))
    }

    /// A name that gets its number later, because Kafka Streams numbers other nodes before it.
    pub(super) fn later(&mut self) -> NameId {
        self.add(Name::Numbered("".into(), Ticket(0)))
    }

    /// Gives a name its number.
    pub(super) fn number_now(&mut self, id: NameId, prefix: &str) {
        let ticket = self.ticket();
        self.names[id.0] = Name::Numbered(prefix.into(), ticket);
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
            Name::Numbered(..) => false,
            Name::Derived { of, .. } | Name::AfterTopic { topic: of, .. } | Name::Joined { of, .. } => {
                self.is_given(*of)
            }
            Name::Either { given, else_ } => self.is_given(*given) || self.is_given(*else_),
        }
    }

    pub(super) fn resolve(&self, id: NameId) -> Arc<str> {
        match &self.names[id.0] {
            Name::Numbered(prefix, ticket) => self.number(prefix, *ticket),
            Name::Given(name) => name.clone(),
            Name::Derived { of, ending, .. } if self.is_given(*of) => format!("{}{ending}", self.resolve(*of)).into(),
            Name::Derived { prefix, ticket, .. } => self.number(prefix, *ticket),
            Name::AfterTopic { topic, ending, prefix, ticket } => match self.resolve(*topic) {
                topic if is_numbered(&topic) => self.number(prefix, *ticket),
                topic => format!("{topic}{ending}").into(),
            },
            Name::Either { given, else_ } => self.resolve(if self.is_given(*given) { *given } else { *else_ }),
            Name::Joined { of, ending } => format!("{}{ending}", self.resolve(*of)).into(),
        }
    }
}

/// Whether Kafka Streams takes a name for one that it has numbered itself: `KSTREAM-`, anything, and ten digits.
fn is_numbered(name: &str) -> bool {
    let Some((start, digits)) = name.rsplit_once('-') else { return false };
    start.starts_with("KSTREAM") && digits.len() == 10 && digits.bytes().all(|digit| digit.is_ascii_digit())
}
