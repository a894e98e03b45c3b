//! What watches an application: metrics for Prometheus, and whether it lives and is ready.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::{App, AppState, AppView, Error, Metrics};

/// The format that Prometheus reads.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What watches an application:
///
/// - `GET /metrics`: its metrics as text for Prometheus. They are the application's alone and need no recorder in the process.
/// - `GET /health/live`: 200 as long as the application has not failed or ended; else 503, and a new process is needed.
/// - `GET /health/ready`: 200 while it runs; 503 while it starts, rebalances or closes, and its rows may not be here.
/// - `GET /status`: what each task does, or waits for, in words.
///
/// The bodies say why.
///
/// ```no_run
/// # async fn example(app: tidemill::App) -> std::io::Result<()> {
/// let router = tidemill::http::operations(&app);
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:9464").await?;
/// axum::serve(listener, router).await
/// # }
/// ```
pub fn operations(app: &App) -> Router {
    of_view(app.view()).merge(health_of(app.view(), Says::Why))
}

/// What tells of the application.
pub(super) fn of_view(view: AppView) -> Router {
    Router::new().route("/metrics", get(metrics)).route("/status", get(status)).with_state(view)
}

/// How much an answer says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Why,
    /// For those who have not shown a token: yes or no.
    Whether,
}

/// Whether it lives and is ready.
pub(super) fn health_of(view: AppView, says: Says) -> Router {
    Router::new().route("/health/live", get(live)).route("/health/ready", get(ready)).with_state((view, says))
}

async fn metrics(State(view): State<AppView>) -> Response {
    match view.metrics() {
        Ok(metrics) => ([(header::CONTENT_TYPE, PROMETHEUS)], as_text(&metrics)).into_response(),
        Err(error) => gone(&error),
    }
}

/// Metrics as Prometheus reads them. The recorder is new each time, so what is not there any more is not told any more.
fn as_text(metrics: &Metrics) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics.publish(&recorder);
    recorder.handle().render()
}

async fn live(State((view, says)): State<(AppView, Says)>) -> Response {
    health(&view, says, |state| !state.is_over())
}

async fn ready(State((view, says)): State<(AppView, Says)>) -> Response {
    health(&view, says, |state| matches!(state, AppState::Running | AppState::Paused))
}

fn health(view: &AppView, says: Says, is_well: impl Fn(&AppState) -> bool) -> Response {
    let status = match view.status() {
        Ok(status) => status,
        Err(error) => return gone(&error),
    };
    let (code, word) =
        if is_well(&status.state) { (StatusCode::OK, "yes") } else { (StatusCode::SERVICE_UNAVAILABLE, "no") };
    let text = if says == Says::Why { format!("{status}\n") } else { format!("{word}\n") };
    (code, text).into_response()
}

async fn status(State(view): State<AppView>) -> Response {
    health(&view, Says::Why, |_| true)
}

/// The answer when there is no application any more.
pub(super) fn gone(error: &Error) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
}
