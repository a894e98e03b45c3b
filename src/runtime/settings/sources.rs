//! Settings that come from outside of the program: files and variables of the environment.
//!
//! Rule: what stands there holds, or the start is refused. All that is wrong is said at once, with where it stands, and no value that
//! may be a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::kafka_streams::{Counterpart, counterpart};
use super::table::{self, PREFIX, Setting, variable};
use super::{Configuration, notation};
use crate::error::{Error, ErrorKind};
use crate::nearest::nearest;
use crate::plan::QUESTION;

/// Names of settings of Kafka's client library come behind this.
const CLIENT: &str = "kafka.client.";

/// Where a setting has its value from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingOrigin {
    /// Nobody said anything.
    #[default]
    Default,
    /// The program.
    Program,
    /// A file.
    File {
        /// Its path.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// The environment.
    Environment {
        /// The variable's name.
        variable: String,
    },
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingOrigin::Default => f.write_str("default"),
            SettingOrigin::Program => f.write_str("program"),
            SettingOrigin::File { file, line } => write!(f, "{}:{line}", file.display()),
            SettingOrigin::Environment { variable } => f.write_str(variable),
        }
    }
}

/// Files and variables that set what the program leaves open, and overrule what it says.
///
/// A source that is named later goes before those named earlier. Names are those of the fields of [`Settings`](crate::Settings), in the
/// environment in capitals, with `TIDEMILL_` before and `_` for `.`. A name that is not known refuses the start, and so does
/// a value that does not fit.
///
/// ```
/// use tidemill::{App, SettingSources, Topic, stream::StreamsBuilder};
/// # const IN: Topic<String, i64> = Topic::of("in");
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder = StreamsBuilder::new();
/// # builder.stream(&IN).group_by_key().count();
/// # let topology = builder.build()?;
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("shop.toml");
/// std::fs::write(&file, "commit_interval = \"20ms\"\ntasks.cache_bytes = \"10MiB\"\n")?;
///
/// // A program takes `.environment()`, which finds the variables itself.
/// let sources = SettingSources::new().file(&file).variables([("TIDEMILL_COMMIT_INTERVAL", "50ms")]);
/// let app = App::builder("shop", topology).memory().settings_from(sources).start().await?;
///
/// let settings = app.settings();
/// assert_eq!(settings.get("commit_interval").unwrap().value, "50ms");
/// assert_eq!(settings.get("commit_interval").unwrap().origin.to_string(), "TIDEMILL_COMMIT_INTERVAL");
/// assert_eq!(settings.get("tasks.cache_bytes").unwrap().value, "10MiB");
/// println!("{settings}"); // all of them, as a table
/// # app.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct SettingSources(Vec<Source>);

#[derive(Clone)]
enum Source {
    File(PathBuf),
    /// A value is `None` where it is not UTF-8.
    Variables(Vec<(String, Option<String>)>),
}

impl fmt::Debug for SettingSources {
    /// Names alone: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().flat_map(|source| match source {
            Source::File(file) => vec![file.display().to_string()],
            Source::Variables(variables) => variables.iter().map(|(name, _)| name.clone()).collect(),
        });
        f.debug_list().entries(names).finish()
    }
}

impl SettingSources {
    /// No source.
    pub fn new() -> Self {
        SettingSources::default()
    }

    /// A TOML file, which must be there at the start.
    ///
    /// ```toml
    /// commit_interval = "20ms"
    /// threads = 4
    ///
    /// [tasks]
    /// cache_bytes = "10MiB"
    /// errors.deserialization = "dead_letter:unreadable"
    /// ```
    #[must_use]
    pub fn file(mut self, file: impl Into<PathBuf>) -> Self {
        self.0.push(Source::File(file.into()));
        self
    }

