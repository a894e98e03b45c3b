//! Books: created, given an author, chapters added and removed.

use serde::{Deserialize, Serialize};
use tidemill::Topic;
use tidemill::event_sourcing::{Aggregate, CommandContext, Commands};
use tidemill::serde::Data;
use tidemill::state::Store;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::author::State;
use crate::entity::{Entity, Outcome};

/// A chapter; their ids begin at 1 and are not used again while there is a later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Chapter {
    pub(crate) id: u32,
    pub(crate) title: String,
    pub(crate) content: String,
}

/// A book.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Data, ToSchema)]
#[data(json)]
pub(crate) struct Book {
    pub(crate) id: Uuid,
    pub(crate) title: String,
    /// The code of its author
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) author: Option<String>,
    pub(crate) state: State,
    pub(crate) chapters: Vec<Chapter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data, ToSchema)]
#[data(json)]
#[serde(tag = "_type", rename_all_fields = "camelCase")]
pub(crate) enum BookCommand {
    CreateBook {
        title: String,
        id: Uuid,
    },
    SetBookAuthor {
        id: Uuid,
        #[serde(default)]
        author: Option<String>,
    },
    AddChapter {
        id: Uuid,
        title: String,
        content: String,
    },
    RemoveChapter {
        id: Uuid,
        chapter_id: u32,
    },
    RemoveBook {
        id: Uuid,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data, ToSchema)]
#[data(json)]
#[serde(tag = "_type", rename_all_fields = "camelCase")]
pub(crate) enum BookEvent {
    BookCreated {
        id: Uuid,
        title: String,
    },
    BookAuthorSet {
        id: Uuid,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        author: Option<String>,
    },
    ChapterAdded {
        id: Uuid,
        chapter_id: u32,
        title: String,
        content: String,
    },
    ChapterRemoved {
        id: Uuid,
        chapter_id: u32,
    },
    BookRemoved {
        id: Uuid,
    },
    BookError {
        id: String,
        error: String,
    },
}

impl BookCommand {
    fn id(&self) -> Uuid {
        match self {
            BookCommand::CreateBook { id, .. }
            | BookCommand::SetBookAuthor { id, .. }
            | BookCommand::AddChapter { id, .. }
            | BookCommand::RemoveChapter { id, .. }
            | BookCommand::RemoveBook { id } => *id,
        }
    }
}

impl Entity for Book {
    const COMMANDS: Commands<Book> = Commands::of("catalog-books-commands");
    const EVENTS: Topic<String, BookEvent> = Topic::of("catalog-books-events");
    const STATES: Store<String, Book> = Store::of("books");
    const OUTCOMES: Store<String, Outcome<BookEvent>> = Store::of("books.eventsByMsgId");

    fn key_of(command: &BookCommand) -> String {
        command.id().to_string()
    }

    fn error(key: &str, message: &str) -> BookEvent {
        BookEvent::BookError { id: key.into(), error: message.into() }
    }

    fn is_error(event: &BookEvent) -> bool {
        matches!(event, BookEvent::BookError { .. })
    }
}

impl Aggregate for Book {
    type Key = String;
    type Command = BookCommand;
    type Event = BookEvent;
    type Refusal = BookEvent;

    fn decide(&self, command: &BookCommand, context: &CommandContext<'_, String>) -> Result<Vec<BookEvent>, BookEvent> {
        let refuse = |message| Err(Book::error(context.key(), message));
        if command.id().to_string() != *context.key() {
            return refuse("Id doesn't match");
        }
        match (command.clone(), self.state) {
            (BookCommand::CreateBook { .. }, State::Valid) => refuse("Entity already created"),
            (BookCommand::CreateBook { title, .. }, _) if title.is_empty() => refuse("Invalid title"),
            (BookCommand::CreateBook { id, title }, State::Draft) => Ok(vec![BookEvent::BookCreated { id, title }]),
            (_, State::Draft) => refuse("Entity not valid"),
            (BookCommand::SetBookAuthor { id, author }, _) => Ok(vec![BookEvent::BookAuthorSet { id, author }]),
            (BookCommand::AddChapter { id, title, content }, _) => {
                let chapter_id = self.chapters.iter().map(|chapter| chapter.id).max().unwrap_or(0) + 1;
                Ok(vec![BookEvent::ChapterAdded { id, chapter_id, title, content }])
            }
            (BookCommand::RemoveChapter { id, chapter_id }, _) => {
                if !self.chapters.iter().any(|chapter| chapter.id == chapter_id) {
                    return refuse("Invalid chapter position");
                }
                Ok(vec![BookEvent::ChapterRemoved { id, chapter_id }])
            }
            // A book is removed chapter by chapter, and then itself: several events of one command.
            (BookCommand::RemoveBook { id }, _) => {
                let chapters =
                    self.chapters.iter().map(|chapter| BookEvent::ChapterRemoved { id, chapter_id: chapter.id });
                Ok(chapters.chain([BookEvent::BookRemoved { id }]).collect())
            }
        }
    }

    fn evolve(&mut self, event: &BookEvent) {
        match event.clone() {
            BookEvent::BookCreated { id, title } => *self = Book { id, title, state: State::Valid, ..Book::default() },
            BookEvent::BookAuthorSet { author, .. } => self.author = author,
            BookEvent::ChapterAdded { chapter_id: id, title, content, .. } => {
                self.chapters.push(Chapter { id, title, content });
            }
            BookEvent::ChapterRemoved { chapter_id, .. } => self.chapters.retain(|chapter| chapter.id != chapter_id),
            BookEvent::BookRemoved { .. } => *self = Book::default(),
            BookEvent::BookError { .. } => {}
        }
    }

    /// A removed book leaves the store, so nobody has to filter.
    fn is_gone(&self) -> bool {
        self.state == State::Draft
    }
}
