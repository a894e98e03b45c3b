//! What the typed builder's types cannot rule out is refused by `build`, all of it at once.

use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::{Record, Timestamp};
use tidemill::serde::{Data, SerdeRef};
use tidemill::state::{SessionStore, Store, StoreSpec, VersionedStore, WindowStore};
use tidemill::stream::{Buffer, Consumed, Materialized, StreamsBuilder, Suppressed, Table, WindowKind, WindowedStream};
use tidemill::topology::{Fault, OffsetReset, TimestampExtractor};
use tidemill::window::{EmitStrategy, Hopping, Session, TimeWindowed, Tumbling, Unlimited, Windowed};

const IN: Topic<String, i64> = Topic::of("in");
const OTHER: Topic<String, i64> = Topic::of("other");
const PRICES: Topic<String, i64> = Topic::of("prices");
const OUT: Topic<String, i64> = Topic::of("out");
const ROWS: Store<String, i64> = Store::of("rows");

/// A type that says nothing about its bytes.
#[derive(Clone, Data)]
struct Mute;

struct Swallow;

impl Processor<String, i64, String, i64> for Swallow {
    fn process(&mut self, _: Record<'_, String, i64>, _: &mut Context<'_, String, i64>) -> Flow {
        Ok(())
    }
}

fn check(write: impl FnOnce(&StreamsBuilder), expected: &str) {
    let builder = StreamsBuilder::new();
    write(&builder);
    let error = builder.build().expect_err("the program is wrong");
    assert_eq!(error.to_string(), format!("the topology is wrong: {expected}"));
}

#[test]
fn an_unknown_store() {
    check(
        |builder| {
            builder.stream(&IN).process::<String, i64, _>(|| Swallow, &[&"rows"]).named("swallow").to(&OUT);
        },
        "node `swallow` uses the store `rows`, which does not exist: add it with `add_store` (`add_state_store` of a `TopologyBuilder`), or correct the name",
    );
}

#[test]
fn an_extractor_for_a_topic_that_is_read_already() {
    check(
        |builder| {
            builder.stream(&IN).to(&OUT);
            builder.stream_with(&IN, Consumed::timestamps(TimestampExtractor::WallClock)).to(&OTHER);
        },
        "`in` is read once more, with a timestamp extractor that the first reading does not have: all readings share one \
         source, so give it to the first",
    );
}

#[test]
fn an_offset_reset_for_a_topic_that_is_read_already() {
    check(
        |builder| {
            builder.stream(&IN).to(&OUT);
            builder.stream_with(&IN, Consumed::default().reset(OffsetReset::Latest)).to(&OTHER);
        },
        "`in` is read once more, with an offset reset that the first reading does not have: all readings share one source, so \
         give it to the first",
    );
}

#[test]
fn an_unused_store() {
    check(
        |builder| {
            builder.stream(&IN).to(&OUT);
            builder.add_store(StoreSpec::plain(&ROWS));
        },
        "store `rows` is connected to no processor, so no task would have it: connect it, or leave it out",
    );
}

#[test]
fn two_stores_of_one_name() {
    check(
        |builder| {
            builder.stream(&IN).group_by_key().count_with(&ROWS);
            builder.stream(&OTHER).group_by_key().count_with(&ROWS);
        },
        "two stores are named `rows`: each would write the changelog of the other; rename one",
    );
}

#[test]
fn two_nodes_of_one_name() {
    check(
        |builder| {
            let stream = builder.stream(&IN);
            stream.filter(|_, _| true).named("twin").to(&OUT);
            stream.map_values(|value| value + 1).named("twin").to(&OUT);
        },
        "two nodes are named `twin`: names identify nodes, give one of them another name",
    );
}

#[test]
fn a_table_on_a_topic_that_is_a_stream_already() {
    check(
        |builder| {
            builder.stream(&IN).to(&OUT);
            builder.table(&IN).to_stream().to(&OUT);
        },
        "topic `in` is read by the sources `KSTREAM-SOURCE-0000000000` and `KSTREAM-SOURCE-0000000003`: connect both parts \
         to one source; `stream(..).to_table()` gives both from one",
    );
}

