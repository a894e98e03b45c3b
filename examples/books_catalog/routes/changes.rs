//! Changes as they are committed, for pages that show what there is.

use std::convert::Infallible;
use std::future::ready;

use axum::extract::State;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use tidemill::TableChanges;

use super::Service;
use crate::author::Author;
use crate::book::Book;
use crate::entity::Entity;
use crate::topology::CARDS;
use crate::web::problem::Problem;

/// A row after a commit.
#[derive(Serialize)]
struct Row<V> {
    key: String,
    /// `null` when it is gone
    value: Option<V>,
}

/// Follow authors, books and cards, where this process has them all: as they are now, and after each commit those that it changed
#[utoipa::path(get, path = "/changes",
    responses((status = 200, description = "server-sent events `author`, `book` and `card` with `key` and `value`", content_type = "text/event-stream"),
        (status = 503, body = Problem)))]
pub(super) async fn changes(
    State(service): State<Service>,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>>>, Problem> {
    let authors = service.app.table(&Author::STATES).watch().with_rows().await?;
    let books = service.app.table(&Book::STATES).watch().with_rows().await?;
    let cards = service.app.table(&CARDS).watch().with_rows().await?;
    let all = stream::select(told("author", authors), stream::select(told("book", books), told("card", cards)));
    let until_the_end = all.map(Ok).take_until(Box::pin(service.stop.told()));
    Ok(Sse::new(until_the_end).keep_alive(KeepAlive::default()))
}

fn told<V: Serialize + Send + 'static>(
    name: &'static str,
    rows: TableChanges<String, V>,
) -> impl Stream<Item = Message> {
    rows.filter_map(move |change| {
        ready(match change {
            Ok(change) => Message::default().event(name).json_data(Row { key: change.key, value: change.value }).ok(),
            Err(error) => Some(Message::default().event("trouble").data(error.to_string())),
        })
    })
}
