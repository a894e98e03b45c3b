//! Answers what other processes, or anybody who may connect, asks of this one.
//!
//! Rule: it answers of this process alone and sends nobody on, so questions never go in circles; it only reads.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Weak};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::HeaderValue;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::question::{Question, write_rows};
use crate::error::{Error, ErrorKind};
use crate::runtime::StoreQuery;
use crate::runtime::app::Handle;

/// The header of an answer that is an error: its kind.
pub(super) const ERROR: &str = "tidemill-error";

/// Where a process answers queries of others, see [`AppBuilder::query_server`](crate::AppBuilder::query_server).
///
/// There is no password and no encryption: whoever can connect can read the stores. So it listens at this machine alone unless
/// another address is bound; bind one of a network that only the application's processes are in.
///
/// ```
/// use tidemill::QueryServer;
///
/// let server = QueryServer { bind: ([10, 0, 0, 7], 8_080).into(), ..QueryServer::default() };
/// assert!(QueryServer::default().bind.ip().is_loopback());
/// # let _ = server;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryServer {
    /// The address to listen at; by default the machine's own, `127.0.0.1`, at a port that is free.
    pub bind: SocketAddr,
    /// The address that others reach it by, `host:port`, where that is not the one that is bound: a name, or a port that is
    /// forwarded.
    pub advertise: Option<String>,
}

impl Default for QueryServer {
    fn default() -> Self {
        QueryServer { bind: (Ipv4Addr::LOCALHOST, 0).into(), advertise: None }
    }
}

impl QueryServer {
    /// Listens; gives the address for others too.
    pub(in crate::runtime) fn listen(&self) -> Result<(TcpListener, String), Error> {
        let cannot = |cause: std::io::Error| {
            let message = format!("cannot answer queries at {}: {cause}; choose another address or port", self.bind);
            Error::new(ErrorKind::Unavailable, message)
        };
        let listener = TcpListener::bind(self.bind).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let bound = listener.local_addr().map_err(cannot)?;
        if bound.ip().is_unspecified() && self.advertise.is_none() {
            let message = format!(
                "{bound} is every address of the machine, and none that others can reach: say which in `advertise`"
            );
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        Ok((listener, self.advertise.clone().unwrap_or_else(|| bound.to_string())))
    }
}

/// Answers until the application is gone.
pub(super) async fn run(listener: tokio::net::TcpListener, application: Weak<Handle>) {
    let router = Router::new()
        .route("/v1/stores/{store}/{partition}", get(rows))
        .route("/v1/instances", get(instances))
        .with_state(application);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::warn!(%error, "queries of other processes are not answered any more");
    }
}

type Asked<T> = State<Weak<T>>;

async fn rows(
    State(application): Asked<Handle>,
    Path((store, partition)): Path<(String, u32)>,
    Query(options): Query<BTreeMap<String, String>>,
) -> Response {
    match answer(&application, store, partition, &options).await {
        Ok(rows) => rows.into_response(),
        Err(error) => refusal(&error),
    }
}

async fn answer(
    application: &Weak<Handle>,
    store: String,
    partition: u32,
    options: &BTreeMap<String, String>,
) -> Result<String, Error> {
    let Question { store, partition, range, direction, limit, read, bound } = Question::of(store, partition, options)?;
    let query = StoreQuery::of_bytes(handle(application)?, &store).read(read);
    let query = match bound {
        Some((position, limit)) => query.at_least(&position, limit),
        None => query,
    };
    Ok(write_rows(&query.here(partition, range, (direction, limit)).await?))
}

async fn instances(State(application): Asked<Handle>) -> Response {
    match handle(&application) {
        Ok(handle) => crate::runtime::instances::as_text(&handle.shared.instances()).into_response(),
        Err(error) => refusal(&error),
    }
}

fn handle(application: &Weak<Handle>) -> Result<Arc<Handle>, Error> {
    application.upgrade().ok_or_else(|| Error::new(ErrorKind::Closed, "the application is closed"))
}

/// An error as an answer.
fn refusal(error: &Error) -> Response {
    let (_, status, name) = KINDS.iter().find(|(kind, ..)| *kind == error.kind()).unwrap_or(&OTHER);
    let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(ERROR, HeaderValue::from_static(name))], format!("{error}\n")).into_response()
}

/// The kind of an error by its name in an answer.
pub(super) fn kind_of(name: &[u8]) -> ErrorKind {
    KINDS.iter().find(|(_, _, known)| known.as_bytes() == name).map_or(OTHER.0, |(kind, ..)| *kind)
}

const OTHER: (ErrorKind, u16, &str) = (ErrorKind::Unavailable, 503, "unavailable");
const KINDS: [(ErrorKind, u16, &str); 10] = [
    (ErrorKind::Invalid, 400, "invalid"),
    (ErrorKind::Unknown, 404, "unknown"),
    (ErrorKind::Elsewhere, 421, "elsewhere"),
    (ErrorKind::Processing, 500, "processing"),
    (ErrorKind::Corrupt, 500, "corrupt"),
    (ErrorKind::Closed, 503, "closed"),
    (ErrorKind::Lost, 503, "lost"),
    (ErrorKind::Fenced, 503, "fenced"),
    OTHER,
    (ErrorKind::TimedOut, 504, "timed-out"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_errors_come_back() {
        for (kind, status, name) in KINDS {
            let answer = refusal(&Error::new(kind, "it is so"));
            assert_eq!(answer.status().as_u16(), status, "{name}");
            assert_eq!(kind_of(answer.headers()[ERROR].as_bytes()), kind);
        }
        assert_eq!(kind_of(b"something later"), ErrorKind::Unavailable);
    }

    #[test]
    fn every_address_of_a_machine_is_none_to_tell_others() {
        let all = QueryServer { bind: (Ipv4Addr::UNSPECIFIED, 0).into(), ..QueryServer::default() };
        assert_eq!(all.listen().unwrap_err().kind(), ErrorKind::Invalid);
        let named = QueryServer { advertise: Some("host:80".to_owned()), ..all };
        assert_eq!(named.listen().unwrap().1, "host:80");
    }
}
