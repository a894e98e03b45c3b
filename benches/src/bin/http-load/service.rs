//! What is asked of each service, and how its state tells what it accepted.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use crate::client::Client;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Service {
    Calculator,
    BooksCatalog,
    Users,
}

/// What became of requests.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) accepted: u64,
    /// The greatest version that an answer named, for each user.
    versions: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.accepted += other.accepted;
        for (id, version) in other.versions {
            self.saw(&id, version);
        }
    }

    fn saw(&mut self, id: &str, version: u64) {
        match self.versions.get_mut(id) {
            Some(greatest) => *greatest = version.max(*greatest),
            None => drop(self.versions.insert(id.to_owned(), version)),
        }
    }
}

impl Service {
    pub(crate) fn example(self) -> &'static str {
        match self {
            Service::Calculator => "calculator",
            Service::BooksCatalog => "books_catalog",
            Service::Users => "users",
        }
    }

    /// Creates what is changed later, and gives the ids.
    pub(crate) async fn fill(self, client: &mut Client, count: usize) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for number in 0..count {
            let id = match self {
                Service::Calculator => client.post("/values", &json!({"value": 0})).await?,
                Service::BooksCatalog => break,
                Service::Users => client.post("/", &user("CreateUserCommand", number as u64)).await?["id"].take(),
            };
            ids.push(id.as_str().context("an id is a text")?.to_owned());
        }
        Ok(ids)
    }

    /// Asks for one change. Numbers are different for all requests.
    pub(crate) async fn ask(self, client: &mut Client, ids: &[String], number: u64, tally: &mut Tally) -> Result<()> {
        // Neighbours go to different entities, and all get as many.
        let id = |ids: &[String]| ids[(number.wrapping_mul(7_919) % ids.len() as u64) as usize].clone();
        match self {
            Service::Calculator => {
                let add = json!({"operation": "ADD", "value": 1});
                client.put(&format!("/values/{}", id(ids)), &add).await?;
            }
            Service::BooksCatalog => {
                let create = json!({
                    "_type": "CreateAuthor", "code": format!("code-{number}"), "firstName": "Umberto", "lastName": "Eco",
                });
                client.post("/authors/commands", &create).await?;
            }
            Service::Users => {
                let id = id(ids);
                let mut update = user("UpdateUserCommand", u64::MAX - number);
                update["id"] = Value::from(&*id);
                let written = client.post("/", &update).await?;
                tally.saw(&id, written["version"].as_u64().context("a version is a number")?);
            }
        }
        tally.accepted += 1;
        Ok(())
    }

    /// How many changes the service's state tells of.
    pub(crate) async fn found(self, client: &mut Client, tally: &Tally) -> Result<u64> {
        match self {
            Service::Calculator => {
                let values = client.get("/values").await?;
                let values = values.as_array().context("values are a list")?;
                Ok(values.iter().filter_map(|value| value["value"].as_f64()).sum::<f64>() as u64)
            }
            Service::BooksCatalog => {
                let authors = client.get("/authors/all").await?;
                Ok(authors.as_array().context("authors are a list")?.len() as u64)
            }
            // The first version is the creation's.
            Service::Users => Ok(tally.versions.values().map(|version| version - 1).sum()),
        }
    }
}

fn user(command: &str, number: u64) -> Value {
    json!({"type": command, "first_name": format!("Rob-{number}"), "last_name": "Pike"})
}
