//! The table of settings: what can be set by name, how its value is written, and what it does.
//!
//! Rule: this is the only list. Files and variables are read by it, the settings in use are printed by it, and the page of the book is
//! compared with it.

use super::notation::{Beginning, Bytes, Choice, Count, DiskWait, Engine, Handler, Notation, Time, TimeOrOff};
use super::{Configuration, Settings};

/// One setting.
pub(super) struct Setting {
    /// As in a file; a field of [`Settings`], or one of Kafka's with `kafka.` before it.
    pub(super) name: &'static str,
    /// What can be written, in words.
    pub(super) unit: fn() -> String,
    pub(super) effect: &'static str,
    /// Kafka Streams' names for it.
    pub(super) kafka_names: &'static [&'static str],
    pub(super) access: Access,
}

/// How to get at the value of a setting.
pub(super) enum Access {
    Engine {
        get: fn(&Settings) -> String,
        set: fn(&mut Settings, &str) -> Result<(), String>,
    },
    #[cfg(feature = "kafka")]
    Kafka {
        get: fn(&crate::log::kafka::KafkaSettings) -> Option<String>,
        set: fn(&mut crate::log::kafka::KafkaSettings, &str) -> Result<(), String>,
    },
}

impl Setting {
    /// The value as it is written; `None` where the setting has no effect.
    pub(super) fn get(&self, configuration: &Configuration) -> Option<String> {
        match self.access {
            Access::Engine { get, .. } => Some(get(&configuration.settings)),
            #[cfg(feature = "kafka")]
            Access::Kafka { get, .. } => configuration.kafka.as_ref().and_then(get),
        }
    }

    /// Sets it, where it has an effect; says what is wrong with the text in any case.
    pub(super) fn set(&self, configuration: &mut Configuration, text: &str) -> Result<(), String> {
        match self.access {
            Access::Engine { set, .. } => set(&mut configuration.settings, text),
            #[cfg(feature = "kafka")]
            Access::Kafka { set, .. } => configuration.kafka.as_mut().map_or(Ok(()), |kafka| set(kafka, text)),
        }
    }

    /// The variable of the environment that sets it.
    pub(super) fn variable(&self) -> String {
        variable(self.name)
    }
}

/// What the variables begin with.
pub(super) const PREFIX: &str = "TIDEMILL_";

/// The variable for a name.
pub(super) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "_").to_ascii_uppercase())
}

/// All settings, in the order in which they are shown and set.
pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    let engine = ENGINE.iter();
    #[cfg(feature = "kafka")]
    let engine = engine.chain(super::kafka::KAFKA);
    engine
}

macro_rules! engine {
    ($first:ident $(. $field:ident)*: $notation:ty, $effect:literal $(, kafka $kafka:literal)*) => {
        Setting {
            name: concat!(stringify!($first) $(, ".", stringify!($field))*),
            unit: <$notation as Notation>::unit,
            effect: $effect,
            kafka_names: &[$($kafka),*],
            access: Access::Engine {
                get: |settings| <$notation as Notation>::write(&settings.$first $(.$field)*),
                set: |settings, text| {
                    settings.$first $(.$field)* = <$notation as Notation>::read(text)?;
                    Ok(())
                },
            },
        }
    };
}

