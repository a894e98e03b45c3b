//! Which processes there are.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use tidemill::Instance;
use utoipa::ToSchema;

use super::Service;
use crate::author::Author;
use crate::book::Book;
use crate::entity::Entity;
use crate::topology::CARDS;
use crate::web::problem::Problem;

/// A process of the catalog.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Process {
    is_local: bool,
    host: String,
    port: u16,
}

/// Get all processes of the catalog
#[utoipa::path(get, path = "/instances", responses((status = 200, body = [Process])))]
pub(super) async fn all(State(service): State<Service>) -> Json<Vec<Process>> {
    Json(service.processes(service.app.instances()))
}

/// Get the processes that have rows of a store
#[utoipa::path(get, path = "/instances/{store}",
    params(("store" = String, Path, description = "the store's name, such as `authors` or `authors.eventsByMsgId`")),
    responses((status = 200, body = [Process]), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn of_store(
    State(service): State<Service>,
    Path(store): Path<String>,
) -> Result<Json<Vec<Process>>, Problem> {
    let app = &service.app;
    let instances = match store {
        name if name == Author::STATES.name() => app.table(&Author::STATES).instances(),
        name if name == Author::OUTCOMES.name() => app.table(&Author::OUTCOMES).instances(),
        name if name == Book::STATES.name() => app.table(&Book::STATES).instances(),
        name if name == Book::OUTCOMES.name() => app.table(&Book::OUTCOMES).instances(),
        name if name == CARDS.name() => app.table(&CARDS).instances(),
        name => return Err(Problem::not_found(format!("there is no store `{name}`"))),
    };
    Ok(Json(service.processes(instances?)))
}

impl Service {
    fn processes(&self, instances: Vec<Instance>) -> Vec<Process> {
        instances.into_iter().filter_map(|instance| self.process(&instance)).collect()
    }

    /// `None` for one that answers nobody.
    fn process(&self, instance: &Instance) -> Option<Process> {
        if instance.is_here {
            return Some(Process { is_local: true, host: self.address.ip().to_string(), port: self.address.port() });
        }
        let (host, port) = instance.address.as_ref()?.rsplit_once(':')?;
        Some(Process { is_local: false, host: host.to_owned(), port: port.parse().ok()? })
    }
}
