//! Asks another process.
//!
//! Rule: its errors come back as what they were there; one that is not reached, or answers in another way, is unavailable.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Uri};
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tidemill_dsl::state::RowBytes;

use super::question::{Question, read_rows};
use super::server::{ERROR, kind_of};
use crate::error::{Error, ErrorKind};

/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How long an answer may take, besides what it is asked to wait for.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How many bytes an answer may have: a page of large rows.
const ANSWER_BYTES_MAX: usize = 256 << 20;

#[derive(Clone)]
pub(super) struct Client(hyper_util::client::legacy::Client<HttpConnector, Body>);

impl Client {
    pub(super) fn new() -> Client {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_WITHIN));
        connector.set_nodelay(true);
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
        Client({ client }.pool_timer(TokioTimer::new()).build(connector))
    }

    /// The rows that another process answers.
    pub(super) async fn ask(self, address: String, question: Question) -> Result<Vec<RowBytes>, Error> {
        let waits = question.bound.as_ref().map_or(Duration::ZERO, |(_, limit)| *limit);
        let limit = ANSWER_WITHIN.saturating_add(waits);
        let answered = tokio::time::timeout(limit, self.fetch(&address, &question)).await;
        answered.unwrap_or_else(|_| Err(unavailable(&address, &format!("no answer within {limit:?}"))))
    }

    async fn fetch(&self, address: &str, question: &Question) -> Result<Vec<RowBytes>, Error> {
        let uri = format!("http://{address}{}", question.path()?).parse::<Uri>();
        let uri = uri.map_err(|cause| Error::new(ErrorKind::Invalid, format!("`{address}` is no address: {cause}")))?;
        let request = Request::get(uri).body(Body::empty());
        let request = request.map_err(|cause| unavailable(address, &cause))?;
        let answer = self.0.request(request).await.map_err(|cause| unavailable(address, &with_reason(&cause)))?;
        let kind = answer.headers().get(ERROR).map(|name| kind_of(name.as_bytes()));
        let is_success = answer.status().is_success();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|cause| unavailable(address, &cause))?.to_bytes();
        let text = std::str::from_utf8(&body).map_err(|cause| unavailable(address, &cause))?;
        match kind {
            Some(kind) => Err(Error::new(kind, text.trim_end())),
            None if is_success => read_rows(text),
            None => Err(unavailable(address, &"what answers there is not this engine")),
        }
    }
}

/// The cause says what happened, the error around it only where.
fn with_reason(error: &dyn std::error::Error) -> String {
    let mut reason = error;
    while let Some(cause) = reason.source() {
        reason = cause;
    }
    reason.to_string()
}

fn unavailable(address: &str, cause: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the process at {address} cannot be asked: {cause}"))
}