    /// The variables of the process's environment that begin with `TIDEMILL_`, as they are now.
    #[must_use]
    pub fn environment(self) -> Self {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        self.with_variables(std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), text(value))))
    }

    /// These variables, of which those that do not begin with `TIDEMILL_` are passed over.
    #[must_use]
    pub fn variables<N: Into<String>, V: Into<String>>(self, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        self.with_variables(variables.into_iter().map(|(name, value)| (name.into(), Some(value.into()))))
    }

    fn with_variables(mut self, variables: impl Iterator<Item = (String, Option<String>)>) -> Self {
        // The question of `tidemill plan` is no setting.
        let mut ours: Vec<_> = variables.filter(|(name, _)| name.starts_with(PREFIX) && name != QUESTION).collect();
        // The environment has no order, and faults are listed.
        ours.sort();
        self.0.push(Source::Variables(ours));
        self
    }

    /// Sets what the sources say. Says where each setting comes from, by its name.
    pub(in crate::runtime) fn apply(
        &self,
        configuration: &mut Configuration,
    ) -> Result<BTreeMap<String, SettingOrigin>, Error> {
        let (mut given, mut faults) = (BTreeMap::new(), Vec::new());
        for source in &self.0 {
            for found in source.read()? {
                match found.target() {
                    Ok(target) => {
                        given.insert(target.name(), (target, found));
                    }
                    Err(fault) => faults.push(fault),
                }
            }
        }
        // In the table's order: what a setting needs stands before it.
        let order = |name: &str| table::all().position(|setting| setting.name == name).unwrap_or(usize::MAX);
        let mut in_order: Vec<_> = given.into_iter().collect();
        in_order.sort_by_key(|(name, _)| order(name));
        let mut origins = BTreeMap::new();
        for (name, (target, found)) in in_order {
            match target.set(configuration, &found.text) {
                Ok(()) => {
                    origins.insert(name, found.origin);
                }
                Err(fault) => faults.push(format!("`{name}` ({}): {fault}", found.origin)),
            }
        }
        if faults.is_empty() {
            return Ok(origins);
        }
        Err(Error::new(ErrorKind::Invalid, format!("settings that cannot be: {}", faults.join("; "))))
    }
}

/// A name with a value, as it stands in a source.
struct Found {
    name: String,
    text: String,
    origin: SettingOrigin,
}

/// What is to be set.
enum Target {
    Setting(&'static Setting),
    #[cfg(feature = "kafka")]
    Client(String),
}

impl Target {
    fn name(&self) -> String {
        match self {
            Target::Setting(setting) => setting.name.to_owned(),
            #[cfg(feature = "kafka")]
            Target::Client(name) => format!("{CLIENT}{name}"),
        }
    }

    fn set(&self, configuration: &mut Configuration, text: &str) -> Result<(), String> {
        match self {
            Target::Setting(setting) => setting.set(configuration, text),
            #[cfg(feature = "kafka")]
            Target::Client(name) => {
                let client = configuration.kafka.as_mut().map(|kafka| &mut kafka.client);
                client.into_iter().for_each(|client| {
                    client.insert(name.clone(), text.to_owned());
                });
                Ok(())
            }
        }
    }
}

impl Found {
    /// A name as it would stand in this source.
    fn form(&self, name: &str) -> String {
        match self.origin {
            SettingOrigin::Environment { .. } => variable(name),
            _ => name.to_owned(),
        }
    }

    /// What the name means, or what is wrong with it.
    fn target(&self) -> Result<Target, String> {
        if let Some(setting) = table::all().find(|setting| self.form(setting.name) == self.name) {
            return Ok(Target::Setting(setting));
        }
        if let Some(client) = self.name.strip_prefix(&self.form(CLIENT)) {
            return self.client(client);
        }
        let here = match counterpart(|name| self.form(name) == self.name) {
            Some(Counterpart::Setting(setting)) => {
                format!("is Kafka Streams' name: here it is `{}`{}", self.form(setting.name), self.example(setting))
            }
            Some(Counterpart::Other(instead)) => format!("is Kafka Streams' name: here {instead}"),
            None if !cfg!(feature = "kafka") && self.name.starts_with(&self.form("kafka.")) => {
                "is for applications on Kafka, and the program was built without the feature `kafka`".into()
            }
            None => {
                let known: Vec<String> = table::all().map(|setting| self.form(setting.name)).collect();
                let nearest = nearest(&self.name, known.iter().map(String::as_str)).unwrap_or_default();
                format!("is not known: did you mean `{nearest}`?")
            }
        };
        Err(format!("`{}` ({}) {here}", self.name, self.place()))
    }

