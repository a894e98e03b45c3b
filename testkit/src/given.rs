//! Given these events, when this command comes, then those events follow: the tests of an aggregate, without a topology.
//!
//! Rule: every command, event, refusal and state goes through its bytes on the way, as it does in an application; so a format that
//! loses something fails the test of the rule that needs it.

use std::fmt::Debug;

use tidemill::event_sourcing::{Aggregate, CommandContext, evolved};
use tidemill::record::Timestamp;
use tidemill::serde::{Data, SerdeRef};

/// Begins a test of an aggregate: these events have happened.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidemill::prelude::*;
/// use tidemill_testkit::given;
///
/// #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
/// #[data(json)]
/// struct Account(i64);
///
/// impl Aggregate for Account {
///     type Key = String;
///     type Command = i64;
///     type Event = i64;
///     type Refusal = String;
///
///     fn decide(&self, amount: &i64, _: &CommandContext<'_, String>) -> Result<Vec<i64>, String> {
///         if self.0 + amount >= 0 { Ok(vec![*amount]) } else { Err("insufficient funds".into()) }
///     }
///
///     fn evolve(&mut self, amount: &i64) {
///         self.0 += amount;
///     }
/// }
///
/// given::<Account>([10, 10]).when(-20).then([-20]).then_state(&Account(0));
/// given::<Account>([10]).when(-20).then_refused("insufficient funds".to_owned());
/// // A test goes on from what it has reached.
/// given::<Account>([]).when(5).then([5]).when(-5).then([-5]);
/// ```
///
/// # Panics
///
/// When an event cannot be written or read, or its type has no serde of its own.
#[must_use = "only `when` and `then` check anything"]
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let begun = Given { state: Some(A::default()), version: 0, time: Timestamp::ZERO };
    let events: Vec<A::Event> = events.into_iter().map(|event| through_bytes("event", event)).collect();
    begun.after(&events)
}

/// What has happened to an aggregate so far.
pub struct Given<A> {
    /// `None`: it is gone.
    state: Option<A>,
    version: u64,
    time: Timestamp,
}

impl<A: Aggregate> Given<A> {
    /// Sets the time of the commands that follow, in milliseconds; it is 0 before.
    #[must_use = "the time is that of what follows"]
    pub fn at(self, time: impl Into<Timestamp>) -> Self {
        Given { time: time.into(), ..self }
    }

    /// A command comes, for the default key.
    ///
    /// # Panics
    ///
    /// When the command cannot be written or read.
    pub fn when(self, command: impl Into<A::Command>) -> When<A>
    where
        A::Key: Default,
    {
        self.when_of(A::Key::default(), command)
    }

    /// A command comes, for this key.
    ///
    /// # Panics
    ///
    /// As [`when`](Given::when).
    pub fn when_of(self, key: A::Key, command: impl Into<A::Command>) -> When<A> {
        let command = through_bytes("command", command.into());
        let context = CommandContext::new(&key, self.time).at_version(self.version);
        let decision = self.state.clone().unwrap_or_default().decide(&command, &context);
        let decision = match decision {
            Ok(events) => Ok(events.into_iter().map(|event| through_bytes("event", event)).collect()),
            Err(refusal) => Err(through_bytes("refusal", refusal)),
        };
        When { before: self, decision }
    }

    /// Checks the state that has been reached.
    ///
    /// # Panics
    ///
    /// When it is another one, or gone.
    #[track_caller]
    pub fn then_state(self, expected: &A) -> Self
    where
        A: PartialEq + Debug,
    {
        assert_eq!(self.state.as_ref(), Some(expected), "the state");
        self
    }

    /// Checks that the aggregate is gone.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[track_caller]
    pub fn then_gone(self) -> Self {
        assert!(self.state.is_none(), "the aggregate is still there");
        self
    }

    /// The state that has been reached; `None` when it is gone.
    pub fn state(&self) -> Option<&A> {
        self.state.as_ref()
    }

    fn after(self, events: &[A::Event]) -> Self {
        let version = self.version + events.len() as u64;
        let state = match events {
            [] => self.state,
            events => evolved(self.state.unwrap_or_default(), events).map(|state| through_bytes("state", state)),
        };
        Given { state, version, ..self }
    }
}

/// A command that was decided.
#[must_use = "only `then` and its like check what was decided"]
pub struct When<A: Aggregate> {
    before: Given<A>,
    decision: Result<Vec<A::Event>, A::Refusal>,
}

