//! Commands that look: what they print, also while somebody else has the folder, and that they change nothing.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tidemill::log::Log;
use tidemill::record::{BatchBuilder, Headers, Timestamp};

use crate::scene::{Scene, append};

fn files(scene: &Scene) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(scene.path()).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn topics_and_their_partitions_are_listed() {
    let scene = Scene::new();
    assert_eq!(
        scene.prints("topics", &["--json"]),
        "{\"cleanup\":\"delete\",\"offsets\":6,\"partitions\":2,\"topic\":\"orders\"}\n\
         {\"cleanup\":\"compact\",\"offsets\":0,\"partitions\":1,\"topic\":\"prices\"}\n"
    );
    let table = scene.prints("topics", &[]);
    assert!(table.contains("│ orders ┆          2 ┆       6 ┆ delete  │"), "{table}");
    let described = scene.prints("describe", &["orders"]);
    for text in ["retention       for ever", "2023-11-14T22:13:20.000Z"] {
        assert!(described.contains(text), "{described}");
    }
    let partitions = scene.prints("describe", &["orders", "--json"]);
    assert!(partitions.contains("\"records\":4") && partitions.contains("\"bytes\":5"), "{partitions}");
    assert!(scene.prints("describe", &["prices"]).contains("compaction lag  0ns"));
    scene.fails("describe", &["order"], 1, &["no topic `order`", "`orders`, `prices`"]);
}

#[test]
fn offsets_of_a_time_are_found() {
    let scene = Scene::new();
    let at = scene.prints("offsets", &["orders", "--json", "--at", "2023-11-14T22:15"]);
    assert_eq!(
        at,
        "{\"at\":2,\"end\":4,\"partition\":0,\"start\":0}\n{\"at\":2,\"end\":2,\"partition\":1,\"start\":0}\n"
    );
}

#[test]
fn lag_is_told_for_each_application_and_partition() {
    let scene = Scene::new();
    let lag = "{\"application\":\"shop\",\"end\":4,\"lag\":1,\"next\":3,\"partition\":0,\
               \"time\":\"2023-11-14T22:15:20.000Z\",\"topic\":\"orders\"}\n";
    assert_eq!(scene.prints("lag", &["--json"]), lag);
    assert_eq!(scene.prints("lag", &["shop", "--json"]), lag);
    scene.fails("lag", &["bank"], 1, &["`bank` has committed nothing here", "`shop`"]);
}

#[test]
fn records_are_shown_as_what_they_are() {
    let scene = Scene::new();
    assert_eq!(
        scene.prints("dump", &["orders", "--value", "json"]),
        "0:0  2023-11-14T22:13:20.000Z  alice  {\"amount\":0}\n\
         0:1  2023-11-14T22:14:20.000Z  alice  {\"amount\":1}\n\
         0:2  2023-11-14T22:15:20.000Z  alice  {\"amount\":2}\n\
         0:3  2023-11-14T22:16:20.000Z  alice  {\"amount\":3}\n\
         1:0  -1  [trace=7, raw=0xff00]  -  0xfffe\n\
         1:1  1970-01-01T00:00:00.000Z  bob  -\n"
    );
    let json = scene.prints("dump", &["orders", "--value", "json", "--json", "--partition", "0", "--limit", "1"]);
    let expected = "{\"headers\":[],\"key\":\"alice\",\"offset\":0,\"partition\":0,\"timestamp\":1700000000000,\
                    \"value\":{\"amount\":0}}\n";
    assert_eq!(json, expected);
}

#[test]
fn a_part_of_a_topic_is_chosen_by_offset_time_and_number() {
    let scene = Scene::new();
    let shown = |arguments: &[&str]| -> Vec<String> {
        let out = scene.prints("dump", &[&["orders", "--partition", "0"], arguments].concat());
        out.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
    };
    assert_eq!(shown(&["--from", "2"]), ["0:2", "0:3"]);
    assert_eq!(shown(&["--from", "-1"]), ["0:3"]);
    assert_eq!(shown(&["--to", "1"]), ["0:0"]);
    assert_eq!(shown(&["--from", "1", "--to", "-1"]), ["0:1", "0:2"]);
    assert_eq!(shown(&["--since", "1700000060000", "--until", "2023-11-14T22:16"]), ["0:1", "0:2"]);
    assert_eq!(shown(&["--limit", "2"]), ["0:0", "0:1"]);
    assert_eq!(shown(&["--from", "99"]), [""; 0]);
    scene.fails("dump", &["orders", "--partition", "2"], 1, &["no partition 2", "it has 2"]);
}

#[test]
fn looking_works_while_somebody_writes_and_changes_nothing() {
    let scene = Scene::new();
    let log = scene.log();
    let before = files(&scene);
    for command in ["topics", "lag"] {
        scene.prints(command, &[]);
    }
    for command in ["describe", "offsets", "dump", "export"] {
        scene.prints(command, &["orders"]);
    }
    scene.fails("delete", &["orders"], 1, &["nothing was removed"]);
    assert_eq!(files(&scene), before);
    // The writer notices nothing either.
    let mut records = BatchBuilder::default();
    records.push(Timestamp::ZERO, None, Some(b"next"), &Headers::NONE);
    append(&log, 0, &mut records);
    assert!(scene.prints("dump", &["orders", "--from", "4", "--partition", "0"]).contains("next"));
    // A broken end belongs to a writer that is at it; who only looks does not cut it off.
    drop(log);
    let segment = scene.path().join(format!("{:020}.segment", 0));
    let whole = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, [&whole[..], b"TMfr and so on"].concat()).unwrap();
    let torn = files(&scene);
    assert_eq!(scene.prints("dump", &["orders"]).lines().count(), 7);
    assert_eq!(files(&scene), torn);
    assert_eq!(scene.log().topics().unwrap().len(), 2);
}

#[test]
fn a_follower_sees_what_comes() {
    let scene = Scene::new();
    let mut follow = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    follow.args(["log", "dump", scene.path().to_str().unwrap(), "orders", "--partition", "0"]);
    follow.args(["--from", "3", "--follow", "--limit", "3"]);
    let mut follower = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("0:3 "));
    let log = scene.log();
    for value in ["fifth", "sixth"] {
        let mut records = BatchBuilder::default();
        records.push(Timestamp::ZERO, None, Some(value.as_bytes()), &Headers::NONE);
        append(&log, 0, &mut records);
        assert!(lines.next().unwrap().unwrap().ends_with(value));
    }
    assert!(follower.wait().unwrap().success());
}