#[test]
fn one_topic_with_two_types() {
    const TEXTS: Topic<String, String> = Topic::of("in");
    check(
        |builder| {
            builder.stream(&IN).to(&OUT);
            builder.stream(&TEXTS).filter(|_, _| true).named("texts").for_each(|_, _| {});
        },
        "node `KSTREAM-SOURCE-0000000000` gives `tidemill_dsl::processor::edge::StreamOf<alloc::string::String, i64>`, but \
         its child `texts` takes `tidemill_dsl::processor::edge::StreamOf<alloc::string::String, alloc::string::String>`: put \
         a node that converts between them",
    );
}

#[test]
fn a_merge_of_two_builders() {
    let other = StreamsBuilder::new();
    let foreign = other.stream(&OTHER);
    let builder = StreamsBuilder::new();
    builder.stream(&IN).merge(&foreign).to(&OUT);
    assert_eq!(
        builder.build().unwrap_err().to_string(),
        "the topology is wrong: `merge` was given a stream or table of another builder: make both sides with the same \
         `StreamsBuilder`"
    );
}

#[test]
fn a_join_of_two_builders() {
    for left in [false, true] {
        let other = StreamsBuilder::new();
        let foreign = other.table(&OTHER);
        let builder = StreamsBuilder::new();
        let stream = builder.stream(&IN);
        let joined = match left {
            true => stream.left_join(&foreign, |value, row| value + row.unwrap_or(&0)),
            false => stream.join(&foreign, |value, row| value + row),
        };
        joined.to(&OUT);
        let verb = if left { "left_join" } else { "join" };
        assert_eq!(builder.build().unwrap_err().faults(), [Fault::OtherBuilder { verb }]);
    }
}

#[test]
fn a_join_of_tables_of_two_builders() {
    const SUMS: Store<String, i64> = Store::of("sums");
    type Join = fn(&Table<'_, String, i64>, &Table<'_, String, i64>);
    let joins: [(Join, &str); 3] = [
        (|left, right| drop(left.join(right, |left, right| Some(left + right))), "join"),
        (|left, right| drop(left.left_join_with(right, &SUMS, |left, _| Some(*left))), "left_join"),
        (
            |left, right| {
                // What goes on from there brings no fault of its own.
                let joined = left.outer_join(right, |_, right| right.copied());
                joined.join(left, |_, left| *left).to_stream().to(&OUT);
            },
            "outer_join",
        ),
    ];
    for (join, verb) in joins {
        let (other, builder) = (StreamsBuilder::new(), StreamsBuilder::new());
        // The other one has more places than this one.
        (0..9).for_each(|_| drop(other.table(&IN)));
        join(&builder.table(&IN), &other.table(&OTHER));
        assert_eq!(builder.build().unwrap_err().faults(), [Fault::OtherBuilder { verb }]);
    }
}

#[test]
fn a_foreign_key_join_of_tables_of_two_builders() {
    for left in [false, true] {
        let other = StreamsBuilder::new();
        let builder = StreamsBuilder::new();
        (0..9).for_each(|_| drop(other.table(&IN)));
        let (table, foreign) = (builder.table(&IN), other.table(&OTHER));
        let joined = match left {
            true => table.left_join_on(&foreign, |_, row| row.to_string(), |value, _| *value),
            false => table.join_on(&foreign, |_, row| row.to_string(), |value, row| value + row),
        };
        joined.to_stream().to(&OUT);
        let verb = if left { "left_join_on" } else { "join_on" };
        assert_eq!(builder.build().unwrap_err().faults(), [Fault::OtherBuilder { verb }]);
    }
}

#[test]
fn a_cogroup_of_two_builders() {
    const SUMS: Store<String, i64> = Store::of("sums");
    let (builder, other) = (StreamsBuilder::new(), StreamsBuilder::new());
    let foreign = other.stream(&OTHER).group_by_key();
    let grouped = builder.stream(&IN).group_by_key();
    grouped.cogroup(|sum: i64, _, value| sum + value).and(&foreign, |sum, _, value| sum + value).aggregate(&SUMS, || 0);
    assert_eq!(builder.build().unwrap_err().faults(), [Fault::OtherBuilder { verb: "cogroup" }]);
}

#[test]
fn two_streams_of_a_cogroup_that_both_need_a_topic_and_have_no_name_for_it() {
    const SUMS: Store<String, i64> = Store::of("sums");
    let builder = StreamsBuilder::new();
    let rekeyed = |topic| builder.stream(topic).group_by(|_, value: &i64| value.to_string());
    let (one, two) = (rekeyed(&IN), rekeyed(&OTHER));
    one.cogroup(|sum: i64, _, value| sum + value).and(&two, |sum, _, value| sum - value).aggregate(&SUMS, || 0);
    let error = builder.build().unwrap_err().to_string();
    assert!(error.contains("sums-repartition"), "{error}");
}

