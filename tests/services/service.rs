//! A service as a process on a port of its own.

use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::examples::example;
use crate::listening::Listening;

/// Longer than any answer takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service that runs; it ends with this, and its folder.
pub(crate) struct Service {
    name: &'static str,
    process: Listening,
    folder: TempDir,
    http: Agent,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
    /// The id of the command that was answered, where the service says it.
    pub(crate) message_id: String,
}

impl Service {
    /// Starts an example on a new folder.
    pub(crate) fn start(name: &'static str) -> Service {
        Service::on(name, tempfile::tempdir().unwrap())
    }

    fn on(name: &'static str, folder: TempDir) -> Service {
        let mut program = Command::new(example(name, &[]));
        program.arg("--data").arg(folder.path().join("data"));
        let settings = Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        Service { name, process: Listening::start(program), folder, http: settings.into() }
    }

    /// Where it listens, such as `http://127.0.0.1:4711`.
    pub(crate) fn address(&self) -> &str {
        &self.process.address
    }

    /// Kills it, without a warning, and starts it again.
    pub(crate) fn kill_and_start_again(self) -> Service {
        let Service { name, process, folder, .. } = self;
        drop(process);
        Service::on(name, folder)
    }

    /// Asks it to end, and gives its exit code.
    #[cfg(unix)]
    pub(crate) fn end(self) -> Option<i32> {
        self.process.end()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.http.get(self.at(path)).call().unwrap().into()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.http.post(self.at(path)).send_json(body).unwrap().into()
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.http.put(self.at(path)).send_json(body).unwrap().into()
    }

    /// As [`post`](Self::post) or [`put`](Self::put), with a key that makes it safe to repeat.
    pub(crate) fn once(&self, method: &str, path: &str, key: &str, body: &Value) -> Answer {
        let request = match method {
            "POST" => self.http.post(self.at(path)),
            _ => self.http.put(self.at(path)),
        };
        request.header("idempotency-key", key).send_json(body).unwrap().into()
    }

    /// A body of text, whatever it is.
    pub(crate) fn post_text(&self, path: &str, body: &str) -> Answer {
        self.http.post(self.at(path)).header("content-type", "application/json").send(body).unwrap().into()
    }

    /// Lines as they come, until there have been enough.
    pub(crate) fn follow(&self, path: &str) -> impl Iterator<Item = String> + use<> {
        let body = self.http.get(self.at(path)).call().unwrap().into_body();
        BufReader::new(body.into_reader()).lines().map(Result::unwrap)
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.address())
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that it is a refusal with this status, whose words have this in them.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, words: &str) {
        assert_eq!((self.status, &*self.content_type), (status, "application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().unwrap().contains(words), "{self:?}");
    }
}

impl From<Response<Body>> for Answer {
    fn from(mut response: Response<Body>) -> Self {
        let header = |name: &str| {
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        Answer {
            status: response.status().as_u16(),
            content_type: header("content-type"),
            message_id: header("message-id"),
            body: response.body_mut().read_to_string().unwrap(),
        }
    }
}
