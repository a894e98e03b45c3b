//! Asks a Confluent schema registry.
//!
//! Rule: an answer is waited for ten seconds and read up to four mebibytes, and one that is no answer is an error. Calls block their thread,
//! one for each schema in a program's life; they may come from async code too, which a client with a runtime of its own could not be
//! called from.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::{Request, Response, StatusCode};
use ureq::{Agent, Body};

use crate::error::{AvroError, AvroErrorKind};
use crate::registry::SubjectRegistry;
use crate::schema::Schema;

const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: u64 = 4 << 20;
const CONTENT: &str = "application/vnd.schemaregistry.v1+json";
/// The registry's own code for a schema that it does not have.
const SCHEMA_NOT_FOUND: i64 = 40403;

/// A Confluent schema registry, or another one with its interface.
///
/// ```no_run
/// use std::sync::Arc;
/// use tidemill_avro::{Codec, Confluent, ConfluentClient};
///
/// let registry = Arc::new(ConfluentClient::new("http://localhost:8081"));
/// let names = Confluent::<String>::of_values(Codec::derived()?, registry, "names");
/// names.register()?; // now rather than with the first value
/// # Ok::<(), tidemill_avro::AvroError>(())
/// ```
pub struct ConfluentClient {
    agent: Agent,
    urls: Vec<String>,
    authorization: Option<String>,
}

impl fmt::Debug for ConfluentClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfluentClient").field("urls", &self.urls).finish_non_exhaustive()
    }
}

impl ConfluentClient {
    /// The registry at a URL. `https` needs the feature `avro-registry-tls`.
    pub fn new(url: impl Into<String>) -> Self {
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
        ConfluentClient { agent: config.build().new_agent(), urls: vec![url.into()], authorization: None }
    }

    /// Another URL of the same registry, to be asked when those before it do not answer.
    #[must_use]
    pub fn or(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// Sends this as the header `Authorization`: `Bearer ..` or `Basic ..`.
    #[must_use]
    pub fn authorization(self, value: impl Into<String>) -> Self {
        ConfluentClient { authorization: Some(value.into()), ..self }
    }

    /// Asks one URL after the other until one answers.
    fn ask(&self, path: &str, body: Option<&Value>) -> Result<(StatusCode, Value), AvroError> {
        let mut last = None;
        for url in &self.urls {
            match self.ask_one(url, path, body) {
                Ok(answer) => return Ok(answer),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| unreachable!("there is always a URL")))
    }

    fn ask_one(&self, url: &str, path: &str, body: Option<&Value>) -> Result<(StatusCode, Value), AvroError> {
        let url = format!("{}{path}", url.trim_end_matches('/'));
        let failed = |error: ureq::Error| {
            refused(format!("the schema registry does not answer at `{url}`: {error}")).with_source(error)
        };
        let builder = Request::builder().uri(&url).header("accept", CONTENT);
        let builder = match &self.authorization {
            Some(value) => builder.header("authorization", value),
            None => builder,
        };
        let no_request = |error| refused(format!("`{url}` cannot be asked: {error}"));
        let mut response: Response<Body> = match body {
            None => self.agent.run(builder.body(()).map_err(no_request)?).map_err(failed)?,
            Some(body) => {
                let request = builder.method("POST").header("content-type", CONTENT).body(body.to_string());
                self.agent.run(request.map_err(no_request)?).map_err(failed)?
            }
        };
        let status = response.status();
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().map_err(failed)?;
        match serde_json::from_str(&text) {
            Ok(answer) => Ok((status, answer)),
            Err(error) => {
                Err(refused(format!("`{url}` answers {status}, and no JSON: is it a schema registry?"))
                    .with_source(error))
            }
        }
    }
}

impl SubjectRegistry for ConfluentClient {
    fn register(&self, subject: &str, schema: &Schema) -> Result<u32, AvroError> {
        let path = format!("/subjects/{}/versions", encoded(subject));
        let (status, answer) = self.ask(&path, Some(&json!({ "schema": schema.text() })))?;
        let id = answer["id"].as_u64().and_then(|id| u32::try_from(id).ok()).filter(|_| status.is_success());
        id.ok_or_else(|| {
            refused(format!("the schema registry does not take the schema of `{subject}`: {status}, {}", said(&answer)))
        })
    }

    fn schema(&self, id: u32) -> Result<Option<Schema>, AvroError> {
        let (status, answer) = self.ask(&format!("/schemas/ids/{id}"), None)?;
        if status == StatusCode::NOT_FOUND && answer["error_code"] == SCHEMA_NOT_FOUND {
            return Ok(None);
        }
        let kind = answer["schemaType"].as_str().unwrap_or("AVRO");
        if status.is_success() && kind != "AVRO" {
            return Err(refused(format!("schema {id} is one of {kind}, not of Avro")));
        }
        if answer["references"].as_array().is_some_and(|list| !list.is_empty()) {
            return Err(refused(format!("schema {id} refers to other subjects: register it as one text")));
        }
        match answer["schema"].as_str().filter(|_| status.is_success()) {
            Some(text) => Schema::parse(text).map(Some),
            None => Err(refused(format!("the schema registry does not give schema {id}: {status}, {}", said(&answer)))),
        }
    }
}

fn refused(message: String) -> AvroError {
    AvroError::new(AvroErrorKind::Registry, message)
}

fn said(answer: &Value) -> &str {
    answer["message"].as_str().unwrap_or("without a message")
}

/// A subject as a part of a path.
fn encoded(subject: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    subject
        .bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
