//! `plan` and `describe` ask a program; here that is this test program itself.

use std::process::Command;
use std::time::Duration;

use tidemill::log::TopicSpec;
use tidemill::plan::{Planning, QUESTION};
use tidemill::prelude::*;
use tidemill::topology::Topology;
use tidemill::{ErrorKind, SettingSources};

use crate::scene::{Ended, Scene, tidemill};

const ORDERS: Topic<String, i64> = Topic::of("orders");
const TOTALS: Topic<String, i64> = Topic::of("totals");
const COUNTS: Store<String, i64> = Store::of("counts");

fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let counts = builder.stream(&ORDERS).group_by(|_, value| value.to_string()).named("by-value").count_with(&COUNTS);
    counts.to_stream().to(&TOTALS);
    builder.build().unwrap()
}

/// Does nothing unless it is asked.
#[test]
fn a_program_that_answers() {
    if let Some(answer) = Planning::of("shop").answer(&topology()) {
        println!("{answer}");
    }
}

/// Does nothing unless it is asked; then it starts an application, which does not begin.
#[test]
fn a_program_that_starts() {
    if std::env::var(QUESTION).is_err() {
        return;
    }
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("shop-data");
    let sources = SettingSources::new().environment();
    let app =
        App::builder("shop", topology()).embedded(&folder).settings_from(sources).topic(&ORDERS, 6).topic(&TOTALS, 2);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(app.start()).err().expect("it was asked");
    assert_eq!(error.kind(), ErrorKind::Asked, "{error}");
    assert!(!folder.exists(), "{}", folder.display());
}

/// Does nothing unless it is asked; then it goes on as if it had not been.
#[test]
fn a_program_that_works() {
    if std::env::var(QUESTION).is_ok() {
        println!("working");
        std::thread::park_timeout(Duration::from_secs(600));
    }
}

fn ask(arguments: &[&str], program: &str) -> Ended {
    let itself = std::env::current_exe().unwrap();
    tidemill(&[arguments, &[itself.to_str().unwrap(), "--exact", program, "--nocapture"]].concat())
}

#[test]
fn a_topology_is_shown_in_each_form() {
    for (form, expected) in
        [("text", topology().describe()), ("dot", topology().to_dot()), ("mermaid", topology().to_mermaid())]
    {
        let shown = ask(&["describe", "--as", form], "programs::a_program_that_answers");
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert_eq!(shown.stdout.trim_end(), expected.trim_end(), "{form}");
    }
    let all = ask(&["describe", "--as", "json"], "programs::a_program_that_answers");
    let all: serde_json::Value = serde_json::from_str(&all.stdout).unwrap();
    assert_eq!((&all["application"], &all["topology"]), (&"shop".into(), &topology().describe().into()));
    assert!(all["plan"]["error"].as_str().unwrap().contains("`orders`"), "{all}");
}

#[test]
fn a_plan_is_that_of_the_topics_that_it_is_told() {
    let expected = |partitions| {
        let planning = Planning::of("shop").topic("orders", partitions).topic("totals", 2);
        planning.plan(&topology()).unwrap()
    };
    let told = ["plan", "--topic", "orders=6", "--topic", "totals=2"];
    let shown = ask(&told, "programs::a_program_that_answers");
    assert_eq!((shown.code, shown.stdout), (Some(0), expected(6).to_string()), "{}", shown.stderr);
    let json = ask(&[&told[..], &["--json"]].concat(), "programs::a_program_that_answers");
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["creates"][0]["topic"], "shop-by-value-repartition");
    assert_eq!((&json["reads"]["orders"], &json["tasks"]), (&6.into(), &serde_json::json!([6, 6])));

    let scene = Scene::new();
    tidemill::log::Log::create_topic(&scene.log(), &TopicSpec::new("totals", 2)).unwrap();
    let folder = scene.path();
    let of_folder = ask(&["plan", "--folder", folder.to_str().unwrap()], "programs::a_program_that_answers");
    assert_eq!((of_folder.code, of_folder.stdout), (Some(0), expected(2).to_string()), "{}", of_folder.stderr);
}

#[test]
fn an_application_answers_where_it_would_start_and_does_not() {
    let shown = ask(&["plan", "--topic", "orders=3"], "programs::a_program_that_starts");
    let expected = Planning::of("shop").topic("orders", 3).topic("totals", 2).plan(&topology()).unwrap();
    assert_eq!((shown.code, shown.stdout), (Some(0), expected.to_string()), "{}", shown.stderr);
    // Without the command, which stops a program that has answered: what the program finds out about its start counts too.
    let mut itself = Command::new(std::env::current_exe().unwrap());
    let ended = itself.args(["--exact", "programs::a_program_that_starts"]).env(QUESTION, "").output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
}

#[test]
fn what_is_missing_is_said() {
    let missing = ask(&["plan"], "programs::a_program_that_answers");
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("`orders`") && missing.stderr.contains("--topic"), "{}", missing.stderr);
    let silent = ask(&["describe"], "programs::no_such_program");
    assert_eq!(silent.code, Some(1));
    assert!(silent.stderr.contains("ended without an answer"), "{}", silent.stderr);
    assert!(silent.stderr.contains("Planning::of"), "{}", silent.stderr);
    let working = ask(&["describe", "--wait", "1s"], "programs::a_program_that_works");
    assert_eq!(working.code, Some(1));
    assert!(working.stderr.contains("did not answer within 1s and was stopped"), "{}", working.stderr);
    let unknown = tidemill(&["describe", "./no-such-program"]);
    assert!(unknown.stderr.contains("cannot run `./no-such-program`"), "{}", unknown.stderr);
    assert_eq!(tidemill(&["plan", "--topic", "orders", "x"]).code, Some(2));
}
