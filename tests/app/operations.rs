//! What watches an application by HTTP: metrics, health, readiness.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::mpsc;

use axum::Router;
use tidemill::stream::StreamsBuilder;
use tidemill::{App, AppState};

use crate::support::{IN, OUT, soon, sums, wait_until};

/// Serves a router at a free port of this machine.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Status and body of an answer.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = format!("http://{address}{path}");
    let asked = tokio::task::spawn_blocking(move || {
        let mut answer = agent.get(&url).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    });
    asked.await.unwrap()
}

#[tokio::test]
async fn prometheus_reads_what_the_application_has_done() {
    let app = App::builder("app", sums()).memory().settings(soon()).start().await.unwrap();
    let address = serve(tidemill::http::operations(&app)).await;
    for value in 0..7 {
        app.send(&IN, "a", value).await.unwrap();
    }
    app.settled().await.unwrap();
    wait_until("a report", || app.metrics().tasks.values().any(|task| task.processed == 7)).await;
    let (status, text) = get(address, "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "# TYPE tidemill_process_total counter",
        "# HELP tidemill_process_total records that were processed",
        "tidemill_process_total{application=\"app\",task=\"0_0\"} 7",
        "tidemill_records_lag{application=\"app\",task=\"0_0\",topic=\"in\",partition=\"0\"} 0",
        "tidemill_dropped_records_total{application=\"app\",task=\"0_0\",reason=\"null-key\"} 0",
        "tidemill_client_state{application=\"app\",state=\"running\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "`{line}` is not in\n{text}");
    }
    app.close().await.unwrap();
    assert_eq!(get(address, "/metrics").await.0, 503);
}

#[tokio::test]
async fn health_follows_the_life_of_the_application_and_says_why() {
    let builder = StreamsBuilder::new();
    let (goes_on, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let look = move |_: &String, value: &i64| {
        // Until the test has seen what there is to see.
        let _ = waits.lock().unwrap().recv();
        assert!(*value >= 0, "a negative value");
    };
    builder.stream(&IN).peek(look).to(&OUT);
    let app = App::builder("app", builder.build().unwrap()).memory().settings(soon()).start().await.unwrap();
    let address = serve(tidemill::http::operations(&app)).await;
    app.send(&IN, "a", -1).await.unwrap();
    let (status, text) = get(address, "/health/ready").await;
    assert_eq!((status, text.lines().next()), (200, Some("application `app` is running")), "{text}");
    assert_eq!(get(address, "/health/live").await.0, 200);
    drop(goes_on);
    wait_until("the failure", || matches!(app.state(), AppState::Failed(_))).await;
    for path in ["/health/live", "/health/ready"] {
        let (status, text) = get(address, path).await;
        assert_eq!(status, 503);
        assert!(text.contains("a negative value"), "{text}");
    }
    assert!(app.metrics().errors.iter().any(|error| error.message.contains("a negative value")));
    assert_eq!(get(address, "/status").await.0, 200);
}
