//! What the calculator answers to whom.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tidemill::event_sourcing::Refusal;
use tidemill::{App, TableChange, TableChanges};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::everywhere::everywhere;
use crate::model::{Calculation, Command, Operation, Reason};
use crate::topology::{COMMANDS, VALUES};
use crate::web::api;
use crate::web::modules::Stop;
use crate::web::problem::Problem;
use crate::web::serving::Running;

/// How long an operation may take until its client is told to ask again.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// A request with this header can be sent again: it is carried out once.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A value as clients see it.
#[derive(Debug, Serialize, ToSchema)]
struct Value {
    value_id: String,
    value: f64,
}

/// A value to begin with.
#[derive(Debug, Deserialize, ToSchema)]
struct Create {
    value: f64,
}

/// What to do with a value.
#[derive(Debug, Deserialize, ToSchema)]
struct Update {
    operation: Operation,
    value: f64,
}

#[derive(Clone)]
struct Service {
    app: Arc<App>,
    stop: Stop,
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Calculator", description = "Values that are created, added to and multiplied, each operation once."),
    paths(create, update, one, all, changes_of_one, changes)
)]
struct Description;

pub(crate) fn routes(Running { app, stop, .. }: Running) -> Router {
    let values = Router::new()
        .route("/", get(Html(include_str!("page.html"))))
        .route("/values", get(all).post(create))
        .route("/values/{id}", get(one).put(update))
        .route("/values/{id}/changes", get(changes_of_one))
        .route("/changes", get(changes))
        .with_state(Service { app, stop });
    values.merge(api::routes(Description::openapi()))
}

/// Create a value
#[utoipa::path(post, path = "/values", request_body = Create,
    params(("idempotency-key" = Option<Uuid>, Header, description = "becomes the value's id, so that the request can be sent again")),
    responses((status = 202, description = "the id of the value, which is there now", body = Uuid),
        (status = 400, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
async fn create(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Result<Json<Create>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(Create { value }) = body?;
    let id = idempotency_key(&headers)?.unwrap_or_else(Uuid::new_v4);
    service.ask(id, id, Command::CreateValue { value }).await?;
    Ok((StatusCode::ACCEPTED, [(LOCATION, format!("/values/{id}"))], Json(id)).into_response())
}

/// Add to a value, or multiply it
#[utoipa::path(put, path = "/values/{id}", request_body = Update,
    params(("id" = Uuid, Path, description = "the value's id"),
        ("idempotency-key" = Option<Uuid>, Header, description = "a new one for each operation, the same one to send it again")),
    responses((status = 202, description = "it is done"), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
async fn update(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Update>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let id = value_id(&id)?;
    let Json(Update { operation, value }) = body?;
    let request = idempotency_key(&headers)?.unwrap_or_else(Uuid::new_v4);
    service.ask(id, request, Command::UpdateValue { operation, value }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Get a value
#[utoipa::path(get, path = "/values/{id}", params(("id" = Uuid, Path, description = "the value's id")),
    responses((status = 200, body = Value), (status = 404, body = Problem), (status = 503, body = Problem)))]
async fn one(State(service): State<Service>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let id = value_id(&id)?;
    let found = everywhere(service.app.table(&VALUES), ANSWER_LIMIT).get(id.to_string()).await?;
    let value = found.and_then(|calculation| Value::of(id.to_string(), &calculation));
    value.map(Json).ok_or_else(|| Problem::not_found(Reason::Unknown.to_string()))
}

/// Get all values, in the order of their ids
#[utoipa::path(get, path = "/values", responses((status = 200, body = [Value]), (status = 503, body = Problem)))]
async fn all(State(service): State<Service>) -> Result<Json<Vec<Value>>, Problem> {
    let rows = everywhere(service.app.table(&VALUES), ANSWER_LIMIT).all().await?;
    Ok(Json(rows.into_iter().filter_map(|(id, calculation)| Value::of(id, &calculation)).collect()))
}

/// Follow a value: as it is now, and after each commit that changed it
#[utoipa::path(get, path = "/values/{id}/changes", params(("id" = Uuid, Path, description = "the value's id")),
    responses((status = 200, description = "server-sent events `value`", body = Value, content_type = "text/event-stream"),
        (status = 404, body = Problem), (status = 503, body = Problem)))]
async fn changes_of_one(
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>>>, Problem> {
    let id = value_id(&id)?;
    let changes = service.app.table(&VALUES).watch().key(id.to_string()).with_rows().await?;
    Ok(service.tell(changes))
}

/// Follow all values: as they are now, and after each commit those that it changed
#[utoipa::path(get, path = "/changes",
    responses((status = 200, description = "server-sent events `value`", body = Value, content_type = "text/event-stream"),
        (status = 503, body = Problem)))]
async fn changes(
    State(service): State<Service>,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>>>, Problem> {
    Ok(service.tell(service.app.table(&VALUES).watch().with_rows().await?))
}

impl Service {
    /// Has a command carried out, once for each `request`.
    async fn ask(&self, id: Uuid, request: Uuid, command: Command) -> Result<(), Problem> {
        let asked = self.app.ask(&COMMANDS, id.to_string(), command).id(request.to_string()).timeout(ANSWER_LIMIT);
        asked.await?.reply.accepted().map(drop).map_err(|refusal| {
            let status = match refusal {
                Refusal::Rule(Reason::Unknown) => StatusCode::NOT_FOUND,
                Refusal::Rule(Reason::TooLarge) => StatusCode::UNPROCESSABLE_ENTITY,
                _ => StatusCode::CONFLICT,
            };
            Problem::new(status, refusal.to_string())
        })
    }

    /// Changes as server-sent events, until the service ends.
    fn tell(
        &self,
        changes: TableChanges<String, Calculation>,
    ) -> Sse<impl Stream<Item = Result<Message, Infallible>> + use<>> {
        let messages = changes.filter_map(async |change| change.map_or_else(|error| Some(trouble(&error)), message));
        let until_the_end = messages.map(Ok).take_until(Box::pin(self.stop.clone().told()));
        Sse::new(until_the_end).keep_alive(KeepAlive::default())
    }
}

impl Value {
    /// `None` for a value that was never created.
    fn of(value_id: String, calculation: &Calculation) -> Option<Value> {
        calculation.value.map(|value| Value { value_id, value })
    }
}

fn message(change: TableChange<String, Calculation>) -> Option<Message> {
    let value = Value::of(change.key, &change.value?)?;
    Message::default().event("value").json_data(value).ok()
}

fn trouble(error: &tidemill::Error) -> Message {
    Message::default().event("trouble").data(error.to_string())
}

/// What is no id is the id of nothing.
fn value_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| Problem::not_found(format!("`{text}` is no id: ids are UUIDs, as a POST answers them")))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<Uuid>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let parsed = key.to_str().ok().and_then(|text| text.parse().ok());
    let wrong = || Problem::new(StatusCode::BAD_REQUEST, format!("the header `{IDEMPOTENCY_KEY}` must be a UUID"));
    parsed.map(Some).ok_or_else(wrong)
}
