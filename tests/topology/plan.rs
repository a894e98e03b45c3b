//! How many partitions the application's own topics get, and which joins are refused for theirs.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill::Topic;
use tidemill::processor::PartitionCounts;
use tidemill::record::TopicName;
use tidemill::serde::SerdeRef;
use tidemill::state::{Changelog, SessionStore, Store, VersionedStore, WindowStore};
use tidemill::stream::{Materialized, Optimization, Repartitioned, StreamJoined, StreamsBuilder};
use tidemill::topology::{TopicNeed, TopicPlan, Topology, TopologyErrors};
use tidemill::window::{JoinWindows, Session, Tumbling};

const ORDERS: Topic<String, i64> = Topic::of("orders");
const RETURNS: Topic<String, i64> = Topic::of("returns");
const PRICES: Topic<String, i64> = Topic::of("prices");
const OUT: Topic<String, i64> = Topic::of("out");
const COUNTS: Store<String, i64> = Store::of("counts");

struct Counts(BTreeMap<&'static str, u32>);

impl PartitionCounts for Counts {
    fn partitions(&self, topic: &str) -> Option<u32> {
        self.0.get(topic).copied()
    }
}

fn plan(topology: &Topology, topics: &[(&'static str, u32)]) -> Result<TopicPlan, TopologyErrors> {
    let known: Vec<TopicName> = topics.iter().map(|(name, _)| (*name).into()).collect();
    topology.plan("app", Changelog::LastPerCommit, &known, &Counts(topics.iter().copied().collect()))
}

fn built(write: impl FnOnce(&StreamsBuilder)) -> Topology {
    let builder = StreamsBuilder::new();
    write(&builder);
    builder.build().unwrap()
}

/// Name, number of partitions and whether a changelog, of every topic of the application's own; then the numbers of tasks.
fn check(topology: &Topology, topics: &[(&'static str, u32)], internal: &[(&str, u32, bool)], tasks: &[u32]) {
    let plan = plan(topology, topics).unwrap();
    let needs: Vec<_> =
        plan.internal.iter().map(|need| (&*need.name, need.partitions, need.kind.is_changelog())).collect();
    assert_eq!(needs, internal);
    assert_eq!(plan.tasks, tasks);
}

fn refused(topology: &Topology, topics: &[(&'static str, u32)], expected: &str) {
    assert_eq!(plan(topology, topics).unwrap_err().to_string(), expected);
}

fn joined() -> Topology {
    built(|builder| {
        let prices = builder.table_with(&PRICES, Materialized::store(&Store::of("prices")));
        builder.stream(&ORDERS).join(&prices, |count, price| count * price).to(&OUT);
    })
}

#[test]
fn a_repartition_topic_follows_the_greatest_number_upstream() {
    let topology = built(|builder| {
        let both = builder.stream(&ORDERS).merge(&builder.stream(&RETURNS));
        both.group_by(|_, value| value.to_string()).named("by-value").count_with(&COUNTS);
    });
    check(
        &topology,
        &[("orders", 2), ("returns", 5)],
        &[("app-by-value-repartition", 5, false), ("app-counts-changelog", 5, true)],
        &[5, 5],
    );
}

#[test]
fn a_repartition_topic_follows_a_repartition_topic() {
    let topology = built(|builder| {
        let spread = builder.stream(&ORDERS).repartition_with(Repartitioned::default().partitions(7)).named("spread");
        spread.select_key(|_, value| *value).repartition().named("again").for_each(|_, _| {});
    });
    check(
        &topology,
        &[("orders", 2)],
        &[("app-again-repartition", 7, false), ("app-spread-repartition", 7, false)],
        &[2, 7, 7],
    );
}

#[test]
fn a_repartition_topic_follows_topics_that_are_chosen_by_pattern() {
    let topology = built(|builder| {
        let stream = builder.stream_matching("or.*", &SerdeRef::<String>::of(), &SerdeRef::<i64>::of());
        stream.group_by(|_, value| value.to_string()).named("by-value").count_with(&COUNTS);
    });
    check(
        &topology,
        &[("orders", 2), ("orphans", 3), ("returns", 9)],
        &[("app-by-value-repartition", 3, false), ("app-counts-changelog", 3, true)],
        &[3, 3],
    );
    refused(
        &topology,
        &[("returns", 9)],
        "the topology is wrong: nothing says how many partitions `by-value-repartition` should have: give `repartition` a \
         number of partitions",
    );
}

#[test]
fn a_given_number_stands() {
    let topology = built(|builder| {
        builder.stream(&ORDERS).repartition_with(Repartitioned::default().partitions(3)).named("spread").to(&OUT);
    });
    check(&topology, &[("orders", 8), ("out", 1)], &[("app-spread-repartition", 3, false)], &[8, 3]);
}

#[test]
fn a_join_makes_a_repartition_topic_follow_the_table() {
    let topology = built(|builder| {
        let prices = builder.table_with(&PRICES, Materialized::store(&Store::of("prices")));
        let by_value = builder.stream(&ORDERS).select_key(|_, value| value.to_string()).named("by-value");
        by_value.join(&prices, |count, price| count * price).named("priced").to(&OUT);
    });
    check(
        &topology,
        &[("orders", 8), ("prices", 3), ("out", 1)],
        &[("app-priced-repartition", 3, false), ("app-prices-changelog", 3, true)],
        &[3, 8],
    );
}

#[test]
fn the_topics_of_a_foreign_key_join_follow_the_tables_that_they_lead_to() {
    let topology = built(|builder| {
        let prices = builder.table_with(&PRICES, &Store::of("prices"));
        let orders = builder.table_with(&ORDERS, &Store::of("orders"));
        orders
            .join_on(&prices, |_, value| value.to_string(), |count, price| count * price)
            .named("fk")
            .to_stream()
            .to(&OUT);
    });
    check(
        &topology,
        &[("orders", 8), ("prices", 3), ("out", 1)],
        &[
            ("app-fk-subscription-registration-topic", 3, false),
            ("app-fk-subscription-response-topic", 8, false),
            ("app-fk-subscription-store-changelog", 3, true),
            ("app-orders-changelog", 8, true),
            ("app-prices-changelog", 3, true),
        ],
        &[3, 8],
    );
}

#[test]
fn topics_that_lie_upstream_of_each_other_get_the_number_that_is_known() {
    let topology = built(|builder| {
        let orders = builder.table_with(&ORDERS, &Store::of("orders"));
        orders.left_join_on(&orders, |_, value| value.to_string(), |count, _| *count).named("fk").to_stream().to(&OUT);
    });
    check(
        &topology,
        &[("orders", 5), ("out", 1)],
        &[
            ("app-fk-subscription-registration-topic", 5, false),
            ("app-fk-subscription-response-topic", 5, false),
            ("app-fk-subscription-store-changelog", 5, true),
            ("app-orders-changelog", 5, true),
        ],
        &[5],
    );
}

#[test]
fn joined_topics_have_equal_numbers() {
    check(&joined(), &[("orders", 4), ("prices", 4), ("out", 9)], &[("app-prices-changelog", 4, true)], &[4]);
    refused(
        &joined(),
        &[("orders", 4), ("prices", 3), ("out", 1)],
        "the topology is wrong: cannot join `orders` (4 partitions) with `prices` (3 partitions): equal keys would live in \
         different tasks; repartition one side like the other",
    );
}

#[test]
fn a_given_number_does_not_follow_a_join() {
    let topology = built(|builder| {
        let prices = builder.table_with(&PRICES, Materialized::store(&Store::of("prices")));
        let spread = builder.stream(&ORDERS).repartition_with(Repartitioned::default().partitions(2)).named("spread");
        spread.join(&prices, |count, price| count * price).to(&OUT);
    });
    let topics = [("orders", 1), ("prices", 3), ("out", 1)];
    refused(
        &topology,
        &topics,
        "the topology is wrong: cannot join `spread-repartition` (2 partitions) with `prices` (3 partitions): equal keys \
         would live in different tasks; repartition one side like the other",
    );
}

#[test]
fn all_missing_topics_are_named_at_once() {
    refused(
        &joined(),
        &[],
        "the topology has 3 faults:\n  \
         - the topology reads the topic `prices`, which does not exist: create it, or let the application create its topics\n  \
         - the topology reads the topic `orders`, which does not exist: create it, or let the application create its topics\n  \
         - the topology writes the topic `out`, which does not exist: create it, or let the application create its topics",
    );
}

#[test]
fn a_store_without_changelog_needs_no_topic() {
    let topology = built(|builder| {
        builder.stream(&ORDERS).group_by_key().count_with(Materialized::store(&COUNTS).changelog(Changelog::Off));
    });
    check(&topology, &[("orders", 4)], &[], &[4]);
}

#[test]
fn topics_are_made_as_kafka_streams_makes_them() {
    let hour = Duration::from_secs(3_600);
    let topology = built(|builder| {
        let orders = builder.stream(&ORDERS);
        orders.group_by(|_, value| value.to_string()).named("by-value").count_with(&COUNTS);
        let windows = orders.group_by_key().windowed_by(Tumbling::of(hour));
        windows.count_with(Materialized::windows(&WindowStore::of("windows")).retention(2 * hour));
        orders.group_by_key().windowed_by(Session::gap(hour)).count_with(&SessionStore::of("sessions"));
        builder.table_with(&PRICES, Materialized::versioned(&VersionedStore::of("versions", hour)));
        let near = JoinWindows::of(hour).with_grace(hour);
        orders.join_stream(&builder.stream(&RETURNS), near, |order, _| *order).named("near").for_each(|_, _| {});
    });
    let plan = plan(&topology, &[("orders", 1), ("prices", 1), ("returns", 1)]).unwrap();
    let configs = |need: &TopicNeed| {
        let named: Vec<String> = need.configs().iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{}: {}", need.name, named.join(" "))
    };
    let configs: Vec<String> = plan.internal.iter().map(configs).collect();
    assert_eq!(
        configs,
        [
            "app-KSTREAM-JOINOTHER-0000000014-store-changelog: cleanup.policy=delete message.timestamp.type=CreateTime \
             retention.ms=97200000",
            "app-KSTREAM-JOINTHIS-0000000013-store-changelog: cleanup.policy=delete message.timestamp.type=CreateTime \
             retention.ms=97200000",
            "app-by-value-repartition: cleanup.policy=delete message.timestamp.type=CreateTime retention.ms=-1 \
             segment.bytes=52428800",
            "app-counts-changelog: cleanup.policy=compact message.timestamp.type=CreateTime",
            "app-sessions-changelog: cleanup.policy=compact,delete message.timestamp.type=CreateTime retention.ms=90000000",
            "app-versions-changelog: cleanup.policy=compact message.timestamp.type=CreateTime \
             min.compaction.lag.ms=90000000",
            "app-windows-changelog: cleanup.policy=compact,delete message.timestamp.type=CreateTime retention.ms=93600000",
        ]
    );
}

#[test]
fn a_program_sets_what_it_wants_of_a_changelog() {
    let topology = built(|builder| {
        let orders = builder.stream(&ORDERS);
        let counts = Materialized::store(&COUNTS).changelog_setting("min.insync.replicas", "2");
        orders.group_by_key().count_with(counts.changelog_setting("cleanup.policy", "compact,delete"));
        let near = JoinWindows::of(Duration::from_secs(1));
        let joined = StreamJoined::store("near").changelog_setting("segment.bytes", "1048576");
        orders.join_stream_with(&builder.stream(&RETURNS), near, joined, |order, _| *order).for_each(|_, _| {});
    });
    let plan = plan(&topology, &[("orders", 1), ("returns", 1)]).unwrap();
    let of = |topic: &str| plan.internal.iter().find(|need| &*need.name == topic).unwrap().configs();
    let counts = of("app-counts-changelog");
    assert_eq!((&*counts["cleanup.policy"], &*counts["min.insync.replicas"]), ("compact,delete", "2"));
    for side in ["this", "other"] {
        assert_eq!(of(&format!("app-near-{side}-join-store-changelog"))["segment.bytes"], "1048576");
    }
}

#[test]
fn a_changelog_of_which_something_is_set_is_not_the_source_topic() {
    let of = |materialized| {
        let builder = StreamsBuilder::new().optimize(Optimization::ReuseSourceTopics);
        builder.table_with(&PRICES, materialized).to_stream().to(&OUT);
        plan(&builder.build().unwrap(), &[("prices", 1), ("out", 1)]).unwrap().internal.len()
    };
    let materialized = || Materialized::store(&Store::of("prices"));
    assert_eq!(of(materialized()), 0);
    assert_eq!(of(materialized().changelog_setting("retention.ms", "-1")), 1);
}
