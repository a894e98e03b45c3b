//! What the catalog answers to whom.

mod cards;
mod changes;
mod entities;
mod instances;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde::Deserialize;
use tidemill::{App, TableQuery};
use utoipa::{IntoParams, OpenApi};

use crate::author::{Author, AuthorCommand, AuthorEvent};
use crate::book::{Book, BookCommand, BookEvent};
use crate::everywhere::everywhere;
use crate::topology::Card;
use crate::web::api;
use crate::web::modules::Stop;
use crate::web::problem::Problem;
use crate::web::serving::Running;

/// How long a command's events are waited for, by who sent it or asks for them.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Service {
    app: Arc<App>,
    stop: Stop,
    address: SocketAddr,
}

/// Where to look.
#[derive(Debug, Deserialize, IntoParams)]
struct Which {
    /// Ask no other process: only rows that this one has
    #[serde(default, rename = "_local")]
    local: bool,
}

impl Which {
    fn of<K: 'static, V: Send + 'static>(&self, table: TableQuery<K, V>) -> TableQuery<K, V> {
        if self.local { table.local() } else { everywhere(table, ANSWER_LIMIT) }
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Books catalog",
        description = "Books and their authors: commands with receipts, events by the id of their command, and cards that join both."
    ),
    paths(cards::all, cards::one, changes::changes, instances::all, instances::of_store),
    components(schemas(Author, AuthorCommand, AuthorEvent, Book, BookCommand, BookEvent, Card, Problem))
)]
struct Description;

pub(crate) fn routes(Running { app, stop, address }: Running) -> Router {
    let mut description = Description::openapi();
    entities::describe::<Author>(&mut description, "authors", ("AuthorCommand", "Author", "code"));
    entities::describe::<Book>(&mut description, "books", ("BookCommand", "Book", "id"));
    let catalog = Router::new()
        .route("/", get(Html(include_str!("../page.html"))))
        .nest("/authors", entities::routes::<Author>())
        .nest("/books", entities::routes::<Book>())
        .route("/booksCards/all", get(cards::all))
        .route("/booksCards/one/{id}", get(cards::one))
        .route("/instances", get(instances::all))
        .route("/instances/{store}", get(instances::of_store))
        .route("/changes", get(changes::changes))
        .with_state(Service { app, stop, address });
    catalog.merge(api::routes(description))
}
