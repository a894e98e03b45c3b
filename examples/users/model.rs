//! What a user is, what can be asked of one, and what happens to one.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill::event_sourcing::{Aggregate, CommandContext, EventTopics, Tagged};
use tidemill::serde::{Data, SerdeRef};
use utoipa::ToSchema;

/// The names of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Data, ToSchema)]
#[data(json)]
pub(crate) struct User {
    pub(crate) first_name: String,
    pub(crate) last_name: String,
}

/// What can be asked of a user.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) enum Command {
    Create(User),
    Update(User),
}

/// What has happened to a user. In the topic an event is an object of its fields and its `type`, as the writers of the older
/// service have it; more fields than these are read over.
#[derive(Clone, Debug, PartialEq, Eq, Data)]
pub(crate) enum Event {
    Created(User),
    Modified(User),
}

/// Why nothing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) enum Reason {
    Exists,
    Unknown,
    Nameless,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Exists => "there is a user with this id already",
            Reason::Unknown => {
                "there is no user with this id; a `CreateUserCommand` makes one, and its answer has the id"
            }
            Reason::Nameless => "a user has a first name and a last name",
        })
    }
}

impl Aggregate for User {
    type Key = String;
    type Command = Command;
    type Event = Event;
    type Refusal = Reason;

    fn decide(&self, command: &Command, context: &CommandContext<'_, String>) -> Result<Vec<Event>, Reason> {
        let (Command::Create(user) | Command::Update(user)) = command;
        if user.first_name.is_empty() || user.last_name.is_empty() {
            return Err(Reason::Nameless);
        }
        match (command, context.version()) {
            (Command::Create(user), 0) => Ok(vec![Event::Created(user.clone())]),
            (Command::Create(_), _) => Err(Reason::Exists),
            (Command::Update(_), 0) => Err(Reason::Unknown),
            // Nothing happens to who is called so already.
            (Command::Update(user), _) if user == self => Ok(Vec::new()),
            (Command::Update(user), _) => Ok(vec![Event::Modified(user.clone())]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        let (Event::Created(user) | Event::Modified(user)) = event;
        self.clone_from(user);
    }
}

/// `users-appends`, `users-events`, and the store `users`.
pub(crate) fn topics() -> EventTopics<User> {
    let tags = Tagged::new()
        .with("UserCreatedEvent", Event::Created, |event| match event {
            Event::Created(user) => Some(user),
            Event::Modified(_) => None,
        })
        .with("UserModifiedEvent", Event::Modified, |event| match event {
            Event::Modified(user) => Some(user),
            Event::Created(_) => None,
        });
    EventTopics::new("users", SerdeRef::of(), SerdeRef::new(tags), SerdeRef::of())
}

#[cfg(test)]
mod tests {
    use tidemill::event_sourcing::{MemoryEvents, Repository};

    use super::*;

    fn called(first_name: &str, last_name: &str) -> User {
        User { first_name: first_name.into(), last_name: last_name.into() }
    }

    #[test]
    fn a_user_is_created_once_and_then_changed() {
        let mut users = Repository::<User, _>::new(MemoryEvents::default());
        let (id, ada) = ("7".to_owned(), called("Ada", "Byron"));
        assert_eq!(users.decide(&id, &Command::Update(ada.clone()), 0.into()), Err(Reason::Unknown));
        assert_eq!(users.decide(&id, &Command::Create(called("Ada", "")), 0.into()), Err(Reason::Nameless));
        assert_eq!(users.decide(&id, &Command::Create(ada.clone()), 0.into()), Ok(1));
        assert_eq!(users.decide(&id, &Command::Create(ada.clone()), 0.into()), Err(Reason::Exists));
        assert_eq!(users.decide(&id, &Command::Update(ada), 0.into()), Ok(0));
        assert_eq!(users.decide(&id, &Command::Update(called("Ada", "Lovelace")), 0.into()), Ok(1));
        assert_eq!(users.get(&id), Some(&called("Ada", "Lovelace")));
    }

    #[test]
    fn events_of_the_older_service_are_read() {
        let old = br#"{"id":"7","type":"UserCreatedEvent","create_time":"2020-07-24T10:00:00Z","version":0,"first_name":"Ada","last_name":"Byron"}"#;
        let events = topics().events().value_serde().clone();
        assert_eq!(events.read(old).unwrap(), Event::Created(called("Ada", "Byron")));
        let mut new = Vec::new();
        events.write(&Event::Modified(called("Ada", "Lovelace")), &mut new).unwrap();
        assert_eq!(
            String::from_utf8(new).unwrap(),
            r#"{"first_name":"Ada","last_name":"Lovelace","type":"UserModifiedEvent"}"#
        );
    }
}
