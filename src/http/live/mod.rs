//! A page that shows a running application: its topology with rates and lag, tasks and threads, stores, errors.
//!
//! Rule: it only reads, and whatever it shows it gets from this process: it works without a network behind it.

mod access;
mod events;
mod numbers;
mod rows;
mod serving;
mod shape;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::operations::{self, Says};
use crate::{App, AppView, Error};

pub use serving::{LiveViewAddress, ServedView};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const GRAPH: &str = include_str!("graph.js");
const SCRIPT: &str = include_str!("page.js");

/// The live view of an application, see [`live_view`].
#[derive(Clone)]
pub struct LiveView {
    view: AppView,
    token: Option<String>,
}

/// A page that shows a running application: the topology as a graph with rates and lag, tasks and what they wait for, threads,
/// restores, stores and their rows, errors; it is refreshed each second. The routes of [`operations`](super::operations()) are
/// among its own.
///
/// [`serve`](LiveView::serve) listens at `127.0.0.1`; [`router`](LiveView::router) is for a server of your own. It only reads. Rows are
/// read as they are now, whether they are committed or not, which costs the store nothing when nobody looks.
///
/// ```
/// # use tidemill::{App, Topic, stream::StreamsBuilder};
/// # const IN: Topic<String, i64> = Topic::of("in");
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder = StreamsBuilder::new();
/// # builder.stream(&IN).group_by_key().count();
/// # let app = App::builder("counts", builder.build()?).memory().start().await?;
/// use tidemill::http::{LiveViewAddress, live_view};
///
/// let served = live_view(&app).serve(LiveViewAddress::default()).await?;
/// println!("see http://{}", served.address());
/// assert!(served.address().ip().is_loopback());
/// # app.close().await?;
/// # Ok(())
/// # }
/// ```
pub fn live_view(app: &App) -> LiveView {
    LiveView { view: app.view(), token: None }
}

impl LiveView {
    /// Answers only who shows this token, as `Authorization: Bearer TOKEN`; the page asks for it. Health and readiness are answered
    /// without it, with no more than yes or no.
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> Self {
        LiveView { token: Some(token.into()), ..self }
    }

    /// The routes, to be mounted anywhere: all addresses in the page are relative to its own, so nest it with a `/` behind its path.
    pub fn router(&self) -> Router {
        let data = Router::new()
            .route("/live/shape", get(shape))
            .route("/live/events", get(events::events))
            .route("/live/rows/{store}", get(rows::rows))
            .with_state(self.view.clone())
            .merge(operations::of_view(self.view.clone()));
        // The page itself says nothing of the application.
        let page = Router::new()
            .route("/", get(|| text("text/html; charset=utf-8", PAGE)))
            .route("/live/page.css", get(|| text("text/css; charset=utf-8", STYLE)))
            .route("/live/graph.js", get(|| text("text/javascript; charset=utf-8", GRAPH)))
            .route("/live/page.js", get(|| text("text/javascript; charset=utf-8", SCRIPT)));
        let says = if self.token.is_some() { Says::Whether } else { Says::Why };
        page.merge(access::guarded(data, self.token.as_deref())).merge(operations::health_of(self.view.clone(), says))
    }
}

/// What the page may do: what comes from here, and nothing else.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'self'";

async fn text(kind: &'static str, text: &'static str) -> Response {
    let headers =
        [(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-cache")];
    (headers, text).into_response()
}

async fn shape(State(view): State<AppView>) -> Response {
    let answer = view.topology().and_then(|topology| Ok(shape::as_json(&topology, &view.metrics()?)));
    answer.map_or_else(refusal, |shape| Json(shape).into_response())
}

fn refusal(error: Error) -> Response {
    operations::gone(&error)
}
