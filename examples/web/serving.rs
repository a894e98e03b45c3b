//! Runs a service: its application, then its socket, and on a signal both in the other order.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tidemill::{App, AppBuilder};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::failing::{Failure, failed};
use super::problem::nothing_here;
use super::signals::told_to_end;

/// How long a request's body may be.
const BODY_BYTES: usize = 64 << 10;
/// How long requests under way, and then the last commit, may take at the end.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Tells those who go on for as long as the service runs, such as streams of events, that it ends.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns when the service ends.
    pub(crate) async fn told(mut self) {
        // Nobody there to tell it is an end too.
        drop(self.0.wait_for(|stops| *stops).await);
    }
}

/// What routes are made of.
#[allow(dead_code, reason = "not every service that includes this file needs all of it")]
pub(crate) struct Running {
    pub(crate) app: Arc<App>,
    pub(crate) stop: Stop,
    /// Where the service listens.
    pub(crate) address: SocketAddr,
}

/// Starts the application and answers requests until a signal comes, whose exit code is 130 or 143, or the application fails.
pub(crate) async fn serve(
    builder: AppBuilder,
    listen: SocketAddr,
    routes: impl FnOnce(Running) -> Result<Router, Failure>,
) -> ExitCode {
    match served(builder, listen, routes).await {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

async fn served(
    builder: AppBuilder,
    listen: SocketAddr,
    routes: impl FnOnce(Running) -> Result<Router, Failure>,
) -> Result<ExitCode, Failure> {
    // First, because who cannot listen need not restore anything.
    let socket = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on `{listen}`: {error}; choose another address with `--listen`"))?;
    let app = Arc::new(builder.start().await?);
    let (stop, stops) = watch::channel(false);
    let running = Running { app: app.clone(), stop: Stop(stops.clone()), address: socket.local_addr()? };
    println!("listening on http://{}", running.address);
    let router = routes(running)?.fallback(nothing_here).layer(DefaultBodyLimit::max(BODY_BYTES));
    let server = axum::serve(socket, router.into_make_service());
    let server = tokio::spawn(server.with_graceful_shutdown(Stop(stops).told()).into_future());
    let ended = tokio::select! {
        ended = app.ended() => ended.map(|()| ExitCode::SUCCESS),
        signal = told_to_end() => Ok(ExitCode::from(signal.0)),
    };
    stop.send_replace(true);
    if tokio::time::timeout(END_LIMIT, server).await.is_err() {
        eprintln!("some requests did not end in time and were cut off");
    }
    // A request that was cut off may hold it still: an end without a last commit is as safe as a crash.
    if let Some(app) = Arc::into_inner(app) {
        app.close_within(END_LIMIT).await?;
    }
    Ok(ended?)
}
