//! The settings that hold, each with where it comes from.
//!
//! Rule: what is shown is what is used, and a secret is shown as such.

use std::collections::BTreeMap;
use std::fmt;

use super::table::{self, Setting};
use super::{Configuration, SettingOrigin, Settings};

/// One setting of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingInUse {
    /// Its name, as in a file.
    pub name: String,
    /// The variable of the environment that sets it.
    pub variable: String,
    /// Its value, as in a file; `<secret>` for a password.
    pub value: String,
    /// The value that it has when nobody says anything; `None` where there is none.
    pub default: Option<String>,
    /// What can be written, in words.
    pub unit: String,
    /// Where the value comes from.
    pub origin: SettingOrigin,
    /// What it does.
    pub effect: &'static str,
    /// What Kafka Streams calls it.
    pub kafka_names: &'static [&'static str],
}

/// All settings of an application, with where each comes from: [`App::settings`](crate::App::settings).
///
/// `Display` shows them as a table.
#[derive(Clone, Debug)]
pub struct SettingsInUse {
    settings: Vec<SettingInUse>,
    without_effect: Vec<(String, SettingOrigin)>,
}

impl SettingsInUse {
    pub(in crate::runtime) fn of(configuration: &Configuration, origins: BTreeMap<String, SettingOrigin>) -> Self {
        let mut open = origins;
        let mut settings: Vec<SettingInUse> =
            table::all().filter_map(|setting| in_use(setting, configuration, &mut open)).collect();
        settings.extend(client_settings(configuration, &mut open));
        SettingsInUse { settings, without_effect: open.into_iter().collect() }
    }

    /// The setting of this name.
    pub fn get(&self, name: &str) -> Option<&SettingInUse> {
        self.settings.iter().find(|setting| setting.name == name)
    }

    /// All that have an effect, in the order of the book's table.
    pub fn iter(&self) -> impl Iterator<Item = &SettingInUse> {
        self.settings.iter()
    }

    /// What files and variables set although it has no effect here, such as settings for Kafka on the embedded log.
    pub fn without_effect(&self) -> impl Iterator<Item = (&str, &SettingOrigin)> {
        self.without_effect.iter().map(|(name, origin)| (&**name, origin))
    }
}

fn in_use(
    setting: &Setting,
    configuration: &Configuration,
    origins: &mut BTreeMap<String, SettingOrigin>,
) -> Option<SettingInUse> {
    let value = setting.get(configuration)?;
    let default = setting.get(&defaults(configuration)).filter(|default| !default.is_empty());
    let said = || if default.as_ref() == Some(&value) { SettingOrigin::Default } else { SettingOrigin::Program };
    Some(SettingInUse {
        name: setting.name.into(),
        variable: setting.variable(),
        unit: (setting.unit)(),
        origin: origins.remove(setting.name).unwrap_or_else(said),
        effect: setting.effect,
        kafka_names: setting.kafka_names,
        value,
        default,
    })
}

/// What holds in such a place when nobody says anything.
#[cfg_attr(not(feature = "kafka"), expect(unused_variables, reason = "the place has no settings of its own"))]
fn defaults(configuration: &Configuration) -> Configuration {
    Configuration {
        settings: Settings::default(),
        #[cfg(feature = "kafka")]
        kafka: configuration.kafka.as_ref().map(|_| crate::log::kafka::KafkaSettings::new("")),
    }
}

#[cfg(feature = "kafka")]
fn client_settings(configuration: &Configuration, origins: &mut BTreeMap<String, SettingOrigin>) -> Vec<SettingInUse> {
    let chosen = configuration.kafka.iter().flat_map(|kafka| &kafka.client);
    let row = |(name, value): (&String, &String)| {
        let name = format!("kafka.client.{name}");
        SettingInUse {
            variable: table::variable(&name),
            value: value.clone(),
            default: None,
            unit: "as librdkafka takes it".into(),
            origin: origins.remove(&name).unwrap_or(SettingOrigin::Program),
            effect: "a setting of the client library, librdkafka",
            kafka_names: &[],
            name,
        }
    };
    chosen.map(row).collect()
}

#[cfg(not(feature = "kafka"))]
fn client_settings(_: &Configuration, _: &mut BTreeMap<String, SettingOrigin>) -> Vec<SettingInUse> {
    Vec::new()
}

impl fmt::Display for SettingsInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["setting", "value", "default", "from", "what it does"].map(str::to_owned);
        let rows = self.settings.iter().map(|setting| {
            let default = setting.default.clone().unwrap_or_else(|| "-".into());
            let (name, value) = (setting.name.clone(), setting.value.clone());
            [name, value, default, setting.origin.to_string(), setting.effect.to_owned()]
        });
        let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3].map(width);
        for [name, value, default, from, effect] in &rows {
            let [a, b, c, d] = widths;
            writeln!(f, "{name:a$}  {value:b$}  {default:c$}  {from:d$}  {effect}")?;
        }
        for (name, origin) in &self.without_effect {
            writeln!(f, "{name} ({origin}) has no effect: the application is not on Kafka")?;
        }
        Ok(())
    }
}
