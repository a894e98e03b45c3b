//! The live view: what it answers, whom, and that a browser shows it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use tidemill::http::{LiveViewAddress, ServedView, live_view};
use tidemill::{App, ErrorKind, Settings};

use crate::operations::get;
use crate::support::{IN, LIMIT, soon, sums, wait_until};

async fn summed() -> App {
    let settings = Settings { partitions: 2, ..soon() };
    let app = App::builder("app", sums()).memory().settings(settings).start().await.unwrap();
    for value in 0..20 {
        app.send(&IN, format!("key-{:02}", value), value).await.unwrap();
    }
    app.settled().await.unwrap();
    wait_until("a report", || app.metrics().tasks.values().map(|task| task.processed).sum::<u64>() == 20).await;
    app
}

async fn served(app: &App) -> ServedView {
    live_view(app).serve(LiveViewAddress::default()).await.unwrap()
}

async fn json(address: SocketAddr, path: &str) -> serde_json::Value {
    let (status, text) = get(address, path).await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// What an answer says, with a line of a request's head of one's own.
async fn with_header(address: SocketAddr, path: &str, name: &'static str, value: &str) -> (u16, String) {
    let (url, value) = (format!("http://{address}{path}"), value.to_owned());
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let asked = tokio::task::spawn_blocking(move || {
        let mut answer = agent.get(&url).header(name, &value).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    });
    asked.await.unwrap()
}

#[tokio::test]
async fn the_page_gets_the_topology_and_the_rows_of_stores() {
    let app = summed().await;
    let served = served(&app).await;
    let shape = json(served.address(), "/live/shape").await;
    let kinds: Vec<&str> =
        shape["nodes"].as_array().unwrap().iter().map(|node| node["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "source").count(), 1, "{shape}");
    assert_eq!(shape["nodes"][0]["topics"][0], "in");
    assert_eq!(shape["stores"][0]["changelog"], "app-sums-changelog");

    let found = json(served.address(), &format!("/live/rows/sums?key={}", hex("key-07"))).await;
    assert_eq!((found["rows"][0]["value"].as_str(), found["more"].as_bool()), (Some("0000000000000007"), Some(false)));
    let mut after = String::new();
    let mut keys = Vec::new();
    loop {
        let page = json(served.address(), &format!("/live/rows/sums?limit=8{after}")).await;
        let rows = page["rows"].as_array().unwrap();
        keys.extend(rows.iter().map(|row| row["key"].as_str().unwrap().to_owned()));
        after = format!("&after={}", keys.last().unwrap());
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(keys, (0..20).map(|key| hex(&format!("key-{key:02}"))).collect::<Vec<_>>());
    let last = json(served.address(), "/live/rows/sums?limit=1&backward=true").await;
    assert_eq!(last["rows"][0]["key"], hex("key-19"));
    assert_eq!(get(served.address(), "/live/rows/none").await.0, 404);
    assert_eq!(get(served.address(), "/live/rows/sums?key=zz").await.0, 400);
    app.close().await.unwrap();
}

#[tokio::test]
async fn the_first_event_has_everything_and_the_stream_ends_with_the_application() {
    let app = summed().await;
    let served = served(&app).await;
    let (first, seen) = tokio::sync::oneshot::channel();
    let url = format!("http://{}/live/events", served.address());
    let rest = tokio::task::spawn_blocking(move || {
        let mut events = BufReader::new(ureq::get(&url).call().unwrap().into_body().into_reader());
        let mut line = String::new();
        events.read_line(&mut line).unwrap();
        first.send(line).unwrap();
        events.read_to_string(&mut String::new()).unwrap()
    });
    let first = seen.await.unwrap();
    app.close().await.unwrap();
    tokio::time::timeout(LIMIT, rest).await.expect("the stream ends").unwrap();
    let first = first.strip_prefix("data: ").unwrap();
    let event: serde_json::Value = serde_json::from_str(first).unwrap();
    assert_eq!((event["application"].as_str(), event["state"].as_str()), (Some("app"), Some("running")));
    assert_eq!(event["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(event["written"]["out"][0], 20);
    assert!(event["tasks"][0]["says"].as_str().unwrap().contains("waits for records"), "{event}");
}

#[tokio::test]
async fn whoever_has_no_token_sees_nothing_of_the_application() {
    let app = summed().await;
    let served = live_view(&app).token("open sesame").serve(LiveViewAddress::default()).await.unwrap();
    for path in ["/live/shape", "/live/events", "/live/rows/sums", "/metrics", "/status"] {
        assert_eq!(get(served.address(), path).await.0, 401, "{path}");
        assert_eq!(with_header(served.address(), path, "authorization", "Bearer open").await.0, 401, "{path}");
    }
    let shown = with_header(served.address(), "/metrics", "authorization", "Bearer open sesame").await;
    assert!(shown.0 == 200 && shown.1.contains("tidemill_process_total"));
    assert_eq!(get(served.address(), "/health/ready").await, (200, "yes\n".to_owned()));
    assert!(get(served.address(), "/").await.1.contains("<!doctype html>"));
    app.close().await.unwrap();
}

#[tokio::test]
async fn without_a_token_only_this_machine_may_look_and_no_site_through_its_browser() {
    let app = summed().await;
    let everywhere = LiveViewAddress { bind: ([0, 0, 0, 0], 0).into() };
    let refused = live_view(&app).serve(everywhere).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("set a token"), "{refused}");
    let served = served(&app).await;
    assert_eq!(with_header(served.address(), "/live/shape", "host", "rebound.example").await.0, 403);
    assert_eq!(with_header(served.address(), "/live/shape", "host", "localhost").await.0, 200);
    app.close().await.unwrap();
}

/// The text of the page once its program has run, as a browser has it.
fn seen_by_browser(browser: &str, address: SocketAddr) -> String {
    let folder = tempfile::tempdir().unwrap();
    let profile = format!("--user-data-dir={}", folder.path().display());
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", &profile]);
    command.args(["--timeout=20000", "--virtual-time-budget=4000", "--dump-dom", &format!("http://{address}/")]);
    let output = command.stderr(Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn browser() -> Option<&'static str> {
    let there =
        |name: &&str| Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(there)
}

#[tokio::test]
async fn a_browser_draws_the_topology_and_fills_the_tables() {
    let Some(browser) = browser() else {
        eprintln!("skipped: there is no browser here; on Debian `apt install chromium`");
        return;
    };
    let app = summed().await;
    let served = served(&app).await;
    let address = served.address();
    let page = tokio::task::spawn_blocking(move || seen_by_browser(browser, address)).await.unwrap();
    for text in ["sub-topology 0", "class=\"store pick\"", "waits for records", "key-00", "pill running", "worker 0"] {
        assert!(page.contains(text), "`{text}` is not in\n{page}");
    }
    app.close().await.unwrap();
}
