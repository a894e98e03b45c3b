//! The topologies of the recorded scenarios, each in the words of the README beside the vectors' pseudo-code: a catalogue of
//! what can be said.
//!
//! Keys and values of streams may be null in the recordings, so the topics' types are `Option`s; tables have plain ones.

mod aggregations;
mod applications;
mod caching;
mod errors;
mod foreign_keys;
mod globals;
mod header_stores;
mod joins;
mod names;
mod processors;
mod stateless;
mod stream_joins;
mod suppress;
mod table_aggregations;
mod table_joins;
mod tables;
mod versioned;
mod windows;

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Serialize;
use serde_json::Value;
use tidemill::Topic;
use tidemill::processor::{ErrorSettings, PartialEffects};
use tidemill::state::{SessionStore, Store, VersionedStore, WindowStore};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::{Topology, TopologyBuilder, TopologyErrors};

use crate::stores::StoreRows;

type Build = Box<dyn Fn() -> Result<Topology, TopologyErrors>>;

/// A topology by name, with the stores that are looked into at the end.
pub(crate) struct Scenario {
    name: &'static str,
    build: Build,
    stores: Vec<StoreRows>,
    config: Vec<(&'static str, &'static str)>,
    errors: ErrorSettings,
}

impl Scenario {
    fn new(name: &'static str, build: Build) -> Self {
        // In Kafka Streams what a record did before it failed stays.
        let errors = ErrorSettings { partial_effects: PartialEffects::Keep, ..ErrorSettings::default() };
        Scenario { name, build, stores: Vec::new(), config: Vec::new(), errors }
    }

    /// A scenario in streams and tables.
    fn streams(name: &'static str, describe: fn(&StreamsBuilder)) -> Self {
        Scenario::built(name, StreamsBuilder::new, describe)
    }

    /// A scenario in streams and tables, with rewrites: `topology.optimization`.
    fn optimized(
        name: &'static str,
        builder: fn() -> StreamsBuilder,
        optimization: &'static str,
        describe: fn(&StreamsBuilder),
    ) -> Self {
        Scenario::built(name, builder, describe).set("topology.optimization", optimization)
    }

    fn built(name: &'static str, builder: fn() -> StreamsBuilder, describe: fn(&StreamsBuilder)) -> Self {
        let build = move || {
            let builder = builder();
            describe(&builder);
            builder.build()
        };
        Scenario::new(name, Box::new(build))
    }

    /// A scenario in sources, processors and sinks.
    fn nodes(name: &'static str, describe: fn(&mut TopologyBuilder)) -> Self {
        let build = move || {
            let mut builder = TopologyBuilder::new();
            describe(&mut builder);
            builder.build()
        };
        Scenario::new(name, Box::new(build))
    }

    /// A store of rows with times, looked into at the end.
    fn store<K: Serialize, V: Serialize + Send>(mut self, store: &Store<K, V>) -> Self {
        self.stores.push(StoreRows::timestamped(store));
        self
    }

    /// A store of rows with times and headers, looked into at the end.
    fn header_store<K: Serialize + Clone, V: Serialize + Send>(mut self, store: &Store<K, V>) -> Self {
        self.stores.push(StoreRows::with_headers(store));
        self
    }

    /// A store of rows without times, looked into at the end.
    fn plain_store<K: Serialize, V: Serialize + Send>(mut self, store: &Store<K, V>) -> Self {
        self.stores.push(StoreRows::plain(store));
        self
    }

    /// A store of versions, looked into at the end.
    fn versioned_store(mut self, store: &VersionedStore<String, String>) -> Self {
        self.stores.push(StoreRows::versioned(store));
        self
    }

    /// A store of windows with times, looked into at the end.
    fn windows<V: Serialize + Send>(mut self, store: &WindowStore<String, V>) -> Self {
        self.stores.push(StoreRows::windows(store));
        self
    }

    /// A store of windows without times, looked into at the end.
    fn plain_windows<V: Serialize + Send>(mut self, store: &WindowStore<String, V>) -> Self {
        self.stores.push(StoreRows::plain_windows(store));
        self
    }

    /// A store of sessions, looked into at the end.
    fn sessions<V: Serialize + Send>(mut self, store: &SessionStore<String, V>) -> Self {
        self.stores.push(StoreRows::sessions(store));
        self
    }

    /// A setting of Kafka Streams that the topology does the same as.
    fn set(mut self, name: &'static str, value: &'static str) -> Self {
        self.config.push((name, value));
        self
    }

    /// What becomes of records that fail, in place of the settings that `config` names.
    fn errors(mut self, set: impl FnOnce(&mut ErrorSettings)) -> Self {
        set(&mut self.errors);
        self
    }

    pub(crate) fn error_settings(&self) -> ErrorSettings {
        self.errors.clone()
    }

    pub(crate) fn build(&self) -> Result<Topology, TopologyErrors> {
        (self.build)()
    }

    pub(crate) fn stores(&self) -> &[StoreRows] {
        &self.stores
    }

    pub(crate) fn config(&self) -> BTreeMap<String, String> {
        self.config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}

/// All scenarios by name.
pub(crate) fn all() -> BTreeMap<&'static str, Scenario> {
    let sections = [
        stateless::scenarios(),
        processors::scenarios(),
        tables::scenarios(),
        versioned::scenarios(),
        aggregations::scenarios(),
        windows::scenarios(),
        suppress::scenarios(),
        table_aggregations::scenarios(),
        joins::scenarios(),
        stream_joins::scenarios(),
        foreign_keys::scenarios(),
        globals::scenarios(),
        table_joins::scenarios(),
        names::scenarios(),
        applications::scenarios(),
        caching::scenarios(),
        header_stores::scenarios(),
        errors::scenarios(),
    ];
    let mut all = BTreeMap::new();
    for scenario in sections.into_iter().flatten() {
        let name = scenario.name;
        assert!(all.insert(name, scenario).is_none(), "two topologies are called `{name}`");
    }
    all
}

type Text = Option<String>;

/// A topic of texts.
const fn texts(name: &'static str) -> Topic<Text, Text> {
    Topic::of(name)
}

/// A topic of numbers.
const fn longs(name: &'static str) -> Topic<Text, Option<i64>> {
    Topic::of(name)
}

/// A topic of JSON documents.
const fn documents(name: &'static str) -> Topic<Text, Option<Value>> {
    Topic::of(name)
}

/// The text of what is there, else `null`.
fn str(value: &Option<impl Display>) -> String {
    value.as_ref().map_or_else(|| "null".into(), ToString::to_string)
}

/// As [`str`], of what a table lends.
fn row(value: Option<&impl Display>) -> String {
    value.map_or_else(|| "null".into(), ToString::to_string)
}

/// The first character, fewer when there is none.
fn first(text: &str) -> String {
    text.chars().take(1).collect()
}
