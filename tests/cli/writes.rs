//! Commands that make and remove topics; they take the folder for themselves.

use std::time::Duration;

use tidemill::log::{Cleanup, Log};

use crate::scene::Scene;

#[test]
fn a_topic_is_made_as_asked_for_and_removed() {
    let scene = Scene::new();
    let kept = ["--partitions", "3", "--retention", "7d", "--retention-bytes", "1000"];
    scene.prints("create", &[&["clicks"], &kept[..]].concat());
    let both = ["windows", "--cleanup", "compact-and-delete", "--retention", "90s"];
    scene.prints("create", &both);
    let log = scene.log();
    let clicks = log.topic("clicks").unwrap().unwrap();
    assert_eq!((clicks.partitions, clicks.config.cleanup), (3, Cleanup::Delete));
    assert_eq!(clicks.config.retention, Some(Duration::from_secs(7 * 24 * 60 * 60)));
    assert_eq!(clicks.config.retention_bytes, Some(1_000));
    assert_eq!(log.topic("windows").unwrap().unwrap().config.cleanup, Cleanup::CompactAndDelete);
    drop(log);
    scene.fails("create", &["clicks"], 1, &["`clicks` is there already"]);
    scene.fails("create", &["rows", "--cleanup", "compact", "--retention", "1d"], 1, &["compact-and-delete"]);
    scene.fails("create", &["a/b"], 1, &["a/b"]);
    scene.fails("delete", &["orders"], 1, &["nothing was removed", "2 partitions and up to 6 records", "`--yes`"]);
    scene.prints("delete", &["orders", "--yes"]);
    assert!(scene.log().topic("orders").unwrap().is_none());
    scene.fails("delete", &["orders", "--yes"], 1, &["no topic `orders`"]);
}

#[test]
fn who_writes_waits_for_nobody_and_says_who_has_the_folder() {
    let scene = Scene::new();
    let _log = scene.log();
    let import = scene.file("in.jsonl");
    std::fs::write(&import, "{\"topic\":\"orders\",\"partitions\":2}\n").unwrap();
    let said = ["another process or another log", "work while an application runs"];
    scene.fails("create", &["clicks"], 3, &said);
    scene.fails("delete", &["orders", "--yes"], 3, &said);
    scene.fails("import", &[import.to_str().unwrap()], 3, &said);
}
