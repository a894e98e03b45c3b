//! Replays a recorded case; the first difference ends it, with the step, what was recorded and what came.
//!
//! Compared are: the text of `describe()`, the records of every topic step by step with times and headers, in the order of
//! the topic, failing steps, the contents of stores, and how many records each topic of the application's own got. The order
//! between different topics is not compared: the driver hands over what was written topic by topic.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tidemill::processor::{ERROR_CAUSES, ERROR_MESSAGE, ERROR_TYPE};
use tidemill::record::Headers;
use tidemill_testkit::{DriverError, RawRecord, TestDriver};

use crate::given::{self, CONFIG_DEFAULT, GivenRecord};
use crate::scenarios::Scenario;
use crate::value::Wire;
use crate::vector::{Failure, Piped, Role, Step, Vector, Written};

/// The application's id in all files; internal topics are called after it.
const APPLICATION: &str = "golden";
/// What the JVM says where it fails, and what tidemill says in its place.
const REASONS: [(&str, &str); 5] = [
    ("Deserialization exception handler is set to fail", "cannot be read"),
    ("Unable to serialize record", "cannot be written"),
    ("Input record ConsumerRecord(", "its time cannot be read: it is negative"),
    ("Timestamp may not be negative", "with the negative time"),
    ("Could not infer new timestamp", "its time cannot be read: it is negative"),
];

/// Headers of dead letters that say the same in other words; in the recordings there is a `*` in place of each.
const WORDS_OF_ERRORS: [&str; 2] = [ERROR_MESSAGE, ERROR_CAUSES];
/// The exceptions of the JVM in dead letters, and the errors that tidemill names in their place.
const EXCEPTIONS: [(&str, &str); 3] = [
    ("org.apache.kafka.common.errors.SerializationException", "LoadError"),
    ("java.lang.IllegalStateException", "IllegalState"),
    ("java.lang.IllegalArgumentException", "IllegalArgument"),
];

/// Replays a case against the topology of its scenario; an error says what differs.
pub(crate) fn replay(vector: &Vector, scenario: &Scenario) -> Result<(), String> {
    same_config(vector, scenario)?;
    let topology = scenario.build().map_err(|errors| format!("the topology cannot be built: {errors}"))?;
    if let Some(failure) = &vector.start_error {
        return Err(format!("expected that the topology cannot be started ({}), and it was built", failure.class));
    }
    same_text("describe()", &vector.describe, &topology.describe())?;
    let settings = given::settings(vector, scenario)?;
    let mut driver = TestDriver::new(&topology).application(APPLICATION).settings(settings);
    // All topics exist from the start, for sources that choose theirs by pattern.
    for (name, _) in vector.topics.iter().filter(|(_, types)| types.role != Role::Internal) {
        driver = driver.partitions(name, 1);
    }
    driver.start().map_err(|error| format!("the driver cannot start: {error}"))?;
    Replay { vector, driver, internal: BTreeMap::new() }.run(scenario)
}

/// The scenario is built for the settings that the file was recorded with.
fn same_config(vector: &Vector, scenario: &Scenario) -> Result<(), String> {
    let mut config = scenario.config();
    config.entry(CONFIG_DEFAULT.0.into()).or_insert_with(|| CONFIG_DEFAULT.1.into());
    same("the settings", &vector.config, &config)
}

struct Replay<'a> {
    vector: &'a Vector,
    driver: TestDriver,
    /// Records so far in topics that the file does not list.
    internal: BTreeMap<String, usize>,
}

