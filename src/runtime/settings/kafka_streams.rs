//! What settings of Kafka Streams are called here, or why they are not.
//!
//! Rule: whoever brings such a name along is told where to go on; a name is never taken for something that works otherwise.

use super::table;

/// Settings without one of the same meaning, and what there is.
const OTHERS: &[(&str, &str)] = &[
    ("acceptable.recovery.lag", "tasks move to whom the group gives them, and are restored there"),
    ("application.id", "it is the first argument of `App::builder`"),
    ("application.server", "`AppBuilder::query_server` says where the process is asked"),
    ("buffered.records.per.partition", "queues are bounded in bytes, by `memory_bytes`"),
    ("cache.max.bytes.buffering", "`tasks.cache_bytes` is for each task, not for the process"),
    ("client.id", "the engine names its clients"),
    ("default.client.supplier", "`AppBuilder::log` takes any log"),
    ("default.dsl.store", "`StoreSpec` says where a store lies, `store_engine` in what"),
    ("default.key.serde", "the types have their serdes"),
    ("default.timestamp.extractor", "a source says it: `Consumed::timestamps`"),
    ("default.value.serde", "the types have their serdes"),
    ("dsl.store.suppliers.class", "`StoreSpec` says where a store lies, `store_engine` in what"),
    ("enable.idempotence", "the engine sets it"),
    ("enable.metrics.push", "metrics are fetched: see the page on operating"),
    ("ensure.explicit.internal.resource.naming", "`StreamsBuilder::naming(Naming::Explicit)` asks for it"),
    ("errors.dead.letter.queue.topic.name", "`tasks.errors.*` takes `dead_letter:<topic>`"),
    ("max.task.idle.ms", "the ends of inputs are known, so nothing has to be waited for"),
    ("max.warmup.replicas", "there are standbys only, `standbys`"),
    ("metadata.max.age.ms", "for new topics of patterns there is `topics_interval`"),
    ("metric.reporters", "a recorder of the `metrics` facade takes their place"),
    ("metrics.num.samples", "rates are for who collects the counts"),
    ("metrics.recording.level", "there is one level"),
    ("metrics.sample.window.ms", "rates are for who collects the counts"),
    ("poll.ms", "workers are woken by news"),
    ("probing.rebalance.interval.ms", "there are no rebalances for probing"),
    ("processing.exception.handler.global.enabled", "`tasks.errors.global` is a handler of its own"),
    ("processor.wrapper.class", "`StreamsBuilder::wrap_processors` takes a function"),
    ("repartition.purge.interval.ms", "it is always half a minute"),
    ("rocksdb.config.setter", "`stores.*` has what can be set"),
    ("state.cleanup.delay.ms", "stores of tasks that have gone are kept"),
    ("state.dir", "`AppBuilder::state_folder` says it"),
    ("statestore.cache.max.bytes", "`tasks.cache_bytes` is for each task, not for the process"),
    ("task.assignor.class", "the group's range assignment places tasks"),
    ("topology.optimization", "`StreamsBuilder::optimize` asks for it"),
    ("upgrade.from", "there is one format"),
    ("window.size.ms", "the type of the window has it"),
    ("windowstore.changelog.additional.retention.ms", "what Kafka Streams adds by default is added"),
];

/// What a name of Kafka Streams means here: a setting by its name, or something else in words.
pub(super) enum Counterpart {
    Setting(&'static table::Setting),
    Other(&'static str),
}

/// What a name means, if it is one of Kafka Streams'. `same` compares.
pub(super) fn counterpart(same: impl Fn(&str) -> bool) -> Option<Counterpart> {
    let setting = table::all().find(|setting| setting.kafka_names.iter().any(|name| same(name)));
    let other = || OTHERS.iter().find(|(name, _)| same(name)).map(|(_, instead)| Counterpart::Other(instead));
    setting.map(Counterpart::Setting).or_else(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_answer() {
        let names: Vec<&str> = OTHERS.iter().map(|(name, _)| *name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        for name in names {
            assert!(matches!(counterpart(|other| other == name), Some(Counterpart::Other(_))), "{name}");
        }
        assert!(matches!(counterpart(|name| name == "commit.interval.ms"), Some(Counterpart::Setting(_))));
    }
}
