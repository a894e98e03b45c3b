//! The calculator: its routes, and that an operation is done once, whatever happens to the process.

use serde_json::{Value, json};

use crate::service::Service;
use crate::walk::walk;

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

fn create(service: &Service, value: f64) -> String {
    let created = service.post("/values", &json!({ "value": value }));
    assert_eq!(created.status, 202, "{created:?}");
    created.json().as_str().unwrap().to_owned()
}

fn update(service: &Service, id: &str, operation: &str, value: f64) -> u16 {
    service.put(&format!("/values/{id}"), &json!({ "operation": operation, "value": value })).status
}

fn value_of(service: &Service, id: &str) -> Value {
    let answer = service.get(&format!("/values/{id}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let value = answer.json();
    assert_eq!(value["value_id"], id);
    value["value"].clone()
}

#[test]
fn two_and_two_times_three_is_twelve_across_kills() {
    let service = Service::start("calculator");
    let id = create(&service, 2.0);
    let service = service.kill_and_start_again();
    assert_eq!(update(&service, &id, "ADD", 2.0), 202);
    let service = service.kill_and_start_again();
    assert_eq!(update(&service, &id, "MULTIPLY", 3.0), 202);
    assert_eq!(value_of(&service, &id), 12.0);
    let service = service.kill_and_start_again();
    assert_eq!(value_of(&service, &id), 12.0);
}

#[test]
fn a_request_that_is_sent_again_is_done_once() {
    let service = Service::start("calculator");
    let (id, request) = ("10000000-0000-4000-8000-000000000001", "10000000-0000-4000-8000-000000000002");
    let add = json!({ "operation": "ADD", "value": 5.0 });
    let path = format!("/values/{id}");
    for _ in 0..2 {
        assert_eq!(service.once("POST", "/values", id, &json!({ "value": 1.0 })).json(), id);
        assert_eq!(service.once("PUT", &path, request, &add).status, 202);
    }
    let service = service.kill_and_start_again();
    assert_eq!(service.once("PUT", &path, request, &add).status, 202);
    assert_eq!(value_of(&service, id), 6.0);
    // Another request for the same value is another thing to ask for.
    service.once("POST", "/values", id, &json!({ "value": 7.0 }));
    assert_eq!(value_of(&service, id), 6.0);
}

#[test]
fn what_cannot_be_done_is_refused_with_a_reason() {
    let service = Service::start("calculator");
    let id = create(&service, 2.0);
    let path = format!("/values/{id}");
    service.get(&format!("/values/{NOBODY}")).refuses(404, "no value");
    service.put(&format!("/values/{NOBODY}"), &json!({"operation":"ADD","value":1})).refuses(404, "no value");
    service.get("/values/seven").refuses(404, "`seven`");
    service.put(&path, &json!({"operation":"DIVIDE","value":1})).refuses(400, "DIVIDE");
    service.put(&path, &json!({"operation":"MULTIPLY","value":f64::MAX})).refuses(422, "too large");
    service.post_text("/values", "{\"value\":").refuses(400, "JSON");
    service.post_text("/values", &format!("{{\"value\":2{}}}", " ".repeat(70_000))).refuses(413, "");
    service.once("POST", "/values", "seven", &json!({"value":1})).refuses(400, "idempotency-key");
    service.get("/nowhere").refuses(404, "/nowhere");
    assert_eq!(value_of(&service, &id), 2.0);
}

#[test]
fn changes_are_told_as_they_happen() {
    let service = Service::start("calculator");
    let id = create(&service, 2.0);
    let mut told = service.follow(&format!("/values/{id}/changes")).filter(|line| line.starts_with("data: "));
    let mut next = || -> Value {
        let line = told.next().expect("the service runs");
        serde_json::from_str::<Value>(line.trim_start_matches("data: ")).unwrap()["value"].clone()
    };
    assert_eq!(next(), 2.0);
    update(&service, &id, "ADD", 2.0);
    assert_eq!(next(), 4.0);
    create(&service, 100.0);
    update(&service, &id, "MULTIPLY", 3.0);
    assert_eq!(next(), 12.0);
}

#[cfg(unix)]
#[test]
fn it_ends_when_it_is_told_though_somebody_listens() {
    let service = Service::start("calculator");
    let id = create(&service, 2.0);
    let mut told = service.follow("/changes");
    told.next();
    assert_eq!(service.end(), Some(143));
    assert!(told.any(|line| line.contains(&id)));
}

#[test]
fn all_routes_are_described() {
    let service = Service::start("calculator");
    let paths = service.get("/openapi.json").json()["paths"].clone();
    let described: Vec<&str> = paths.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(described, ["/changes", "/values", "/values/{id}", "/values/{id}/changes"]);
    assert!(service.get("/api").body.contains("openapi.json"));
    assert!(service.get("/").body.contains("EventSource"));
}

#[test]
fn the_walk_through_is_right() {
    walk("Calculator", &Service::start("calculator"), "http://127.0.0.1:3030");
}
