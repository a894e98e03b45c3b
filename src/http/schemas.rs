//! The schemas of a registry, for people and for programs that read Kaa's server.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tidemill_avro::{AvroErrorKind, SchemaId, SchemaRegistry};

/// A view of a registry's schemas: `GET /` says what it is, `GET /schemas/ids/{id}` gives a schema's text over several lines, by its
/// signed number.
///
/// An id that nobody put is 404, one that is no number 400, and a registry that does not answer 503.
///
/// ```
/// use std::sync::Arc;
/// use tidemill::avro::MemoryRegistry;
///
/// let view = tidemill::http::schemas(Arc::new(MemoryRegistry::new()));
/// let app: axum::Router = axum::Router::new().nest("/registry", view);
/// ```
pub fn schemas(registry: Arc<dyn SchemaRegistry>) -> Router {
    Router::new()
        .route("/", get(async || "schemas of tidemill: GET schemas/ids/{id}\n"))
        .route("/schemas/ids/{id}", get(schema))
        .with_state(registry)
}

async fn schema(State(registry): State<Arc<dyn SchemaRegistry>>, Path(id): Path<String>) -> Response {
    let Ok(number) = id.parse() else {
        return (StatusCode::BAD_REQUEST, format!("`{id}` is no id: a signed number of 64 bits\n")).into_response();
    };
    // A registry may read its topic, which is no work for the threads that answer.
    let found = tokio::task::spawn_blocking(move || registry.get(SchemaId::new(number))).await;
    match found {
        Ok(Ok(Some(schema))) => ([(header::CONTENT_TYPE, "application/json")], schema.pretty()).into_response(),
        Ok(Ok(None)) => (StatusCode::NOT_FOUND, format!("no schema has the id {number}\n")).into_response(),
        Ok(Err(error)) if error.kind() == AvroErrorKind::Registry => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
        }
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
