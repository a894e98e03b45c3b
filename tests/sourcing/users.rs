//! Users of a repository: their events by tag, in the JSON that the system which the repository is modelled on has written.

use serde::{Deserialize, Serialize};
use tidemill::event_sourcing::{Aggregate, CommandContext, EventTopics, Tagged};
use tidemill::serde::{Data, SerdeRef};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) struct User {
    pub(crate) first_name: String,
    pub(crate) last_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Names {
    pub(crate) first_name: String,
    pub(crate) last_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Data)]
pub(crate) enum UserEvent {
    Created(Names),
    Modified(Names),
}

impl Aggregate for User {
    type Key = String;
    type Command = String;
    type Event = UserEvent;
    type Refusal = String;

    /// Gives the user this first name.
    fn decide(&self, first_name: &String, context: &CommandContext<'_, String>) -> Result<Vec<UserEvent>, String> {
        if context.version() == 0 {
            return Err(format!("there is no user `{}`", context.key()));
        }
        Ok(vec![UserEvent::Modified(names(first_name, &self.last_name))])
    }

    fn evolve(&mut self, event: &UserEvent) {
        let (UserEvent::Created(names) | UserEvent::Modified(names)) = event;
        *self = User { first_name: names.first_name.clone(), last_name: names.last_name.clone() };
    }
}

pub(crate) fn names(first: &str, last: &str) -> Names {
    Names { first_name: first.into(), last_name: last.into() }
}

pub(crate) fn user(first: &str, last: &str) -> User {
    User { first_name: first.into(), last_name: last.into() }
}

pub(crate) fn created(first: &str, last: &str) -> UserEvent {
    UserEvent::Created(names(first, last))
}

pub(crate) fn modified(first: &str, last: &str) -> UserEvent {
    UserEvent::Modified(names(first, last))
}

pub(crate) fn tags() -> Tagged<UserEvent> {
    Tagged::new()
        .with("UserCreatedEvent", UserEvent::Created, |event| match event {
            UserEvent::Created(names) => Some(names),
            UserEvent::Modified(_) => None,
        })
        .with("UserModifiedEvent", UserEvent::Modified, |event| match event {
            UserEvent::Modified(names) => Some(names),
            UserEvent::Created(_) => None,
        })
}

pub(crate) fn topics() -> EventTopics<User> {
    EventTopics::new("users", SerdeRef::of(), SerdeRef::new(tags()), SerdeRef::of())
}
