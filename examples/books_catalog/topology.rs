//! Authors and books are decided in one step each; what came of a command is kept by its id for an hour; and the cards of books
//! follow both.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::event_sourcing::headers::CAUSED_BY;
use tidemill::processor::Flow;
use tidemill::record::Record;
use tidemill::serde::Data;
use tidemill::state::Store;
use tidemill::stream::{StreamsBuilder, Table};
use tidemill::topology::{Topology, TopologyErrors};
use utoipa::ToSchema;

use crate::author::Author;
use crate::book::Book;
use crate::entity::{Entity, Outcome, told_of};

/// The application's id: what goes before the names of all its topics.
pub(crate) const CATALOG: &str = "catalog";
pub(crate) const CARDS: Store<String, Card> = Store::of("booksCards");

/// For how long it can be asked what came of a command.
const OUTCOMES_FOR: Duration = Duration::from_secs(3600);

/// A book with its author.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data, ToSchema)]
#[data(json)]
pub(crate) struct Card {
    pub(crate) book: Book,
    pub(crate) author: Author,
}

pub(crate) fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let authors = decided::<Author>(&builder, "authors");
    let books = decided::<Book>(&builder, "books");
    let cards = books
        .join_on_with(
            &authors,
            &CARDS,
            |_, book| book.author.clone(),
            |book, author| Card { book: book.clone(), author: author.clone() },
        )
        .named("cards");
    // Nothing follows it but who asks for its rows.
    drop(cards);
    builder.build()
}

/// The states of an entity's kind, its events in their topic, and what came of its commands.
fn decided<'b, A: Entity>(builder: &'b StreamsBuilder, name: &str) -> Table<'b, String, A>
where
    A::Event: Clone + Serialize + serde::de::DeserializeOwned,
{
    let decisions = builder.stream(&A::COMMANDS).event_sourced(&A::STATES).named(&format!("decide-{name}"));
    let refused = decisions.refusals().map_values_with_key(|key, refusal| told_of::<A>(key, refusal));
    decisions.events().merge(&refused).to(&A::EVENTS);
    // The id of the command is in the headers of what came of it; a command without one cannot be asked for.
    let by_id = decisions.replies().process_fn(
        |reply, ctx| -> Flow {
            let Some(id) = reply.headers.last(CAUSED_BY).and_then(|id| String::from_utf8(id.to_vec()).ok()) else {
                return Ok(());
            };
            let outcome = Outcome::of::<A>(reply.key, reply.value);
            ctx.forward(Record { key: &id, value: &outcome, timestamp: reply.timestamp, headers: reply.headers })
        },
        &[],
    );
    by_id.to_table_with(&A::OUTCOMES).named(&format!("{name}-outcomes")).expire_after(OUTCOMES_FOR);
    decisions.states()
}

#[cfg(test)]
mod tests {
    use tidemill_testkit::explorer::Explorer;
    use tidemill_testkit::{TestDriver, given};
    use uuid::Uuid;

    use super::*;
    use crate::author::{AuthorCommand, AuthorEvent};
    use crate::book::{BookCommand, BookEvent};
    use crate::crashes;

    const AUTHOR_STATES: tidemill::Topic<String, Option<Author>> = tidemill::Topic::of("catalog-authors-changelog");
    const CARD_STATES: tidemill::Topic<String, Option<Card>> = tidemill::Topic::of("catalog-booksCards-changelog");

    fn driver() -> TestDriver {
        TestDriver::new(&topology().unwrap()).application(CATALOG)
    }

    fn create(code: &str) -> AuthorCommand {
        AuthorCommand::CreateAuthor { code: code.into(), first_name: "Umberto".into(), last_name: "Eco".into() }
    }

    fn created(code: &str) -> AuthorEvent {
        AuthorEvent::AuthorCreated { code: code.into(), first_name: "Umberto".into(), last_name: "Eco".into() }
    }

    fn error(message: &str) -> AuthorEvent {
        Author::error("eco", message)
    }