#[test]
fn a_type_that_says_nothing_about_its_bytes() {
    check(
        |builder| {
            builder.stream(&IN).map(|key, _| (key.clone(), Mute)).repartition();
        },
        "nothing says how `topology::typed_faults::Mute`, the value of a repartition topic, is written: name a format, by \
         `#[data(json)]` on the type, by a descriptor such as `Store::json`, or by serdes in the verb's options",
    );
    check(
        |builder| {
            let stream = builder.stream(&IN).map_values(|_| Mute);
            stream.group_by_key().reduce(|_, _| Mute);
        },
        "nothing says how `topology::typed_faults::Mute`, the value of a store, is written: name a format, by \
         `#[data(json)]` on the type, by a descriptor such as `Store::json`, or by serdes in the verb's options",
    );
}

/// As in Kafka Streams: the options of a table are those of the topic on the way to it.
#[test]
fn the_topic_on_the_way_to_a_table_is_written_as_the_table_is() {
    let builder = StreamsBuilder::new();
    let pairs = builder.stream(&IN).map(|key, value| (key.clone(), (*value, "pair".to_owned())));
    _ = pairs.to_table_with(&Store::json("pairs"));
    builder.build().unwrap();
}

#[test]
fn a_tuple_that_nobody_says_the_format_of() {
    check(
        |builder| {
            let pairs = builder.stream(&IN).map_values(|value| (*value, "pair".to_owned()));
            pairs.map_values(|(value, _)| *value).to(&OUT);
            pairs.group_by_key().reduce_with(&Store::json("kept"), |_, pair| pair.clone());
            pairs.group_by_key().reduce(|_, pair| pair.clone());
        },
        "nothing says how `(i64, alloc::string::String)`, the value of a store, is written: name a format, by \
         `#[data(json)]` on the type, by a descriptor such as `Store::json`, or by serdes in the verb's options",
    );
}

