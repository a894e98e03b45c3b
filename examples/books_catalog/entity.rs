//! What authors and books have in common: commands that say what they are for, events that may be errors, and what came of a
//! command, to be found by its id.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tidemill::Topic;
use tidemill::event_sourcing::{Aggregate, Commands, Refusal, Reply};
use tidemill::serde::{Data, DefaultSerde};
use tidemill::state::Store;

/// An aggregate of the catalog. A refusal is an event too: whoever reads the events sees what was refused and why.
pub(crate) trait Entity:
    Aggregate<Key = String, Refusal = <Self as Aggregate>::Event> + DefaultSerde + Serialize
{
    const COMMANDS: Commands<Self>;
    const EVENTS: Topic<String, Self::Event>;
    /// The states, whose changelog is the topic of snapshots.
    const STATES: Store<String, Self>;
    /// What came of each command, by its id.
    const OUTCOMES: Store<String, Outcome<Self::Event>>;

    /// What a command is for.
    fn key_of(command: &Self::Command) -> String;

    /// The event that tells of a refusal.
    fn error(key: &str, message: &str) -> Self::Event;

    fn is_error(event: &Self::Event) -> bool;
}

/// An event as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told<E> {
    #[serde(flatten)]
    pub(crate) event: E,
    #[serde(rename = "_isError")]
    pub(crate) is_error: bool,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) struct Outcome<E> {
    pub(crate) events: Vec<Told<E>>,
}

impl<E: Clone + Serialize + DeserializeOwned> Outcome<E> {
    pub(crate) fn of<A: Entity<Event = E>>(key: &str, reply: &Reply<E, E>) -> Self {
        let tell = |event: &E| Told { is_error: A::is_error(event), event: event.clone() };
        match reply {
            Reply::Accepted { events, .. } => Outcome { events: events.iter().map(tell).collect() },
            Reply::Refused(refusal) => Outcome { events: vec![tell(&told_of::<A>(key, refusal))] },
        }
    }
}

/// The event that tells of a refusal, whoever refused.
pub(crate) fn told_of<A: Entity>(key: &str, refusal: &Refusal<A::Event>) -> A::Event
where
    A::Event: Clone,
{
    match refusal {
        Refusal::Rule(event) => event.clone(),
        Refusal::Conflict { expected, actual } => {
            A::error(key, &format!("version mismatch: expected {expected}, actually {actual}"))
        }
        Refusal::TooLate => A::error(key, "the command came too late"),
        _ => A::error(key, "a header of the command cannot be read"),
    }
}
