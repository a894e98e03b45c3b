//! A topic that was exported and imported has the same records, whatever their bytes.

use std::fs;

use proptest::prelude::*;
use tidemill::log::{Append, EmbeddedLog, Log, Notes, TopicSpec};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};

use crate::scene::{Scene, open};

type Stored = (u64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Headers);

fn records(log: &EmbeddedLog, topic: &str) -> Vec<Vec<Stored>> {
    let spec = log.topic(topic).unwrap().unwrap();
    let of = |partition| {
        let mut found = Vec::new();
        for batch in log.read(&TopicPartition::new(topic, partition), Offset::ZERO, usize::MAX).unwrap() {
            batch
                .for_each(|offset, record| {
                    let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
                    found.push((offset.get(), record.timestamp.as_millis(), key, value, record.headers().unwrap()));
                    Ok::<_, std::convert::Infallible>(())
                })
                .unwrap();
        }
        found
    };
    (0..spec.partitions).map(of).collect()
}

/// Exports a topic of one folder into another one, and compares.
fn check(scene: &Scene, topic: &str) {
    let (file, other) = (scene.file("export.jsonl"), Scene::new());
    fs::write(&file, scene.prints("export", &[topic])).unwrap();
    other.prints("import", &[file.to_str().unwrap(), "--topic", "copy"]);
    let (original, copy) = (scene.log(), other.log());
    assert_eq!(records(&copy, "copy"), records(&original, topic));
    let spec = |log: &EmbeddedLog, name: &str| log.topic(name).unwrap().unwrap();
    assert_eq!(spec(&copy, "copy"), TopicSpec { name: "copy".into(), ..spec(&original, topic) });
}

#[test]
fn records_of_all_kinds_come_back() {
    let scene = Scene::new();
    check(&scene, "orders");
    check(&scene, "prices");
}

fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    let text = ".{0,6}".prop_map(|text: String| Some(text.into_bytes()));
    prop_oneof![Just(None), text, prop::collection::vec(any::<u8>(), 0..6).prop_map(Some)]
}

type Any = (u32, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

fn any_record() -> impl Strategy<Value = Any> {
    (0..2_u32, any::<i64>(), bytes(), bytes(), prop::collection::vec((".{0,3}", bytes()), 0..3))
}

proptest! {
    // Each case starts two processes.
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_records_come_back(all in prop::collection::vec(any_record(), 0..40)) {
        let scene = Scene::new();
        {
            let log = open(&scene.path());
            log.create_topic(&TopicSpec::new("any", 2)).unwrap();
            for (partition, time, key, value, headers) in &all {
                let mut stored = Headers::default();
                headers.iter().for_each(|(name, value)| stored.add(name, value.clone().map(Into::into)));
                let mut batch = BatchBuilder::default();
                batch.push(Timestamp::from_millis(*time), key.as_deref(), value.as_deref(), &stored);
                let append = Append { to: TopicPartition::new("any", *partition), records: batch.finish(Offset::ZERO) };
                log.append(vec![append], "", Notes::new()).unwrap();
            }
        }
        check(&scene, "any");
    }
}

#[test]
fn a_broken_line_is_named_with_where_to_go_on() {
    let scene = Scene::new();
    let file = scene.file("export.jsonl");
    let good = scene.prints("export", &["orders"]);
    let mut lines: Vec<&str> = good.lines().collect();
    let last = lines.pop().unwrap();
    let broken = last.replace("\"key\"", "\"kez\"");
    lines.push(&broken);
    fs::write(&file, lines.join("\n")).unwrap();
    let into = [file.to_str().unwrap(), "--topic", "copy"];
    scene.fails(
        "import",
        &into,
        1,
        &["export.jsonl, line 7", "`key` is missing", "0 records were appended", "--from-line 2"],
    );
    fs::write(&file, good).unwrap();
    scene.prints("import", &[&into[..], &["--from-line", "6"]].concat());
    let copied = records(&scene.log(), "copy");
    assert_eq!((copied[0].len(), copied[1].len()), (0, 2));
    fs::write(&file, "7\n").unwrap();
    scene.fails("import", &[file.to_str().unwrap()], 1, &["line 1", "no JSON object"]);
    scene.fails("import", &["/nowhere.jsonl"], 1, &["/nowhere.jsonl"]);
    let one = scene.file("one.jsonl");
    let record = "{\"partition\":5,\"timestamp\":1,\"key\":null,\"value\":\"x\"}\n";
    fs::write(&one, format!("{{\"topic\":\"orders\",\"partitions\":2}}\n{record}")).unwrap();
    scene.fails("import", &[one.to_str().unwrap()], 1, &["line 2", "no partition 5"]);
}
