//! What the service answers to whom.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::model::{Command, Reason, User};
use crate::web::api;
use crate::web::problem::Problem;
use crate::writer::{Unwritten, Writer};

/// A command, as the older service has it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type")]
enum Asked {
    /// Makes a user.
    CreateUserCommand {
        #[serde(flatten)]
        user: User,
    },
    /// Gives a user other names.
    UpdateUserCommand {
        id: Uuid,
        #[serde(flatten)]
        user: User,
    },
}

/// What was stored.
#[derive(Debug, Serialize, ToSchema)]
struct Written {
    /// The user's id
    id: Uuid,
    /// How many events the user has had
    version: u64,
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Users", description = "Users that are created and changed; every change is an event in a topic."),
    paths(command, one)
)]
struct Description;

pub(crate) fn routes(writer: Writer) -> Router {
    let users = Router::new().route("/", post(command)).route("/users/{id}", get(one)).with_state(Arc::new(writer));
    users.merge(api::routes(Description::openapi()))
}

/// Create a user, or change one
#[utoipa::path(post, path = "/", request_body = Asked,
    responses((status = 200, description = "it is stored", body = Written), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
async fn command(
    State(writer): State<Arc<Writer>>,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<Json<Written>, Problem> {
    let Json(asked) = body?;
    let (id, command) = match asked {
        Asked::CreateUserCommand { user } => (Uuid::new_v4(), Command::Create(user)),
        Asked::UpdateUserCommand { id, user } => (id, Command::Update(user)),
    };
    let version = writer.write(id.to_string(), command).await?;
    Ok(Json(Written { id, version }))
}

/// Get a user
#[utoipa::path(get, path = "/users/{id}", params(("id" = Uuid, Path, description = "the user's id")),
    responses((status = 200, body = User), (status = 404, body = Problem)))]
async fn one(State(writer): State<Arc<Writer>>, Path(id): Path<String>) -> Result<Json<User>, Problem> {
    let unknown = || Problem::not_found(Reason::Unknown.to_string());
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    writer.get(id.to_string()).await.map(Json).ok_or_else(unknown)
}

impl From<Unwritten> for Problem {
    fn from(reason: Unwritten) -> Self {
        match reason {
            Unwritten::Refused(Reason::Unknown) => Problem::not_found(Reason::Unknown.to_string()),
            Unwritten::Refused(Reason::Exists) => Problem::new(StatusCode::CONFLICT, Reason::Exists.to_string()),
            Unwritten::Refused(reason) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason.to_string()),
            Unwritten::Contended => Problem::new(
                StatusCode::CONFLICT,
                "others change this user at the same time; look at it, and ask again",
            ),
            Unwritten::Unknown(cause) => {
                let detail = format!("nobody knows yet whether it was stored: {cause}; look, and ask again");
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
            Unwritten::Failed(cause) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, cause.to_string()),
        }
    }
}
