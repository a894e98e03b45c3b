//! Cards: books that have an author.

use axum::Json;
use axum::extract::{Path, Query, State};

use super::{Service, Which};
use crate::topology::{CARDS, Card};
use crate::web::problem::Problem;

/// Get all cards
#[utoipa::path(get, path = "/booksCards/all", params(Which),
    responses((status = 200, body = [Card]), (status = 503, body = Problem)))]
pub(super) async fn all(
    State(service): State<Service>,
    Query(which): Query<Which>,
) -> Result<Json<Vec<Card>>, Problem> {
    let rows = which.of(service.app.table(&CARDS)).all().await?;
    Ok(Json(rows.into_iter().map(|(_, card)| card).collect()))
}

/// Get the card of a book
#[utoipa::path(get, path = "/booksCards/one/{id}", params(("id" = uuid::Uuid, Path, description = "the book's id"), Which),
    responses((status = 200, body = Card), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn one(
    State(service): State<Service>,
    Path(id): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<Card>, Problem> {
    let found = which.of(service.app.table(&CARDS)).get(&*id).await?;
    found.map(Json).ok_or_else(|| {
        Problem::not_found(format!("there is no card of a book `{id}`: no such book, or none with an author"))
    })
}
