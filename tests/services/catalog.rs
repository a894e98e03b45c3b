//! The catalog of books: commands and their receipts, what is there, and the cards that join both.

use serde_json::{Value, json};

use crate::service::{Answer, Service};
use crate::walk::walk;

const BOOK: &str = "00000000-0000-4000-8000-00000000000b";

fn eco() -> Value {
    json!({ "_type": "CreateAuthor", "code": "eco", "firstName": "Umberto", "lastName": "Eco" })
}

/// The names of the events that a command was answered with.
#[track_caller]
fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let events = answer.json()["events"].clone();
    events.as_array().unwrap().iter().map(|event| event["_type"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_command_is_answered_with_its_events_which_can_be_asked_for_again() {
    let service = Service::start("books_catalog");
    let created = service.post("/authors/commands", &eco());
    let event = json!({"_type":"AuthorCreated","code":"eco","firstName":"Umberto","lastName":"Eco","_isError":false});
    assert_eq!((created.status, created.json()), (200, json!({ "events": [event] })));
    let service = service.kill_and_start_again();
    let again = service.get(&format!("/authors/events/one/{}", created.message_id));
    assert_eq!((again.status, again.json()), (200, created.json()));
    let author = json!({"state":"VALID","code":"eco","firstName":"Umberto","lastName":"Eco"});
    assert_eq!(service.get("/authors/one/eco").json(), author);
    assert_eq!(service.get("/authors/all").json(), json!([author]));
    assert_eq!(service.get("/authors/all?_local=true").json(), json!([author]));
}

#[test]
fn what_is_refused_is_an_event_too() {
    let service = Service::start("books_catalog");
    service.post("/authors/commands", &eco());
    let refused = service.post("/authors/commands", &eco());
    let error = json!({"_type":"AuthorError","code":"eco","message":"Entity already created","_isError":true});
    assert_eq!(refused.json(), json!({ "events": [error] }));
    assert_eq!(service.get(&format!("/authors/events/one/{}", refused.message_id)).json(), refused.json());
}

#[test]
fn who_does_not_wait_gets_the_id_to_ask_with() {
    let service = Service::start("books_catalog");
    let sent = service.post("/authors/commands?async=true", &eco());
    assert_eq!((sent.status, sent.json()), (202, json!(sent.message_id)));
    assert_eq!(names(&service.get(&format!("/authors/events/one/{}", sent.message_id))), ["AuthorCreated"]);
}

#[test]
fn cards_follow_books_and_authors() {
    let service = Service::start("books_catalog");
    let book = |command: Value| service.post("/books/commands", &command);
    assert_eq!(names(&service.post("/authors/commands", &eco())), ["AuthorCreated"]);
    assert_eq!(names(&book(json!({"_type":"CreateBook","id":BOOK,"title":"Baudolino"}))), ["BookCreated"]);
    service.get(&format!("/booksCards/one/{BOOK}")).refuses(404, BOOK);
    assert_eq!(names(&book(json!({"_type":"SetBookAuthor","id":BOOK,"author":"eco"}))), ["BookAuthorSet"]);
    assert_eq!(names(&book(json!({"_type":"AddChapter","id":BOOK,"title":"one","content":"text"}))), ["ChapterAdded"]);
    let card = until(&service, |cards| cards[0]["book"]["chapters"][0]["id"] == 1);
    assert_eq!((&card[0]["author"]["lastName"], &card[0]["book"]["title"]), (&json!("Eco"), &json!("Baudolino")));
    assert_eq!(names(&book(json!({"_type":"RemoveBook","id":BOOK}))), ["ChapterRemoved", "BookRemoved"]);
    until(&service, |cards| cards == &json!([]));
    service.get(&format!("/books/one/{BOOK}")).refuses(404, BOOK);
}

/// The cards, once they are like this: they follow by a commit of their own.
#[track_caller]
fn until(service: &Service, are: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..2_000 {
        let cards = service.get("/booksCards/all").json();
        if are(&cards) {
            return cards;
        }
    }
    panic!("the cards are {}", service.get("/booksCards/all").body);
}

#[test]
fn what_cannot_be_done_is_refused_with_a_reason() {
    let service = Service::start("books_catalog");
    service.post("/authors/commands", &json!({"_type":"EatAuthor","code":"eco"})).refuses(400, "EatAuthor");
    service.post_text("/books/commands", "no JSON").refuses(400, "JSON");
    service.get("/authors/one/nobody").refuses(404, "nobody");
    service.get("/instances/nothing").refuses(404, "nothing");
    service.get("/nowhere").refuses(404, "/nowhere");
}

#[test]
fn it_says_who_it_is_and_what_it_offers() {
    let service = Service::start("books_catalog");
    for path in ["/instances", "/instances/authors.eventsByMsgId", "/instances/booksCards"] {
        let instances = service.get(path).json();
        assert_eq!((instances.as_array().unwrap().len(), &instances[0]["isLocal"]), (1, &json!(true)), "{path}");
        assert_eq!(
            format!("http://{}:{}", instances[0]["host"].as_str().unwrap(), instances[0]["port"]),
            service.address()
        );
    }
    let described = service.get("/openapi.json").json()["paths"].clone();
    let mut paths: Vec<&str> = described.as_object().unwrap().keys().map(String::as_str).collect();
    paths.sort_unstable();
    let of = |name, key| {
        ["all".into(), "commands".into(), "events/one/{message}".into(), format!("one/{{{key}}}")]
            .map(|path| format!("/{name}/{path}"))
    };
    let (authors, books) = (of("authors", "code"), of("books", "id"));
    let mut all: Vec<&str> = authors.iter().chain(&books).map(String::as_str).collect();
    all.extend(["/booksCards/all", "/booksCards/one/{id}", "/changes", "/instances", "/instances/{store}"]);
    all.sort_unstable();
    assert_eq!(paths, all);
    assert!(service.get("/").body.contains("EventSource"));
}

#[test]
fn the_walk_through_is_right() {
    walk("Books catalog", &Service::start("books_catalog"), "http://127.0.0.1:9081");
}