    /// Where it stands, without its name.
    fn place(&self) -> String {
        match &self.origin {
            SettingOrigin::Environment { .. } => "environment".into(),
            origin => origin.to_string(),
        }
    }

    #[cfg(feature = "kafka")]
    fn client(&self, name: &str) -> Result<Target, String> {
        Ok(Target::Client(match self.origin {
            SettingOrigin::Environment { .. } => name.replace('_', ".").to_ascii_lowercase(),
            _ => name.to_owned(),
        }))
    }

    #[cfg(not(feature = "kafka"))]
    fn client(&self, _name: &str) -> Result<Target, String> {
        Err(format!(
            "`{}` ({}) is for applications on Kafka, and the program was built without the feature `kafka`",
            self.name,
            self.place()
        ))
    }

    /// How Kafka Streams' number of milliseconds or bytes is written here. Other values may be secrets.
    fn example(&self, setting: &Setting) -> String {
        let Ok(number) = self.text.parse::<u64>() else { return String::new() };
        let is_time = (setting.unit)().starts_with(&<notation::Time as notation::Notation>::unit());
        if is_time { format!(", with the value `{number}ms`") } else { String::new() }
    }
}

impl Source {
    fn read(&self) -> Result<Vec<Found>, Error> {
        match self {
            Source::File(file) => read_file(file),
            Source::Variables(variables) => variables.iter().map(of_variable).collect(),
        }
    }
}

fn of_variable((name, value): &(String, Option<String>)) -> Result<Found, Error> {
    let Some(text) = value.clone() else {
        let message = format!("the value of `{name}` in the environment is not UTF-8: write it as UTF-8");
        return Err(Error::new(ErrorKind::Invalid, message));
    };
    Ok(Found { name: name.clone(), text, origin: SettingOrigin::Environment { variable: name.clone() } })
}

fn read_file(file: &Path) -> Result<Vec<Found>, Error> {
    let invalid = |message: String| Error::new(ErrorKind::Invalid, message);
    let text = std::fs::read_to_string(file).map_err(|cause| {
        invalid(format!("cannot read the settings in `{}`: {cause}; make the file, or do not name it", file.display()))
    })?;
    let line_of = |at: usize| 1 + text[..at.min(text.len())].bytes().filter(|byte| *byte == b'\n').count();
    // Not the cause itself: it shows the line, which may have a secret.
    let table = DeTable::parse(&text).map_err(|cause| {
        let line = line_of(cause.span().map_or(0, |span| span.start));
        invalid(format!("`{}` is not TOML: line {line}: {}", file.display(), cause.message()))
    })?;
    let mut found = Vec::new();
    flatten("", table.get_ref(), &mut |name, at, value| {
        let line = line_of(at);
        let text = value_text(value).ok_or_else(|| {
            let kind = value.type_str();
            invalid(format!("`{name}` ({}:{line}) is a {kind}: write text, a number, or true or false", file.display()))
        })?;
        found.push(Found { name, text, origin: SettingOrigin::File { file: file.to_owned(), line } });
        Ok(())
    })?;
    Ok(found)
}

/// Gives each value with its name, dots between the names of tables.
fn flatten(
    before: &str,
    table: &DeTable<'_>,
    each: &mut dyn FnMut(String, usize, &DeValue<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    table.iter().try_for_each(|(key, value)| {
        let name = if before.is_empty() { key.get_ref().to_string() } else { format!("{before}.{}", key.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) => flatten(&name, inner, each),
            value => each(name, key.span().start, value),
        }
    })
}

/// A value as it would be written in the environment.
fn value_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            i128::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(is_so) => Some(is_so.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
