//! What an application needs of a log and of a Kafka cluster, listed before it starts.

use tidemill::plan::Planning;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::{App, Topic};

const ORDERS: Topic<String, i64> = Topic::of("orders");
const BIG: Topic<String, i64> = Topic::of("big");
const COUNTS: Store<String, i64> = Store::of("counts");

fn topology() -> tidemill::topology::Topology {
    let builder = StreamsBuilder::new();
    let orders = builder.stream(&ORDERS);
    orders.group_by(|_, value| value.to_string()).named("by-value").count_with(&COUNTS);
    orders.filter(|_, value| *value > 100).to(&BIG);
    builder.build().unwrap()
}

#[test]
fn everything_that_is_needed_is_listed() {
    let plan = Planning::of("shop").topic("orders", 3).topic("big", 1).topic("other", 9).plan(&topology()).unwrap();
    assert_eq!(
        plan.to_string(),
        "\
reads    orders, 3 partitions
writes   big, 1 partition
creates  shop-by-value-repartition, 3 partitions, cleanup.policy=delete message.timestamp.type=CreateTime retention.ms=-1 \
segment.bytes=52428800
creates  shop-counts-changelog, 3 partitions, cleanup.policy=compact message.timestamp.type=CreateTime
allow    --group shop --operation Read --operation Describe --operation Delete
allow    --transactional-id shop- --resource-pattern-type prefixed --operation Write --operation Describe
allow    --transactional-id tidemill-log- --resource-pattern-type prefixed --operation Write --operation Describe
allow    --topic shop- --resource-pattern-type prefixed --operation Read --operation Write --operation Create --operation Delete \
--operation Describe --operation DescribeConfigs
allow    --topic tidemill-notes --operation Read --operation Write --operation Create --operation Describe --operation DescribeConfigs
allow    --topic big --operation Write --operation Describe --operation DescribeConfigs
allow    --topic orders --operation Read --operation Describe --operation DescribeConfigs
"
    );
    assert_eq!(plan.tasks, [3, 3]);
}

#[test]
fn all_missing_topics_are_named_at_once() {
    let faults = Planning::of("shop").plan(&topology()).unwrap_err().to_string();
    assert!(faults.contains("`orders`") && faults.contains("`big`"), "{faults}");
}

#[test]
fn topics_of_patterns_and_of_records_are_seen() {
    let builder = StreamsBuilder::new();
    let (text, number) = (tidemill::serde::SerdeRef::<String>::of(), tidemill::serde::SerdeRef::<i64>::of());
    let all = builder.stream_matching("or.*", &text, &number);
    all.to_chosen(|_, _, _| "somewhere".to_owned(), &text, &number);
    let plan =
        Planning::of("shop").topic("orders", 3).topic("orphans", 2).topic("big", 1).plan(&builder.build().unwrap());
    let plan = plan.unwrap();
    assert_eq!(plan.reads, [("orders".into(), 3), ("orphans".into(), 2)].into());
    assert!(plan.writes_others && plan.to_string().contains("topics that records name"), "{plan}");
}

#[tokio::test]
async fn a_start_makes_the_topics_of_the_plan() {
    let plan = Planning::of("shop").topic("orders", 3).topic("big", 1).plan(&topology()).unwrap();
    let log = std::sync::Arc::new(tidemill::log::MemoryLog::new());
    let builder = App::builder("shop", topology()).log(log.clone()).topic(&ORDERS, 3).topic(&BIG, 1);
    builder.start().await.unwrap().close().await.unwrap();
    let made = tidemill::log::Log::topics(&*log).unwrap();
    let made: Vec<(&str, u32)> = made.iter().map(|spec| (&*spec.name, spec.partitions)).collect();
    let external = plan.reads.iter().chain(&plan.writes).map(|(name, count)| (&**name, *count));
    let mut planned: Vec<(&str, u32)> =
        plan.internal.iter().map(|need| (&*need.name, need.partitions)).chain(external).collect();
    planned.sort_unstable();
    assert_eq!(made, planned);
}
