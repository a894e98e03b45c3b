//! Names a topic of commands and the aggregate that decides them.

use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Aggregate;
use crate::serde::DefaultSerde;
use crate::topic::Topic;

/// A topic of commands for an aggregate: a [`Topic`] of its keys and commands that also knows what answers them. Can be a
/// constant.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use tidemill_dsl::event_sourcing::{Aggregate, CommandContext};
/// # use tidemill_dsl::serde::Data;
/// # #[derive(Clone, Debug, Default, Serialize, Deserialize, Data)]
/// # #[data(json, crate = tidemill_dsl)]
/// # struct Counter(u64);
/// # impl Aggregate for Counter {
/// #     type Key = String;
/// #     type Command = i64;
/// #     type Event = i64;
/// #     type Refusal = String;
/// #     fn decide(&self, by: &i64, _: &CommandContext<'_, String>) -> Result<Vec<i64>, String> { Ok(vec![*by]) }
/// #     fn evolve(&mut self, _: &i64) { self.0 += 1; }
/// # }
/// use tidemill_dsl::event_sourcing::Commands;
/// use tidemill_dsl::stream::StreamsBuilder;
///
/// const COMMANDS: Commands<Counter> = Commands::of("counter-commands");
///
/// let builder = StreamsBuilder::new();
/// let commands = builder.stream(&COMMANDS); // it goes wherever a topic goes
/// assert_eq!(COMMANDS.name(), "counter-commands");
/// ```
pub struct Commands<A: Aggregate>(Topic<A::Key, A::Command>);

impl<A: Aggregate> Commands<A> {
    /// The commands of a topic with a name known at run time, or with serdes of one's own.
    pub fn new(topic: Topic<A::Key, A::Command>) -> Self {
        Commands(topic)
    }

    /// The topic, for what takes any.
    pub fn topic(&self) -> &Topic<A::Key, A::Command> {
        &self.0
    }
}

impl<A: Aggregate<Key: DefaultSerde, Command: DefaultSerde>> Commands<A> {
    /// A topic whose keys and commands have serdes of their own.
    pub const fn of(topic: &'static str) -> Self {
        Commands(Topic::of(topic))
    }
}

impl<A> Commands<A>
where
    A: Aggregate<Key: DefaultSerde, Command: Serialize + DeserializeOwned>,
{
    /// A topic of commands as JSON; the key has its own serde.
    pub const fn json(topic: &'static str) -> Self {
        Commands(Topic::json(topic))
    }
}

impl<A: Aggregate> Clone for Commands<A> {
    fn clone(&self) -> Self {
        Commands(self.0.clone())
    }
}

impl<A: Aggregate> Deref for Commands<A> {
    type Target = Topic<A::Key, A::Command>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
