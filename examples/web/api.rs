//! The description of a service: `/openapi.json` for programs, `/api` for people.

use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::OpenApi;

/// The routes of the description.
pub(crate) fn routes(description: OpenApi) -> Router {
    let json = move || async move { Json(description) };
    Router::new().route("/openapi.json", get(json)).route("/api", get(Html(include_str!("api.html"))))
}
