//! The routes that authors and books both have: commands, the events of a command by its id, all, and one.

use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidemill::AskError;
use utoipa::openapi::OpenApi;
use uuid::Uuid;

use super::{ANSWER_LIMIT, Service, Which};
use crate::entity::{Entity, Outcome};
use crate::everywhere::everywhere;
use crate::web::problem::Problem;

/// The command's id, in requests and answers.
const MESSAGE_ID: HeaderName = HeaderName::from_static("message-id");
/// How often it is looked whether a command's events are there.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether to wait.
#[derive(Debug, Deserialize)]
struct Waiting {
    /// The answer is the command's id, at once
    #[serde(default)]
    r#async: bool,
}

pub(super) fn routes<A>() -> Router<Service>
where
    A: Entity<Command: DeserializeOwned, Event: Clone + Serialize + DeserializeOwned>,
{
    Router::new()
        .route("/commands", post(command::<A>))
        .route("/events/one/{message}", get(events::<A>))
        .route("/all", get(all::<A>))
        .route("/one/{key}", get(one::<A>))
}

/// Sends a command. Its events are the answer, unless they do not come in time or nobody wants to wait: then it is the command's id.
async fn command<A>(
    State(service): State<Service>,
    Query(Waiting { r#async }): Query<Waiting>,
    headers: axum::http::HeaderMap,
    body: Result<Json<A::Command>, JsonRejection>,
) -> Result<Response, Problem>
where
    A: Entity<Command: DeserializeOwned, Event: Clone + Serialize + DeserializeOwned>,
{
    let Json(command) = body?;
    let id = message_id(&headers)?.unwrap_or_else(Uuid::new_v4);
    let key = A::key_of(&command);
    let limit = if r#async { Duration::ZERO } else { ANSWER_LIMIT };
    let asked = service.app.ask(&A::COMMANDS, key.clone(), command).id(id.to_string()).timeout(limit).await;
    let receipt = [(MESSAGE_ID, id.to_string())];
    match asked {
        Ok(answer) => Ok((receipt, Json(Outcome::of::<A>(&key, &answer.reply))).into_response()),
        // It is on its way; whoever has the id can ask what came of it.
        Err(AskError::Unknown { .. }) => Ok((StatusCode::ACCEPTED, receipt, Json(id)).into_response()),
        Err(error) => Err(error.into()),
    }
}

/// What came of a command, waited for a while.
async fn events<A>(
    State(service): State<Service>,
    Path(message): Path<String>,
) -> Result<Json<Outcome<A::Event>>, Problem>
where
    A: Entity<Event: Clone + Serialize + DeserializeOwned>,
{
    let outcomes = everywhere(service.app.table(&A::OUTCOMES), ANSWER_LIMIT);
    let mut waited = Duration::ZERO;
    loop {
        if let Some(outcome) = outcomes.get(&*message).await? {
            return Ok(Json(outcome));
        }
        if waited >= ANSWER_LIMIT {
            return Err(Problem::not_found(format!(
                "nothing is known of a command `{message}`: it may still come, or was forgotten"
            )));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
}

async fn all<A: Entity>(State(service): State<Service>, Query(which): Query<Which>) -> Result<Json<Vec<A>>, Problem> {
    let rows = which.of(service.app.table(&A::STATES)).all().await?;
    Ok(Json(rows.into_iter().map(|(_, state)| state).collect()))
}

async fn one<A: Entity>(
    State(service): State<Service>,
    Path(key): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<A>, Problem> {
    let found = which.of(service.app.table(&A::STATES)).get(&*key).await?;
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is nothing with the key `{key}`")))
}

fn message_id(headers: &axum::http::HeaderMap) -> Result<Option<Uuid>, Problem> {
    let Some(id) = headers.get(MESSAGE_ID) else { return Ok(None) };
    let parsed = id.to_str().ok().and_then(|text| text.parse().ok());
    let wrong = || Problem::new(StatusCode::BAD_REQUEST, format!("the header `{MESSAGE_ID}` must be a UUID"));
    parsed.map(Some).ok_or_else(wrong)
}

/// Adds these routes to a description: they are the same for every kind of entity, so they are written once.
pub(super) fn describe<A: Entity>(api: &mut OpenApi, name: &str, (command, state, key): (&str, &str, &str)) {
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let body = |schema: serde_json::Value| json!({ "application/json": { "schema": schema } });
    let problem = |what: &str| json!({ "description": what, "content": body(schema("Problem")) });
    let parameter = |name: &str, place: &str, what: &str| json!({ "name": name, "in": place, "required": place == "path", "description": what, "schema": { "type": "string" } });
    let paths = json!({
        format!("/{name}/commands"): { "post": {
            "summary": "Send a command",
            "parameters": [parameter("async", "query", "`true`: do not wait for the events"),
                parameter("message-id", "header", "the command's id, a UUID: the same one to send it again")],
            "requestBody": { "required": true, "content": body(schema(command)) },
            "responses": {
                "200": { "description": "its events; what was refused is an event with `_isError`" },
                "202": { "description": "its id: the events can be asked for" },
                "400": problem("no such command"), "503": problem("not now") } } },
        format!("/{name}/events/one/{{message}}"): { "get": {
            "summary": "Get the events of a command by its id, and wait for them for a while",
            "parameters": [parameter("message", "path", "the command's id")],
            "responses": { "200": { "description": "its events" }, "404": problem("nothing is known of it") } } },
        format!("/{name}/all"): { "get": {
            "summary": format!("Get all {name}"),
            "parameters": [parameter("_local", "query", "`true`: ask no other process, only for rows that this one has")],
            "responses": { "200": { "description": "all", "content": body(json!({ "type": "array", "items": schema(state) })) } } } },
        format!("/{name}/one/{{{key}}}"): { "get": {
            "summary": "Get one",
            "parameters": [parameter(key, "path", "its key")],
            "responses": { "200": { "description": "it", "content": body(schema(state)) }, "404": problem("there is none") } } },
    });
    let described = serde_json::from_value(paths).expect("these are paths of OpenAPI");
    api.paths.paths.extend::<std::collections::BTreeMap<_, _>>(described);
}
