//! What decides: a state, the commands that it is asked, and the events that change it.

use crate::record::Timestamp;
use crate::serde::Data;

/// A state that commands are decided against, one for each key. Its type is the state; its `Default` is the state of a key that
/// nothing has happened to yet.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidemill_dsl::event_sourcing::{Aggregate, CommandContext};
/// use tidemill_dsl::serde::Data;
///
/// #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
/// # #[data(crate = tidemill_dsl)]
/// #[data(json)]
/// struct Account {
///     balance: i64,
/// }
///
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
/// # #[data(crate = tidemill_dsl)]
/// #[data(json)]
/// struct Moved {
///     amount: i64,
/// }
///
/// impl Aggregate for Account {
///     type Key = String;
///     type Command = i64;
///     type Event = Moved;
///     type Refusal = String;
///
///     fn decide(&self, amount: &i64, _: &CommandContext<'_, String>) -> Result<Vec<Moved>, String> {
///         match self.balance + amount {
///             0.. => Ok(vec![Moved { amount: *amount }]),
///             _ => Err("insufficient funds".into()),
///         }
///     }
///
///     fn evolve(&mut self, moved: &Moved) {
///         self.balance += moved.amount;
///     }
/// }
///
/// let (alice, at) = ("alice".to_owned(), 0.into());
/// let account = Account { balance: 10 };
/// assert_eq!(account.decide(&-10, &CommandContext::new(&alice, at)), Ok(vec![Moved { amount: -10 }]));
/// assert!(account.decide(&-11, &CommandContext::new(&alice, at)).is_err());
/// ```
pub trait Aggregate: Data<Plain = Self> + Default + Clone {
    /// What tells one state from another; the key of commands and of events.
    type Key: Data<Plain = Self::Key>;
    /// What is asked for.
    type Command: Data<Plain = Self::Command>;
    /// What has happened: it changes the state, and is never refused.
    type Event: Data<Plain = Self::Event>;
    /// Why a command is refused.
    type Refusal: Data<Plain = Self::Refusal>;

    /// Decides a command: what happens because of it, in order, or why nothing does. An accepted command may make no event.
    ///
    /// It is to look at nothing but its arguments, so that a command that is processed again is decided again in the same way.
    ///
    /// # Errors
    ///
    /// The refusal. The state stays as it is.
    fn decide(
        &self,
        command: &Self::Command,
        context: &CommandContext<'_, Self::Key>,
    ) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// Changes the state as an event says.
    fn evolve(&mut self, event: &Self::Event);

    /// Whether the state is that of something which is no more: its row then leaves the table of states. Its version goes on, and
    /// the next command is decided against the default state.
    fn is_gone(&self) -> bool {
        false
    }
}

/// What a decision may look at besides state and command.
#[derive(Clone, Copy, Debug)]
pub struct CommandContext<'a, K> {
    key: &'a K,
    time: Timestamp,
    version: u64,
    id: Option<&'a [u8]>,
}

impl<'a, K> CommandContext<'a, K> {
    /// The context of a command for a key that nothing has happened to.
    pub fn new(key: &'a K, time: Timestamp) -> Self {
        CommandContext { key, time, version: 0, id: None }
    }

    /// As of another version of the state.
    #[must_use]
    pub fn at_version(self, version: u64) -> Self {
        CommandContext { version, ..self }
    }

    /// With the id that the command has.
    #[must_use]
    pub fn with_id(self, id: Option<&'a [u8]>) -> Self {
        CommandContext { id, ..self }
    }

    /// The key of the command and of the state.
    pub fn key(&self) -> &'a K {
        self.key
    }

    /// The command's time. There is no other clock, so that a decision that is made again is the same.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// How many events the key has had.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The command's id, if it has one.
    pub fn id(&self) -> Option<&'a [u8]> {
        self.id
    }
}

/// A state after these events; `None` when the last one left it gone. A state that an event leaves gone begins anew with the next
/// one.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use tidemill_dsl::event_sourcing::{Aggregate, CommandContext};
/// # use tidemill_dsl::serde::Data;
/// use tidemill_dsl::event_sourcing::evolved;
///
/// /// A sum, gone when it is 0.
/// #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
/// # #[data(crate = tidemill_dsl)]
/// #[data(json)]
/// struct Sum(i64);
///
/// impl Aggregate for Sum {
/// #   type Key = String;
/// #   type Command = i64;
/// #   type Event = i64;
/// #   type Refusal = String;
/// #   fn decide(&self, by: &i64, _: &CommandContext<'_, String>) -> Result<Vec<i64>, String> { Ok(vec![*by]) }
///     // ..
///     fn evolve(&mut self, by: &i64) {
///         self.0 += by;
///     }
///
///     fn is_gone(&self) -> bool {
///         self.0 == 0
///     }
/// }
///
/// assert_eq!(evolved(Sum(1), &[2, 3]), Some(Sum(6)));
/// assert_eq!(evolved(Sum(1), &[-1]), None);
/// assert_eq!(evolved(Sum(1), &[-1, 7]), Some(Sum(7)));
/// ```
pub fn evolved<'e, A: Aggregate>(state: A, events: impl IntoIterator<Item = &'e A::Event>) -> Option<A> {
    let mut evolved = Some(state);
    for event in events {
        let mut state = evolved.unwrap_or_default();
        state.evolve(event);
        evolved = (!state.is_gone()).then_some(state);
    }
    evolved
}