/// What is said of windows of records, where `aggregate` is the node.
fn check_windows<W: WindowKind>(windows: W, aggregate: fn(&WindowedStream<'_, String, i64, W>), expected: &str) {
    check(
        |builder| aggregate(&builder.stream(&IN).group_by_key().windowed_by(windows)),
        &format!("the windows of node `KSTREAM-AGGREGATE-0000000002` cannot be: {expected}"),
    );
}

#[test]
fn windows_that_cannot_be() {
    let ms = Duration::from_millis;
    let short = "they are shorter than a millisecond: give them another length";
    check_windows(Tumbling::of(ms(0)), |windowed| _ = windowed.count(), short);
    check_windows(Hopping::of(ms(10), ms(0)), |windowed| _ = windowed.count(), short);
    check_windows(
        Hopping::of(ms(10), ms(20)),
        |windowed| _ = windowed.count(),
        "they advance by 20 ms and are 10 ms long, so records lie between them: let them advance by less",
    );
    check_windows(
        Unlimited::from(Timestamp::from_millis(-1)),
        |windowed| _ = windowed.count(),
        "they begin at -1, before time 0: begin them there or later",
    );
    check_windows(Session::gap(ms(0)), |windowed| _ = windowed.count(), "their gap is 0 ms: give them a longer one");
}

#[test]
fn stores_that_forget_rows_of_open_windows() {
    const PER_SECOND: WindowStore<String, i64> = WindowStore::of("per-second");
    const VISITS: SessionStore<String, i64> = SessionStore::of("visits");
    let ms = Duration::from_millis;
    let name =
        |node: &str, text: &str| format!("the windows of node `{node}` cannot be: their store keeps rows for {text}");
    check(
        |builder| {
            let windowed = builder.stream(&IN).group_by_key().windowed_by(Tumbling::of(ms(1_000)).with_grace(ms(500)));
            windowed.count_with(Materialized::windows(&PER_SECOND).retention(ms(1_499))).named("counted").to_stream();
        },
        &name("counted", "1499 ms, and they take records for 1500 ms: keep rows longer"),
    );
    check(
        |builder| {
            let windowed = builder.stream(&IN).group_by_key().windowed_by(Session::gap(ms(1_000)));
            windowed.count_with(Materialized::sessions(&VISITS).retention(ms(999))).named("counted").to_stream();
        },
        &name("counted", "999 ms, and they take records for 1000 ms: keep rows longer"),
    );
}

#[test]
fn several_streams_in_windows_that_come_out_on_close() {
    const PER_SECOND: WindowStore<String, i64> = WindowStore::of("per-second");
    check(
        |builder| {
            let windowed = builder.stream(&IN).group_by_key().windowed_by(Tumbling::of(Duration::from_secs(1)));
            let windowed = windowed.emit_strategy(EmitStrategy::OnWindowClose);
            windowed.cogroup(|sum: i64, _, value| sum + value).aggregate(&PER_SECOND, || 0).named("sums").to_stream();
        },
        "the windows of node `sums-cogroup-merge` cannot be: several streams are folded in them, each with a time of its own, so \
         nobody knows when they are closed: let results wait with `suppress`",
    );
}

#[test]
fn a_suppress_of_what_it_cannot_wait_for() {
    const VERSIONS: VersionedStore<String, i64> = VersionedStore::of("versions", Duration::from_secs(60));
    check(
        |builder| {
            let serde = TimeWindowed::serde(SerdeRef::of(), Duration::from_secs(1));
            let windows: Topic<Windowed<String>, i64> = Topic::new("windows", serde, SerdeRef::of());
            let unwindowed = builder.table(&windows);
            unwindowed.suppress(Suppressed::until_window_closes(Buffer::unbounded())).named("final").to_stream();
        },
        "the windows of node `final` cannot be: it is to wait until they are closed, and no windowed aggregation is above it: \
         use `until_time_limit`, or suppress the table of such an aggregation",
    );
    check(
        |builder| {
            let versioned = builder.table_with(&OTHER, &VERSIONS).filter(|_, _| true);
            let calm = Suppressed::until_time_limit(Duration::from_secs(1), Buffer::unbounded());
            versioned.suppress(calm).named("calm").to_stream().to(&OUT);
        },
        "node `calm` would let changes of a versioned table wait, and a later one of them may be of an earlier time: `suppress` \
         a table in another store",
    );
}

#[test]
fn an_empty_program() {
    check(|_| (), "the topology has no source, so nothing would ever run: add a stream or a table");
}

#[test]
fn faults_of_verbs_and_of_nodes_come_together() {
    let other = StreamsBuilder::new();
    let foreign = other.stream(&OTHER);
    let builder = StreamsBuilder::new();
    builder.stream(&IN).merge(&foreign).map_values(|_| Mute).repartition();
    builder.add_store(StoreSpec::plain(&ROWS));
    let error = builder.build().unwrap_err();
    assert!(
        matches!(error.faults(), [Fault::OtherBuilder { .. }, Fault::NoSerde { .. }, Fault::UnusedStore { .. }]),
        "{error}"
    );
}

#[test]
fn a_join_that_waits_longer_than_its_table_remembers() {
    use tidemill::stream::Joined;
    const MINUTE: VersionedStore<String, i64> = VersionedStore::of("minute", Duration::from_secs(60));
    let patient = || Joined::grace(Duration::from_secs(61));
    check(
        |builder| {
            let table = builder.table_with(&OTHER, &ROWS);
            builder.stream(&IN).join_with(&table, patient(), |value, row| value + row).to(&OUT);
        },
        "a join waits 61s for a table that knows its latest rows only: keep the table in a `VersionedStore`, for 61s at least",
    );
    check(
        |builder| {
            let table = builder.table_with(&OTHER, &MINUTE).filter(|_, _| true);
            builder.stream(&IN).left_join_with(&table, patient(), |value, _| *value).to(&OUT);
        },
        "a join waits 61s for a table that keeps its versions for 60s: keep them for 61s at least",
    );
    check(
        |builder| {
            let tables = (builder.table_with(&OTHER, &MINUTE), builder.table(&PRICES));
            let sum = tables.0.join(&tables.1, |left, right| left + right);
            builder.stream(&IN).join_with(&sum, patient(), |value, row| value + row).to(&OUT);
        },
        "a join waits 61s for a table that knows its latest rows only: keep the table in a `VersionedStore`, for 61s at least",
    );
    check(
        |builder| {
            let _ = builder.global_table_with(&OTHER, &MINUTE);
        },
        "the global table of topic `other` cannot keep versions, because it follows no task's time: keep it in a `Store`, or \
         read the topic as a table",
    );
}
