//! A service's modules: its application, and then its socket.

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tidemill::{App, AppBuilder};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::failing::{Failure, failed};
use super::modules::{Modules, Stop};
use super::problem::nothing_here;
use super::signals::told_to_end;

/// How long a request's body may be.
const BODY_BYTES: usize = 64 << 10;
/// How long requests under way, and then the last commit, may take at the end.
const END_LIMIT: Duration = Duration::from_secs(10);

/// What routes are made of.
#[allow(dead_code, reason = "not every service that includes this file needs all of it")]
pub(crate) struct Running {
    pub(crate) app: Arc<App>,
    pub(crate) stop: Stop,
    /// Where the service listens.
    pub(crate) address: SocketAddr,
}

/// What requests are answered by.
pub(crate) struct Routes {
    pub(crate) router: Router,
    /// Ends by itself when the router is gone.
    pub(crate) task: Option<JoinHandle<()>>,
}

impl From<Router> for Routes {
    fn from(router: Router) -> Self {
        Routes { router, task: None }
    }
}

/// Starts the application and answers requests until a signal comes, whose exit code is 130 or 143, or the application fails.
pub(crate) async fn serve(
    builder: AppBuilder,
    listen: SocketAddr,
    routes: impl FnOnce(Running) -> Result<Routes, Failure>,
) -> ExitCode {
    match served(builder, listen, routes).await {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

async fn served(
    builder: AppBuilder,
    listen: SocketAddr,
    routes: impl FnOnce(Running) -> Result<Routes, Failure>,
) -> Result<ExitCode, Failure> {
    // First, because who cannot listen need not restore anything.
    let socket = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on `{listen}`: {error}; choose another address with `--listen`"))?;
    let address = socket.local_addr()?;
    let (modules, app) = Modules::new()
        .start("application", |stop| async {
            let app = Arc::new(builder.start().await?);
            Ok((app.clone(), application(app, stop)))
        })
        .await?;
    let (modules, ()) = modules
        .start("http", |stop| async {
            println!("listening on http://{address}");
            let Routes { router, task } = routes(Running { app, stop: stop.clone(), address })?;
            let router = router.fallback(nothing_here).layer(DefaultBodyLimit::max(BODY_BYTES));
            let server = axum::serve(socket, router.into_make_service());
            let server = server.with_graceful_shutdown(stop.clone().told()).into_future();
            let serving = async {
                cut_off(server, stop).await?;
                match task {
                    Some(task) => Ok(task.await?),
                    None => Ok(()),
                }
            };
            Ok(((), serving))
        })
        .await?;
    let signal = modules.run(told_to_end()).await?;
    Ok(signal.map_or(ExitCode::SUCCESS, |signal| ExitCode::from(signal.0)))
}

/// Until the application ends, or is told to.
async fn application(app: Arc<App>, stop: Stop) -> Result<(), Failure> {
    tokio::select! {
        ended = app.ended() => return Ok(ended?),
        () = stop.told() => {}
    }
    // A request that was cut off may hold it still: an end without a last commit is as safe as a crash.
    match Arc::into_inner(app) {
        Some(app) => Ok(app.close_within(END_LIMIT).await?),
        None => Ok(()),
    }
}

/// Until the server has answered what was asked before it was told to end, or the time for that is over.
async fn cut_off(server: impl Future<Output = std::io::Result<()>>, stop: Stop) -> Result<(), Failure> {
    let late = async {
        stop.told().await;
        tokio::time::sleep(END_LIMIT).await;
    };
    tokio::select! {
        served = server => Ok(served?),
        () = late => {
            eprintln!("some requests did not end in time and were cut off");
            Ok(())
        }
    }
}