const ENGINE: &[Setting] = &[
    engine!(commit_interval: Time, "how long work may stay uncommitted", kafka "commit.interval.ms"),
    engine!(threads: Count<usize>, "how many threads run tasks", kafka "num.stream.threads"),
    engine!(create_topics: Choice<bool>, "whether missing topics of the topology are created"),
    engine!(partitions: Count<u32>, "partitions of a topic that is created, unless the builder says"),
    engine!(memory_bytes: Bytes<u64>, "memory for rows, caches, buffers and records on their way, all together"),
    engine!(flush_rows: Count<usize>, "after how many changed rows a store on disk is flushed"),
    engine!(clean_interval: Time, "how often the log is cleaned: expired records, changelogs"),
    engine!(stuck_after: Time, "how long one record or commit may take before the process gives its partitions up",
        kafka "max.poll.interval.ms"),
    engine!(standbys: Count<usize>, "in how many other processes each store is kept too", kafka "num.standby.replicas"),
    engine!(on_error.response: Choice<crate::OnError>, "what is done after an error that no handler took"),
    engine!(on_error.retries: Count<u32>, "how often workers are replaced before the next error stops the process"),
    engine!(on_error.back_off: Time, "the pause before new workers begin; it doubles, up to a minute"),
    engine!(on_error.calm: Time, "after how long without an error retries are counted anew"),
    engine!(on_error.task_timeout: TimeOrOff, "how long the brokers may be away before that is an error like others",
        kafka "task.timeout.ms"),
    engine!(start_paused: Choice<bool>, "whether it is paused when it starts, until `App::resume`"),
    engine!(topics_interval: Time, "how often new topics are looked for that patterns of sources match"),
    engine!(store_engine: Engine, "what stores on disk lie in"),
    engine!(tasks.changelog: Choice<tidemill_dsl::state::Changelog>,
        "what changelogs get, where the topology does not say"),
    engine!(tasks.cache_bytes: Bytes<u64>, "size of the record caches of each task; 0 is no cache"),
    engine!(tasks.emit_interval: Time, "how often closed windows and unmatched records are looked for"),
    engine!(tasks.idle_advance: TimeOrOff, "after how long without records the time of records moves on"),
    engine!(tasks.errors.deserialization: Handler, "what becomes of records that cannot be read",
        kafka "deserialization.exception.handler", kafka "default.deserialization.exception.handler"),
    engine!(tasks.errors.processing: Handler, "what becomes of records that fail in the program's code",
        kafka "processing.exception.handler"),
    engine!(tasks.errors.production: Handler, "what becomes of records that cannot be written",
        kafka "production.exception.handler", kafka "default.production.exception.handler"),
    engine!(tasks.errors.global: Handler, "what becomes of records that fail in global stores"),
    engine!(tasks.errors.partial_effects: Choice<tidemill_dsl::processor::PartialEffects>,
        "what becomes of the effects that a record had before it failed"),
    engine!(tasks.record_bytes_max: Bytes<usize>, "how large key and value of a written record may be together",
        kafka "max.request.size"),
    engine!(tasks.offset_reset: Beginning, "where to begin in a partition that the application has no place in",
        kafka "auto.offset.reset"),
    engine!(log.durability: DiskWait, "how often the embedded log waits for the disk"),
    engine!(log.segment_bytes: Bytes<u64>, "size at which a file of the embedded log ends"),
    engine!(log.recent_bytes: Bytes<usize>, "the log's youngest records kept in memory; at most an eighth of `memory_bytes`"),
    engine!(log.clean_bytes: Bytes<usize>, "memory for finding replaced records"),
    engine!(stores.cache_bytes: Bytes<u64>, "blocks of stores kept in memory; at most an eighth of `memory_bytes`"),
    engine!(stores.write_buffer_bytes: Bytes<u64>, "rows of a store that wait to be sorted into a file"),
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// The paths of the fields that `{:#?}` shows.
    fn fields(debug: &str) -> BTreeSet<String> {
        let (mut path, mut found) = (Vec::<&str>::new(), BTreeSet::new());
        for line in debug.lines().skip(1) {
            let depth = (line.len() - line.trim_start().len()) / 4;
            let Some((name, value)) = line.trim().split_once(": ") else { continue };
            path.truncate(depth - 1);
            path.push(name);
            if !value.ends_with('{') {
                found.insert(path.join("."));
            }
        }
        found
    }

    #[test]
    fn every_field_of_the_settings_is_in_the_table() {
        let named: BTreeSet<String> = ENGINE.iter().map(|setting| setting.name.to_owned()).collect();
        assert_eq!(fields(&format!("{:#?}", Settings::default())), named);
    }

    #[test]
    fn no_two_settings_have_one_name_or_variable() {
        let mut names = BTreeMap::new();
        for setting in all() {
            let kafka = setting.kafka_names.iter().map(|name| name.to_string());
            for name in kafka.chain([setting.name.to_owned(), setting.variable()]) {
                assert_eq!(names.insert(name.clone(), setting.name), None, "{name}");
            }
        }
    }

    #[test]
    fn what_is_shown_can_be_set_and_is_shown_again() {
        let mut configuration = Configuration::default();
        for setting in ENGINE {
            let shown = setting.get(&configuration).unwrap();
            setting.set(&mut configuration, &shown).unwrap_or_else(|fault| panic!("{}: {fault}", setting.name));
            assert_eq!(setting.get(&configuration).unwrap(), shown, "{}", setting.name);
        }
    }
}
