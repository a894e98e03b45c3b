//! What a value is, what can be asked of it, and what happens to it.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill::event_sourcing::{Aggregate, CommandContext};
use tidemill::serde::Data;
use utoipa::ToSchema;

/// A value that was created, and what was done with it since; before, there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) struct Calculation {
    pub(crate) value: Option<f64>,
}

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
#[data(json)]
#[serde(tag = "action", content = "data")]
pub(crate) enum Command {
    CreateValue { value: f64 },
    UpdateValue { operation: Operation, value: f64 },
}

/// What can be done with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Operation {
    Add,
    Multiply,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
#[data(json)]
#[serde(tag = "action", content = "data")]
pub(crate) enum Event {
    ValueCreated { value: f64 },
    ValueUpdated { operation: Operation, value: f64 },
}

/// Why nothing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) enum Reason {
    /// There is a value with this id already.
    Exists,
    /// There is none.
    Unknown,
    /// The result would be too large for a number.
    TooLarge,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Exists => "there is a value with this id already",
            Reason::Unknown => "there is no value with this id; a POST to `/values` creates one",
            Reason::TooLarge => "the result is too large for a number",
        })
    }
}

impl Operation {
    fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Operation::Add => left + right,
            Operation::Multiply => left * right,
        }
    }
}

impl Aggregate for Calculation {
    type Key = String;
    type Command = Command;
    type Event = Event;
    type Refusal = Reason;

    fn decide(&self, command: &Command, _: &CommandContext<'_, String>) -> Result<Vec<Event>, Reason> {
        match (command.clone(), self.value) {
            (Command::CreateValue { .. }, Some(_)) => Err(Reason::Exists),
            (Command::CreateValue { value }, None) => Ok(vec![Event::ValueCreated { value }]),
            (Command::UpdateValue { .. }, None) => Err(Reason::Unknown),
            (Command::UpdateValue { operation, value }, Some(current)) => {
                // JSON has no word for infinity: a value that is one could not be read again.
                if !operation.of(current, value).is_finite() {
                    return Err(Reason::TooLarge);
                }
                Ok(vec![Event::ValueUpdated { operation, value }])
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.value = match *event {
            Event::ValueCreated { value } => Some(value),
            Event::ValueUpdated { operation, value } => self.value.map(|current| operation.of(current, value)),
        };
    }
}

#[cfg(test)]
mod tests {
    use tidemill_testkit::given;

    use super::*;

    const TWO: Event = Event::ValueCreated { value: 2.0 };

    #[test]
    fn two_and_two_times_three_is_twelve() {
        let (add, multiply) = (Operation::Add, Operation::Multiply);
        given::<Calculation>([])
            .when(Command::CreateValue { value: 2.0 })
            .then([TWO])
            .when(Command::UpdateValue { operation: add, value: 2.0 })
            .then([Event::ValueUpdated { operation: add, value: 2.0 }])
            .when(Command::UpdateValue { operation: multiply, value: 3.0 })
            .then([Event::ValueUpdated { operation: multiply, value: 3.0 }])
            .then_state(&Calculation { value: Some(12.0) });
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let multiply = |value| Command::UpdateValue { operation: Operation::Multiply, value };
        given::<Calculation>([]).when(multiply(3.0)).then_refused(Reason::Unknown);
        given::<Calculation>([TWO]).when(Command::CreateValue { value: 3.0 }).then_refused(Reason::Exists);
        given::<Calculation>([TWO]).when(multiply(f64::MAX)).then_refused(Reason::TooLarge);
    }
}
