//! A file of recorded steps, read strictly: a field that is not known is an error, so that nothing is silently left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// A recorded case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    /// Which topology it runs.
    pub(crate) scenario: String,
    /// Which input.
    pub(crate) case: String,
    /// The version that gave the answers.
    pub(crate) kafka: String,
    /// Settings that differ from the defaults.
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) topics: BTreeMap<String, TopicTypes>,
    pub(crate) steps: Vec<Step>,
    /// Rows at the end; nothing after an error.
    pub(crate) stores: BTreeMap<String, Vec<Value>>,
    /// How many records each topic of the application's own got.
    #[serde(rename = "internalTopics")]
    pub(crate) internal_topics: BTreeMap<String, usize>,
    pub(crate) describe: String,
    /// The topology could not be built or started.
    #[serde(rename = "startError")]
    pub(crate) start_error: Option<Failure>,
}

/// A topic's part in the scenario and its types.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopicTypes {
    pub(crate) role: Role,
    pub(crate) key: String,
    pub(crate) value: String,
    /// The kind of a windowed key: `time:SIZE` or `session`.
    pub(crate) window: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Piped into.
    Input,
    /// Written by a sink.
    Output,
    /// Written by a sink, and read by a source of the same topology.
    Loop,
    /// A repartition topic.
    Internal,
}

/// What is done, and what comes out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) pipe: Option<Piped>,
    #[serde(rename = "advanceWallClockMs")]
    pub(crate) advance_wall_clock_ms: Option<u64>,
    pub(crate) out: Vec<Written>,
    /// The step fails; what came out before is not recorded.
    pub(crate) error: Option<Failure>,
}

/// A record that is piped in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Piped {
    pub(crate) topic: String,
    #[serde(default)]
    pub(crate) key: Value,
    #[serde(default)]
    pub(crate) value: Value,
    #[serde(rename = "rawKeyBase64")]
    pub(crate) raw_key: Option<String>,
    #[serde(rename = "rawValueBase64")]
    pub(crate) raw_value: Option<String>,
    pub(crate) ts: i64,
    #[serde(default)]
    pub(crate) headers: Vec<(String, Option<String>)>,
}

/// A record that comes out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    pub(crate) topic: String,
    pub(crate) key: Value,
    pub(crate) value: Value,
    pub(crate) ts: i64,
    #[serde(default)]
    pub(crate) headers: Vec<(String, Option<String>)>,
}

/// How the JVM failed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failure {
    pub(crate) class: String,
    #[serde(default)]
    pub(crate) message: String,
    #[serde(rename = "rootClass")]
    pub(crate) root_class: Option<String>,
    #[serde(rename = "rootMessage")]
    pub(crate) root_message: Option<String>,
}

impl Vector {
    /// The vector that a file's text is.
    pub(crate) fn parse(text: &str) -> Result<Vector, String> {
        serde_json::from_str(text).map_err(|error| format!("is no vector: {error}"))
    }
}

/// The vectors' files in a folder, in the order of their names.
///
/// # Panics
///
/// When the folder cannot be listed: a test that finds nothing to replay has to fail.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot list `{}`: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a folder that was opened can be listed").path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    files
}
