//! `repartition` places every record anew, once, in order, and refuses what would leave state behind that fits no more.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tidemill::log::{Append, EmbeddedLog, InputProgress, Log, Notes, Progress, TopicSpec};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition, partition_of};
use tidemill::repartition::Repartition;

use crate::scene::{Ended, Scene, tidemill};

/// More than a piece that is written at a time.
const RECORDS: u64 = 30_000;

type Stored = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Headers);

/// The records of a topic, each partition in order.
fn records(log: &dyn Log, topic: &str) -> Vec<Vec<Stored>> {
    let of = |partition| {
        let mut found = Vec::new();
        for batch in log.read(&TopicPartition::new(topic, partition), Offset::ZERO, usize::MAX).unwrap() {
            let take = |_, record: tidemill::record::StoredRecord<'_>| {
                let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
                found.push((record.timestamp.as_millis(), key, value, record.headers().unwrap()));
                Ok::<_, std::convert::Infallible>(())
            };
            batch.for_each(take).unwrap();
        }
        found
    };
    (0..log.topic(topic).unwrap().unwrap().partitions).map(of).collect()
}

/// Records of many keys in two partitions, each key in one of them, with times that go on in all of them.
fn fill(log: &EmbeddedLog) {
    log.create_topic(&TopicSpec::new("many", 2)).unwrap();
    let mut batches = [BatchBuilder::default(), BatchBuilder::default()];
    for number in 0..RECORDS {
        let key = format!("key-{}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54);
        let headers = Headers::default().with("number", number.to_string());
        let value = number.is_multiple_of(9).then(|| number.to_be_bytes());
        let batch = &mut batches[partition_of(key.as_bytes(), 2) as usize];
        let time = Timestamp::from_millis(i64::try_from(number).unwrap());
        batch.push(time, Some(key.as_bytes()), value.as_ref().map(|bytes| &bytes[..]), &headers);
    }
    for (partition, mut batch) in (0..).zip(batches) {
        let append = Append { to: TopicPartition::new("many", partition), records: batch.finish(Offset::ZERO) };
        log.append(vec![append], "", Notes::new()).unwrap();
    }
}

/// All records, as they were sent: their times say when.
fn all(log: &dyn Log) -> Vec<Stored> {
    let mut all = records(log, "many").concat();
    all.sort_by_key(|(time, ..)| *time);
    all
}

fn check(log: &dyn Log, partitions: u32, before: &[Stored]) {
    let found = records(log, "many");
    assert_eq!(found.len(), partitions as usize);
    for (partition, records) in (0..).zip(&found) {
        let key = |record: &Stored| record.1.clone().unwrap();
        assert!(records.iter().all(|record| partition_of(&key(record), partitions) == partition));
        assert!(records.is_sorted_by_key(|(time, ..)| *time), "they come together by their times");
    }
    assert!(all(log) == before, "each record is there once, as it was");
}

fn repartition(scene: &Scene, arguments: &[&str]) -> Ended {
    tidemill(&[&["repartition", scene.path().to_str().unwrap()], arguments].concat())
}

#[test]
fn every_record_goes_where_its_key_belongs() {
    let scene = Scene::new();
    fill(&scene.log());
    let before = all(&scene.log());
    let shown = repartition(&scene, &["many", "--partitions", "5"]);
    assert_eq!(
        (shown.code, &*shown.stdout),
        (Some(0), "many: 5 partitions instead of 2, up to 30000 records placed anew\n")
    );
    assert!(shown.stderr.contains("nothing was changed"), "{}", shown.stderr);
    check(&scene.log(), 2, &before);
    for partitions in [5, 1, 3] {
        let done = repartition(&scene, &["many", "--partitions", &partitions.to_string(), "--yes"]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        check(&scene.log(), partitions, &before);
        assert_eq!(scene.log().topics().unwrap().len(), 3, "nothing is left over");
    }
}

#[test]
fn an_interrupted_one_is_finished_and_loses_nothing() {
    for interrupted_at in 1..20 {
        let scene = Scene::new();
        fill(&scene.log());
        let before = all(&scene.log());
        let mut pieces = 0;
        {
            let log = scene.log();
            let plan = Repartition::plan(&log, "many", 5).unwrap();
            // As a kill would, it ends between two pieces, and nothing is tidied up.
            let ended = catch_unwind(AssertUnwindSafe(|| {
                plan.carry_out(&log, &mut |_| {
                    pieces += 1;
                    assert!(pieces < interrupted_at, "interrupted");
                })
            }));
            if ended.is_ok() {
                assert!(interrupted_at > 3, "there are several pieces");
                return;
            }
        }
        let done = repartition(&scene, &["many", "--partitions", "5", "--yes"]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        check(&scene.log(), 5, &before);
        assert_eq!(scene.log().topics().unwrap().len(), 3, "nothing is left over");
    }
    panic!("there are fewer pieces");
}

#[test]
fn applications_that_have_read_the_topic_are_reset_first() {
    let scene = Scene::new();
    let shown = repartition(&scene, &["orders", "--partitions", "3"]);
    assert!(
        shown.stdout.contains("before that: reset shop, whose places and state belong to 2 partitions"),
        "{}",
        shown.stdout
    );
    let refused = repartition(&scene, &["orders", "--partitions", "3", "--yes"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("`shop` has read `orders`") && refused.stderr.contains("reset it first"),
        "{}",
        refused.stderr
    );
    assert_eq!(scene.log().topic("orders").unwrap().unwrap().partitions, 2);
    let reset = tidemill(&["reset", scene.path().to_str().unwrap(), "shop", "--yes"]);
    assert_eq!(reset.code, Some(0), "{}", reset.stderr);
    let done = repartition(&scene, &["orders", "--partitions", "3", "--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(records(&scene.log(), "orders").concat().len(), 6);
}

#[test]
fn what_it_cannot_do_it_says() {
    let scene = Scene::new();
    let log = scene.log();
    log.create_topic(&TopicSpec::new("shop-sums-changelog", 2)).unwrap();
    log.create_topic(&TopicSpec::new("prices.repartitioning", 1)).unwrap();
    let mut taken = BatchBuilder::default();
    taken.push(Timestamp::ZERO, None, Some(b"somebody's"), &Headers::NONE);
    let append = Append { to: TopicPartition::new("prices.repartitioning", 0), records: taken.finish(Offset::ZERO) };
    log.append(vec![append], "", Notes::new()).unwrap();
    let at = InputProgress { next: Offset::ZERO, partition_time: None };
    let inputs = [(TopicPartition::new("shop-sums-changelog", 0), at)].into();
    log.session("shop").unwrap().commit(&Progress { inputs, notes: Notes::new() }).unwrap();
    let running = repartition(&scene, &["prices", "--partitions", "2", "--yes"]);
    assert_eq!(running.code, Some(3), "{}", running.stderr);
    drop(log);
    for (topic, partitions, said) in [
        ("order", "3", "there is no topic `order`"),
        ("orders", "2", "has 2 partitions: name another number"),
        ("shop-sums-changelog", "3", "is `shop`'s own"),
        ("prices", "2", "`prices.repartitioning` is in the way"),
    ] {
        let ended = repartition(&scene, &[topic, "--partitions", partitions]);
        assert_eq!(ended.code, Some(1), "{topic}");
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    assert_eq!(repartition(&scene, &["orders", "--partitions", "0"]).code, Some(2));
}
