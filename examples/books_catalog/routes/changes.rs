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

/// Follow the authors, books and cards that this process has: as they are now, and after each commit those that it changed. It ends
/// when others go to another process or come from there: begin anew
#[utoipa::path(get, path = "/changes",
    responses((status = 200, description = "server-sent events `author`, `book` and `card` with `key` and `value`", content_type = "text/event-stream"),
        (status = 503, body = Problem)))]
pub(super) async fn changes(
    State(service): State<Service>,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>>>, Problem> {
    let authors = service.app.table(&Author::STATES).local().watch().with_rows().await?;
    let books = service.app.table(&Book::STATES).local().watch().with_rows().await?;
    let cards = service.app.table(&CARDS).local().watch().with_rows().await?;
    let all = stream::select(told("author", authors), stream::select(told("book", books), told("card", cards)));
    // Browsers come back by themselves, and get the rows that are here then.
    let while_they_stay = all.take_while(|told| ready(told.is_ok())).filter_map(|told| ready(told.ok())).map(Ok);
    let until_the_end = while_they_stay.take_until(Box::pin(service.stop.told()));
    Ok(Sse::new(until_the_end).keep_alive(KeepAlive::default()))
}

fn told<V: Serialize + Send + 'static>(
    name: &'static str,
    rows: TableChanges<String, V>,
) -> impl Stream<Item = Result<Message, axum::Error>> {
    rows.map(move |change| {
        let change = change.map_err(axum::Error::new)?;
        Message::default().event(name).json_data(Row { key: change.key, value: change.value })
    })
}
