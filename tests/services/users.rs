//! The writer of users.

use serde_json::json;

use crate::service::Service;
use crate::walk::walk;

#[test]
fn users_are_there_after_a_kill_with_their_versions() {
    let service = Service::start("users");
    let created = service.post("/", &json!({"type":"CreateUserCommand","first_name":"Ada","last_name":"Byron"}));
    assert_eq!((created.status, &created.json()["version"]), (200, &json!(1)), "{created:?}");
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let update = json!({"type":"UpdateUserCommand","id":id,"first_name":"Ada","last_name":"Lovelace"});
    let service = service.kill_and_start_again();
    assert_eq!(service.post("/", &update).json(), json!({ "id": id, "version": 2 }));
    assert_eq!(service.post("/", &update).json()["version"], 2, "nothing changes, so nothing happens");
    let service = service.kill_and_start_again();
    let user = service.get(&format!("/users/{id}"));
    assert_eq!((user.status, user.json()), (200, json!({"first_name":"Ada","last_name":"Lovelace"})));
}

#[test]
fn what_cannot_be_done_is_refused_with_a_reason() {
    let service = Service::start("users");
    let nobody = "00000000-0000-4000-8000-000000000000";
    let update = |id: &str| json!({"type":"UpdateUserCommand","id":id,"first_name":"Ada","last_name":"Byron"});
    service.post("/", &update(nobody)).refuses(404, "no user");
    service.post("/", &update("seven")).refuses(400, "UUID");
    service.post("/", &json!({"type":"CreateUserCommand","first_name":"Ada","last_name":""})).refuses(422, "last name");
    service.post("/", &json!({"type":"DeleteUserCommand"})).refuses(400, "DeleteUserCommand");
    service.post_text("/", "no JSON").refuses(400, "JSON");
    service.get(&format!("/users/{nobody}")).refuses(404, "no user");
}

#[test]
fn all_routes_are_described() {
    let paths = Service::start("users").get("/openapi.json").json()["paths"].clone();
    assert_eq!(paths.as_object().unwrap().keys().collect::<Vec<_>>(), ["/", "/users/{id}"]);
}

#[test]
fn the_walk_through_is_right() {
    walk("Users", &Service::start("users"), "http://127.0.0.1:4000");
}