    fn number(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn an_author_is_created_once_and_again_after_a_delete() {
        let mut driver = driver();
        let update =
            AuthorCommand::UpdateAuthor { code: "eco".into(), first_name: "U.".into(), last_name: "Eco".into() };
        let delete = AuthorCommand::DeleteAuthor { code: "eco".into() };
        for command in [update.clone(), create("eco"), create("eco"), update, delete.clone(), delete, create("eco")] {
            driver.input(&Author::COMMANDS).send("eco", command);
        }
        let updated =
            AuthorEvent::AuthorUpdated { code: "eco".into(), first_name: "U.".into(), last_name: "Eco".into() };
        let deleted = AuthorEvent::AuthorDeleted { code: "eco".into() };
        let (twice, invalid) = (error("Entity already created"), error("Entity not valid"));
        assert_eq!(
            driver.output(&Author::EVENTS).values(),
            [invalid.clone(), created("eco"), twice, updated, deleted, invalid, created("eco")]
        );
        assert_eq!(driver.store(&Author::STATES).get("eco").unwrap().first_name, "Umberto");
        let first_names: Vec<Option<String>> = driver
            .output(&AUTHOR_STATES)
            .values()
            .into_iter()
            .map(|author| author.map(|author| author.first_name))
            .collect();
        assert_eq!(first_names, [Some("Umberto".into()), Some("U.".into()), None, Some("Umberto".into())]);
    }

    #[test]
    fn an_author_has_names_and_the_code_of_its_key() {
        let nameless = |first_name: &str, last_name: &str| AuthorCommand::CreateAuthor {
            code: "eco".into(),
            first_name: first_name.into(),
            last_name: last_name.into(),
        };
        let mut driver = driver();
        driver
            .input(&Author::COMMANDS)
            .send("eco", nameless("", "Eco"))
            .send("eco", nameless("Umberto", ""))
            .send("eco", create("other"));
        let refused = ["Invalid firstName", "Invalid lastName", "Code doesn't match"].map(error);
        assert_eq!(driver.output(&Author::EVENTS).values(), refused);
        assert_eq!(driver.store(&Author::STATES).get("eco"), None);
    }

    #[test]
    fn a_book_is_removed_with_its_chapters() {
        let id = number(1);
        let chapter = |title: &str| BookCommand::AddChapter { id, title: title.into(), content: "text".into() };
        let added = |chapter_id, title: &str| BookEvent::ChapterAdded {
            id,
            chapter_id,
            title: title.into(),
            content: "text".into(),
        };
        let mut driver = driver();
        let commands = [
            BookCommand::CreateBook { id, title: "Baudolino".into() },
            chapter("one"),
            chapter("two"),
            BookCommand::RemoveChapter { id, chapter_id: 3 },
            BookCommand::RemoveChapter { id, chapter_id: 1 },
            chapter("three"),
            BookCommand::RemoveBook { id },
        ];
        for command in commands {
            driver.input(&Book::COMMANDS).send(id.to_string(), command);
        }
        let removed = |chapter_id| BookEvent::ChapterRemoved { id, chapter_id };
        assert_eq!(
            driver.output(&Book::EVENTS).values(),
            [
                BookEvent::BookCreated { id, title: "Baudolino".into() },
                added(1, "one"),
                added(2, "two"),
                Book::error(&id.to_string(), "Invalid chapter position"),
                removed(1),
                added(3, "three"),
                removed(2),
                removed(3),
                BookEvent::BookRemoved { id },
            ]
        );
        assert_eq!(driver.store(&Book::STATES).get(id.to_string()), None);
    }

    #[test]
    fn a_card_is_gone_with_its_author() {
        let mut driver = driver();
        for code in ["lem", "calvino", "eco"] {
            driver.input(&Author::COMMANDS).send(code, create(code));
        }
        for (book, code) in [(1, "lem"), (2, "calvino"), (3, "eco")] {
            let id = number(book);
            let author = BookCommand::SetBookAuthor { id, author: Some(code.into()) };
            let created = BookCommand::CreateBook { id, title: format!("book {book}") };
            driver.input(&Book::COMMANDS).send(id.to_string(), created).send(id.to_string(), author);
        }
        driver.input(&Author::COMMANDS).send("eco", AuthorCommand::DeleteAuthor { code: "eco".into() });
        let cards = driver.output(&CARD_STATES).records();
        let last = cards.last().unwrap();
        assert_eq!((cards.len(), last.key.clone(), last.value.clone()), (4, number(3).to_string().into(), None));
        assert_eq!(driver.store(&CARDS).get(number(1).to_string()).unwrap().author.code, "lem");
    }

    #[test]
    fn crashes_leave_no_trace() {
        let id = number(1);
        let created = BookCommand::CreateBook { id, title: "Baudolino".into() };
        let explorer = Explorer::new(&topology().unwrap())
            .input(&Author::COMMANDS, [("eco", create("eco"))])
            .input(&Book::COMMANDS, [(id.to_string(), created)]);
        crashes::leave_no_trace("books_catalog", &explorer);
    }

    #[test]
    fn the_rule_of_a_book_by_itself() {
        let id = number(9);
        let refused = Book::error("", "Id doesn't match");
        given::<Book>([]).when(BookCommand::RemoveBook { id }).then_refused(refused);
    }
}