impl<A: Aggregate> When<A> {
    /// Checks that the command was accepted with these events, and goes on behind them.
    ///
    /// # Panics
    ///
    /// When it was refused, or with other events.
    #[track_caller]
    pub fn then(self, events: impl IntoIterator<Item = A::Event>) -> Given<A>
    where
        A::Event: PartialEq + Debug,
        A::Refusal: Debug,
    {
        let expected: Vec<A::Event> = events.into_iter().collect();
        match self.decision {
            Ok(events) => {
                assert_eq!(events, expected, "the events that the command made");
                self.before.after(&events)
            }
            Err(refusal) => panic!("the command was refused: {refusal:?}; expected were the events {expected:?}"),
        }
    }

    /// Checks that the command was refused with this refusal, and goes on as if it had not come.
    ///
    /// # Panics
    ///
    /// When it was accepted, or refused for another reason.
    #[track_caller]
    pub fn then_refused(self, expected: impl Into<A::Refusal>) -> Given<A>
    where
        A::Event: Debug,
        A::Refusal: PartialEq + Debug,
    {
        let expected = expected.into();
        match self.decision {
            Err(refusal) => assert_eq!(refusal, expected, "why the command was refused"),
            Ok(events) => panic!("the command was accepted with {events:?}; expected was the refusal {expected:?}"),
        }
        self.before
    }

    /// What was decided.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn decision(&self) -> Result<&[A::Event], &A::Refusal> {
        self.decision.as_deref()
    }
}

/// What a value is after it was written and read; its bytes are the same again.
#[track_caller]
fn through_bytes<T: Data>(what: &str, value: T) -> T {
    let name = std::any::type_name::<T>();
    let serde = T::OWN_SERDE.map(SerdeRef::Static);
    let serde =
        serde.unwrap_or_else(|| panic!("the {what} `{name}` has no serde of its own: derive it with `#[data(json)]`"));
    let written = |value: &T| {
        serde.to_nullable_bytes(value).unwrap_or_else(|error| panic!("the {what} `{name}` cannot be written: {error}"))
    };
    let bytes = written(&value);
    let read = serde.read_nullable(bytes.as_deref());
    let read = read.unwrap_or_else(|error| panic!("the {what} `{name}` cannot be read again: {error}"));
    assert_eq!(written(&read), bytes, "the {what} `{name}` has other bytes after it was written and read");
    read
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    /// Counts up to a limit, that its serde forgets.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
    #[data(json, crate = tidemill)]
    struct Forgetful {
        count: u32,
        #[serde(skip)]
        is_open: bool,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
    #[data(json, crate = tidemill)]
    enum Event {
        Opened,
        Counted,
        Removed,
    }

    impl Aggregate for Forgetful {
        type Key = String;
        type Command = Event;
        type Event = Event;
        type Refusal = String;

        fn decide(&self, command: &Event, context: &CommandContext<'_, String>) -> Result<Vec<Event>, String> {
            match command {
                Event::Counted if context.time().as_millis() > 100 => Err(format!("too late at {}", context.version())),
                Event::Counted if !self.is_open => Err("not open".into()),
                _ => Ok(vec![command.clone()]),
            }
        }

        fn evolve(&mut self, event: &Event) {
            match event {
                Event::Opened => self.is_open = true,
                Event::Counted => self.count += 1,
                Event::Removed => self.count = u32::MAX,
            }
        }

        fn is_gone(&self) -> bool {
            self.count == u32::MAX
        }
    }

    #[test]
    fn what_a_format_loses_is_lost_in_the_test_too() {
        given::<Forgetful>([Event::Opened]).when(Event::Counted).then_refused("not open");
    }

    #[test]
    fn time_and_version_are_those_of_the_command() {
        let given = given::<Forgetful>([Event::Counted, Event::Counted]).at(101);
        given.when_of("a".into(), Event::Counted).then_refused("too late at 2");
    }

    #[test]
    fn what_is_gone_begins_anew() {
        let gone = given::<Forgetful>([Event::Counted]).when(Event::Removed).then([Event::Removed]).then_gone();
        gone.when(Event::Opened).then([Event::Opened]).then_state(&Forgetful::default());
    }

    #[test]
    #[should_panic(expected = "the command was refused: \"not open\"")]
    fn a_refusal_is_not_an_event() {
        let _ = given::<Forgetful>([]).when(Event::Counted).then([Event::Counted]);
    }

    #[test]
    #[should_panic(expected = "the command was accepted with [Opened]")]
    fn an_event_is_not_a_refusal() {
        let _ = given::<Forgetful>([]).when(Event::Opened).then_refused("not open");
    }

    #[test]
    #[should_panic(expected = "the events that the command made")]
    fn other_events_fail() {
        let _ = given::<Forgetful>([]).when(Event::Opened).then([]);
    }
}