impl Replay<'_> {
    fn run(mut self, scenario: &Scenario) -> Result<(), String> {
        let mut failed = false;
        for (index, step) in self.vector.steps.iter().enumerate() {
            let at = |error| format!("step {} ({}): {error}", index + 1, step_in_words(step));
            if failed {
                return Err(at("follows a step that fails".into()));
            }
            failed = step.error.is_some();
            self.step(step).map_err(at)?;
        }
        // A task that failed has no stores to look into.
        if !failed {
            self.compare_stores(scenario)?;
        }
        same("the numbers of records in internal topics", &self.vector.internal_topics, &self.internal)
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let result = match (&step.pipe, step.advance_wall_clock_ms) {
            (Some(piped), None) => self.pipe(piped)?,
            (None, Some(millis)) => self.driver.try_advance_clock(Duration::from_millis(millis)),
            _ => return Err("a step pipes a record or moves the clock".into()),
        };
        let written = self.take_written(step.pipe.as_ref());
        match (&step.error, result) {
            (None, Ok(())) => self.compare_written(&step.out, written),
            (None, Err(error)) => Err(format!("failed: {}", in_full(&error))),
            (Some(failure), Ok(())) => Err(format!("expected a failure ({}), and it went through", failure.message)),
            (Some(failure), Err(error)) => same_reason(failure, &error),
        }
    }

    fn pipe(&mut self, piped: &Piped) -> Result<Result<(), DriverError>, String> {
        let GivenRecord { key, value, at, headers } = given::record(self.vector, piped)?;
        Ok(self.driver.send_raw(&piped.topic, key.as_deref(), value.as_deref(), at, &headers))
    }

    /// What was written to the file's topics since the last step; records of other topics are counted.
    fn take_written(&mut self, piped: Option<&Piped>) -> BTreeMap<String, Vec<RawRecord>> {
        let mut written = BTreeMap::new();
        for topic in self.driver.topics_written() {
            let mut records = self.driver.take_raw(&topic);
            // The piped record stands in its topic, before anything that follows from it.
            if piped.is_some_and(|piped| *piped.topic == *topic) {
                records.remove(0);
            }
            if self.vector.topics.contains_key(&*topic) {
                written.insert(topic.to_string(), records);
            } else {
                *self.internal.entry(topic.to_string()).or_default() += records.len();
            }
        }
        written
    }

    fn compare_written(&self, out: &[Written], mut written: BTreeMap<String, Vec<RawRecord>>) -> Result<(), String> {
        for (topic, types) in &self.vector.topics {
            let expected: Vec<&Written> = out.iter().filter(|record| record.topic == *topic).collect();
            let actual = written.remove(topic).unwrap_or_default();
            let wires = || Ok::<_, String>((Wire::of_key(types)?, Wire::of_value(types)?));
            if expected.is_empty() && actual.is_empty() {
                continue;
            }
            compare_records(wires()?, &expected, &actual).map_err(|error| format!("topic `{topic}`: {error}"))?;
        }
        match out.iter().find(|record| !self.vector.topics.contains_key(&record.topic)) {
            Some(record) => Err(format!("topic `{}` is not among the file's topics", record.topic)),
            None => Ok(()),
        }
    }

    fn compare_stores(&mut self, scenario: &Scenario) -> Result<(), String> {
        let stores = scenario.stores();
        let (listed, known): (Vec<&str>, Vec<&str>) =
            (self.vector.stores.keys().map(String::as_str).collect(), stores.iter().map(|s| &*s.name).collect());
        same("the stores", &listed, &sorted(known))?;
        for store in stores {
            let expected = &self.vector.stores[&store.name];
            let actual = store.read(&mut self.driver, expected);
            same(&format!("the rows of store `{}`", store.name), expected, &actual)?;
        }
        Ok(())
    }
}

fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

fn compare_records((key, value): (Wire, Wire), expected: &[&Written], actual: &[RawRecord]) -> Result<(), String> {
    let mut same = expected.len() == actual.len();
    for (expected, actual) in expected.iter().zip(actual) {
        same &= key.encode(&expected.key)? == actual.key
            && value.encode(&expected.value)? == actual.value
            && expected.ts == actual.timestamp.as_millis()
            && given::headers(&expected.headers) == as_recorded(&actual.headers);
    }
    if same {
        return Ok(());
    }
    let mut text = String::from("other records");
    for record in expected {
        let Written { key, value, ts, headers, .. } = record;
        let _ = write!(text, "\n    expected {key} = {value} at {ts}, headers {headers:?}");
    }
    for record in actual {
        let (key, value) = (key.show(record.key.as_deref()), value.show(record.value.as_deref()));
        let headers: Vec<_> = record.headers.iter().map(|(name, value)| (name, header_in_words(value))).collect();
        let _ = write!(text, "\n    actual   {key} = {value} at {}, headers {headers:?}", record.timestamp);
    }
    Err(text)
}

