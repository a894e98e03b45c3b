//! Which tables are restored from the topic that they are read from.

use tidemill::Topic;
use tidemill::serde::SerdeRef;
use tidemill::state::{Changelog, Store};
use tidemill::stream::{Materialized, Optimization, StreamsBuilder};

const IN: Topic<String, i64> = Topic::of("in");
const OUT: Topic<String, i64> = Topic::of("out");
const ROWS: Store<String, i64> = Store::of("rows");

/// The topic that the one store of a topology is restored from.
fn source(optimization: Optimization, describe: impl FnOnce(&StreamsBuilder)) -> Option<String> {
    let builder = StreamsBuilder::new().optimize(optimization);
    describe(&builder);
    let topology = builder.build().unwrap();
    let [store] = topology.stores() else { panic!("{} stores", topology.stores().len()) };
    store.source_topic().map(str::to_owned)
}

#[test]
fn a_table_of_a_topic_is_where_that_is_asked_for() {
    for optimization in [Optimization::All, Optimization::ReuseSourceTopics] {
        assert_eq!(source(optimization, |b| drop(b.table_with(&IN, &ROWS))), Some("in".into()));
    }
    for optimization in [Optimization::None, Optimization::MergeRepartitions] {
        assert_eq!(source(optimization, |b| drop(b.table_with(&IN, &ROWS))), None);
    }
    // A join has the rows kept.
    let joined = |b: &StreamsBuilder| {
        b.stream(&OUT).join(&b.table(&IN), |out, row| out + row).to(&Topic::<String, i64>::of("end"));
    };
    assert_eq!(source(Optimization::All, joined), Some("in".into()));
}

#[test]
fn what_is_computed_or_asked_for_otherwise_has_a_changelog() {
    let to_table = |b: &StreamsBuilder| drop(b.stream(&IN).to_table_with(&ROWS));
    assert_eq!(source(Optimization::All, to_table), None);
    let mapped = |b: &StreamsBuilder| drop(b.table(&IN).map_values_with(&ROWS, |_, value| value * 2));
    assert_eq!(source(Optimization::All, mapped), None);
    let logged = Materialized::store(&ROWS).changelog(Changelog::EveryUpdate);
    assert_eq!(source(Optimization::All, |b| drop(b.table_with(&IN, logged))), None);
    // The topic has numbers in 8 bytes, and the store reads JSON.
    let json = Materialized::with(IN.key_serde(), &SerdeRef::json());
    let joined = |b: &StreamsBuilder| {
        let table = b.table_with(&IN, json);
        b.stream(&OUT).join(&table, |out, row| out + row).to(&Topic::<String, i64>::of("end"));
    };
    assert_eq!(source(Optimization::All, joined), None);
}
