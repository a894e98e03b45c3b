//! Authors: created, renamed, deleted, and created again.

use serde::{Deserialize, Serialize};
use tidemill::Topic;
use tidemill::event_sourcing::{Aggregate, CommandContext, Commands};
use tidemill::serde::Data;
use tidemill::state::Store;
use utoipa::ToSchema;

use crate::entity::{Entity, Outcome};

/// Whether there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum State {
    /// Not created, or deleted
    #[default]
    Draft,
    Valid,
}

/// An author.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Data, ToSchema)]
#[data(json)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Author {
    pub(crate) state: State,
    pub(crate) code: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data, ToSchema)]
#[data(json)]
#[serde(tag = "_type", rename_all_fields = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "the variants are called as messages are")]
pub(crate) enum AuthorCommand {
    CreateAuthor { code: String, first_name: String, last_name: String },
    UpdateAuthor { code: String, first_name: String, last_name: String },
    DeleteAuthor { code: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data, ToSchema)]
#[data(json)]
#[serde(tag = "_type", rename_all_fields = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "the variants are called as messages are")]
pub(crate) enum AuthorEvent {
    AuthorCreated { code: String, first_name: String, last_name: String },
    AuthorUpdated { code: String, first_name: String, last_name: String },
    AuthorDeleted { code: String },
    AuthorError { code: String, message: String },
}

impl Entity for Author {
    const COMMANDS: Commands<Author> = Commands::of("catalog-authors-commands");
    const EVENTS: Topic<String, AuthorEvent> = Topic::of("catalog-authors-events");
    const STATES: Store<String, Author> = Store::of("authors");
    const OUTCOMES: Store<String, Outcome<AuthorEvent>> = Store::of("authors.eventsByMsgId");

    fn key_of(command: &AuthorCommand) -> String {
        match command {
            AuthorCommand::CreateAuthor { code, .. }
            | AuthorCommand::UpdateAuthor { code, .. }
            | AuthorCommand::DeleteAuthor { code } => code.clone(),
        }
    }

    fn error(key: &str, message: &str) -> AuthorEvent {
        AuthorEvent::AuthorError { code: key.into(), message: message.into() }
    }

    fn is_error(event: &AuthorEvent) -> bool {
        matches!(event, AuthorEvent::AuthorError { .. })
    }
}

impl Aggregate for Author {
    type Key = String;
    type Command = AuthorCommand;
    type Event = AuthorEvent;
    type Refusal = AuthorEvent;

    fn decide(
        &self,
        command: &AuthorCommand,
        context: &CommandContext<'_, String>,
    ) -> Result<Vec<AuthorEvent>, AuthorEvent> {
        let refuse = |message| Err(Author::error(context.key(), message));
        if Author::key_of(command) != *context.key() {
            return refuse("Code doesn't match");
        }
        match (command.clone(), self.state) {
            (AuthorCommand::CreateAuthor { .. }, State::Valid) => refuse("Entity already created"),
            (AuthorCommand::UpdateAuthor { .. } | AuthorCommand::DeleteAuthor { .. }, State::Draft) => {
                refuse("Entity not valid")
            }
            (AuthorCommand::CreateAuthor { first_name, .. } | AuthorCommand::UpdateAuthor { first_name, .. }, _)
                if first_name.is_empty() =>
            {
                refuse("Invalid firstName")
            }
            (AuthorCommand::CreateAuthor { last_name, .. } | AuthorCommand::UpdateAuthor { last_name, .. }, _)
                if last_name.is_empty() =>
            {
                refuse("Invalid lastName")
            }
            (AuthorCommand::CreateAuthor { code, first_name, last_name }, _) => {
                Ok(vec![AuthorEvent::AuthorCreated { code, first_name, last_name }])
            }
            (AuthorCommand::UpdateAuthor { code, first_name, last_name }, _) => {
                Ok(vec![AuthorEvent::AuthorUpdated { code, first_name, last_name }])
            }
            (AuthorCommand::DeleteAuthor { code }, _) => Ok(vec![AuthorEvent::AuthorDeleted { code }]),
        }
    }

    fn evolve(&mut self, event: &AuthorEvent) {
        match event.clone() {
            AuthorEvent::AuthorCreated { code, first_name, last_name }
            | AuthorEvent::AuthorUpdated { code, first_name, last_name } => {
                *self = Author { state: State::Valid, code, first_name, last_name };
            }
            AuthorEvent::AuthorDeleted { .. } => *self = Author::default(),
            AuthorEvent::AuthorError { .. } => {}
        }
    }

    /// A deleted author leaves the store, so nobody has to filter.
    fn is_gone(&self) -> bool {
        self.state == State::Draft
    }
}