/// Headers as the recordings have them.
fn as_recorded(headers: &Headers) -> Headers {
    let mut recorded = Headers::default();
    for (name, value) in headers.iter() {
        let text = value.map(String::from_utf8_lossy);
        let exception = EXCEPTIONS.iter().find(|(_, ours)| text.as_ref().is_some_and(|text| text.ends_with(ours)));
        let value = match (name, exception) {
            (ERROR_TYPE, Some((jvm, _))) => Some(Bytes::from(*jvm)),
            (name, _) if WORDS_OF_ERRORS.contains(&name) && value.is_some_and(|words| !words.is_empty()) => {
                Some(Bytes::from("*"))
            }
            _ => value.map(Bytes::copy_from_slice),
        };
        recorded.add(name, value);
    }
    recorded
}

fn header_in_words(value: Option<&[u8]>) -> Option<String> {
    value.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// The step failed where the JVM fails, and for the same reason.
fn same_reason(failure: &Failure, error: &DriverError) -> Result<(), String> {
    let actual = in_full(error);
    let expected = expected_words(failure)?;
    let missing = expected.iter().find(|words| !actual.contains(words.as_str()));
    match (error, missing) {
        (DriverError::Task(_), None) => Ok(()),
        (_, missing) => Err(format!(
            "failed otherwise: {:?} should be in it\n    expected {} ({:?})\n    actual   {actual}",
            missing.map_or("a task's failure", String::as_str),
            failure.message,
            failure.root_message
        )),
    }
}

/// What tidemill has to say when it fails: the node, where the JVM names one, and the reason.
fn expected_words(failure: &Failure) -> Result<Vec<String>, String> {
    let node = failure.message.split_once("processor=").and_then(|(_, rest)| rest.split_once(','));
    let of_engine =
        REASONS.iter().find(|(jvm, _)| failure.message.starts_with(jvm)).map(|(_, ours)| (*ours).to_owned());
    // An exception of the program's own keeps its text; a global store's processor has nobody who wraps it into another.
    let root_message = failure.root_message.as_deref().unwrap_or_default();
    let of_engine = of_engine
        .or(root_message.contains("buffer exceeded its max capacity").then(|| "buffer of changes is full".into()));
    let thrown = |class: &str, message: Option<&String>| message.filter(|_| class.starts_with("java.lang.")).cloned();
    let in_our_words = |text: &String| {
        REASONS
            .iter()
            .find(|(jvm, _)| text.starts_with(jvm))
            .map_or_else(|| text.clone(), |(_, ours)| (*ours).to_owned())
    };
    let root = failure.root_class.as_deref().and_then(|class| thrown(class, failure.root_message.as_ref()));
    let root = root.as_ref().map(in_our_words);
    let of_program = root.or_else(|| thrown(&failure.class, Some(&failure.message)));
    let reason = of_engine.or(of_program).ok_or_else(|| format!("no words for `{}` are known", failure.message))?;
    Ok(node.map(|(node, _)| format!("`{node}`")).into_iter().chain([reason]).collect())
}

/// An error with all its causes.
fn in_full(error: &DriverError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

fn step_in_words(step: &Step) -> String {
    match &step.pipe {
        Some(Piped { topic, key, value, raw_value, ts, .. }) => {
            let value = raw_value.as_ref().map_or_else(|| value.clone(), |raw| Value::from(format!("base64 {raw}")));
            format!("`{topic}`: {key} = {value} at {ts}")
        }
        None => format!("the clock moves by {} ms", step.advance_wall_clock_ms.unwrap_or_default()),
    }
}

fn same<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(
    what: &str,
    expected: &T,
    actual: &U,
) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    Err(format!("{what} differ\n    expected {expected:?}\n    actual   {actual:?}"))
}

fn same_text(what: &str, expected: &str, actual: &str) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    let differs = |(left, right): (&str, &str)| left != right;
    let line = expected
        .lines()
        .zip(actual.lines())
        .position(differs)
        .unwrap_or(expected.lines().count().min(actual.lines().count()));
    let from_there = |text: &str| text.lines().skip(line).take(4).collect::<Vec<_>>().join("\n      ");
    let (expected, actual) = (from_there(expected), from_there(actual));
    Err(format!("{what} differs from line {} on\n    expected\n      {expected}\n    actual\n      {actual}", line + 1))
}
