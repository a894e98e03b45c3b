//! Services among the examples as two processes on one broker: whoever is asked answers, also for the other.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;
use uuid::Uuid;

use crate::examples::example;
use crate::listening::Listening;
use crate::support::{brokers, wait_until};

/// As `cargo xtask test` builds these tests, so that the engine is compiled once for both.
const ON_KAFKA: [&str; 6] = [
    "-p",
    "tidemill",
    "-p",
    "tidemill-fuzz-targets",
    "--features",
    "tidemill/cli,tidemill/http,tidemill/avro-registry,tidemill-fuzz-targets/kafka",
];
const OK: u16 = 200;
const ACCEPTED: u16 = 202;
/// What a row that is asked for with `_local=true` and is elsewhere is answered with.
const ELSEWHERE: u16 = 503;

/// A process of a service, with a folder of its own.
struct Process {
    listening: Listening,
    http: Agent,
    _folder: TempDir,
}

impl Process {
    fn start(name: &'static str) -> Process {
        let folder = tempfile::tempdir().unwrap();
        let mut program = Command::new(example(name, &ON_KAFKA));
        program.args(["--kafka", brokers(), "--data"]).arg(folder.path());
        let patience = Some(Duration::from_secs(60));
        let http = Agent::config_builder().http_status_as_error(false).timeout_global(patience).build().into();
        Process { listening: Listening::start(program), http, _folder: folder }
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let mut answer = self.http.get(self.at(path)).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_json().unwrap())
    }

    /// The status, the body, and the id of the command.
    fn post(&self, path: &str, body: &Value) -> (u16, Value, String) {
        let mut answer = self.http.post(self.at(path)).send_json(body).unwrap();
        let id = answer.headers().get("message-id").map(|id| id.to_str().unwrap().to_owned());
        (answer.status().as_u16(), answer.body_mut().read_json().unwrap(), id.unwrap_or_default())
    }

    /// Changes a value; a request with the same key is done once.
    fn put(&self, path: &str, key: Uuid, body: &Value) -> u16 {
        let request = self.http.put(self.at(path)).header("idempotency-key", key.to_string());
        request.send_json(body).unwrap().status().as_u16()
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.listening.address)
    }
}

/// Two processes that both have a part of the work.
fn two(name: &'static str, shares: impl Fn(&Process) -> bool) -> [Process; 2] {
    let both = [Process::start(name), Process::start(name)];
    wait_until("each has a share", || both.iter().all(&shares));
    both
}

#[test]
fn two_catalogs_answer_for_one_another_and_the_one_that_is_left_for_both() {
    let is_shared = |process: &Process| {
        let (status, rows) = process.get("/instances/authors");
        status == OK && rows.as_array().is_some_and(|rows| rows.len() == 2)
    };
    let both = two("books_catalog", is_shared);
    let run = Uuid::new_v4().simple().to_string();
    let codes: Vec<String> = (0..16).map(|n| format!("{run}-{n}")).collect();
    for (number, code) in codes.iter().enumerate() {
        let [asked, other] = [&both[number % 2], &both[(number + 1) % 2]];
        let command = json!({ "_type": "CreateAuthor", "code": code, "firstName": "Umberto", "lastName": code });
        let (status, created, id) = asked.post("/authors/commands", &command);
        assert_eq!((status, &created["events"][0]["_type"]), (OK, &json!("AuthorCreated")), "{created}");
        // Both find it, and what came of the command.
        for process in [asked, other] {
            assert_eq!(process.get(&format!("/authors/one/{code}")).1["lastName"], *code);
            assert_eq!(process.get(&format!("/authors/events/one/{id}")), (OK, created.clone()));
        }
    }
    let local = |process: &Process, code: &str| process.get(&format!("/authors/one/{code}?_local=true")).0;
    let mut here = 0;
    for code in &codes {
        let found = [local(&both[0], code), local(&both[1], code)];
        assert!(found == [OK, ELSEWHERE] || found == [ELSEWHERE, OK], "{code}: {found:?}");
        here += usize::from(found[0] == OK);
    }
    assert!((1..codes.len()).contains(&here), "{here} of {} in the first", codes.len());
    let all = |process: &Process| {
        let (status, authors) = process.get("/authors/all");
        let ours = |author: &&Value| author["code"].as_str().is_some_and(|code| code.starts_with(&run));
        (status, authors.as_array().map(|authors| authors.iter().filter(ours).count()))
    };
    assert_eq!(both.each_ref().map(all), [(OK, Some(codes.len())); 2]);

    let [left, gone] = both;
    gone.listening.end();
    wait_until("all is here", || codes.iter().all(|code| local(&left, code) == OK));
    assert_eq!(all(&left), (OK, Some(codes.len())));
}

/// `2, +2, x3 = 12`, each operation asked for at another process than the one before, and once more at the other one.
#[test]
fn two_calculators_do_each_operation_once_wherever_it_is_asked_for() {
    let both = two("calculator", |process| process.get("/values").0 == OK);
    for turn in 0..8 {
        let (one, other) = (&both[turn % 2], &both[(turn + 1) % 2]);
        let (status, id, _) = one.post("/values", &json!({ "value": 2.0 }));
        assert_eq!(status, ACCEPTED, "{id}");
        let path = format!("/values/{}", id.as_str().unwrap());
        for (operation, value, [first, again]) in [("ADD", 2.0, [other, one]), ("MULTIPLY", 3.0, [one, other])] {
            let (key, body) = (Uuid::new_v4(), json!({ "operation": operation, "value": value }));
            assert_eq!([first.put(&path, key, &body), again.put(&path, key, &body)], [ACCEPTED; 2]);
        }
        for process in [one, other] {
            assert_eq!(process.get(&path).1["value"], 12.0);
        }
    }
}
