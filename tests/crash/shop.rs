//! Calls under way when the process is killed are made again, and what they give comes out once.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tidemill::log::{EmbeddedLog, Log, LogSettings};
use tidemill::record::TopicPartition;

use crate::chance::{Chance, SEED};
use crate::examples::example;
use crate::kills::bytes;
use crate::process::{pause, succeed};

const ORDERS: u64 = 1_500;
const KILLS: u32 = 10;
/// More than a start writes.
const WRITTEN: u64 = 10_000;

fn shop(data: Option<&Path>) -> Command {
    let mut command = Command::new(example("shop", &[]));
    command.args(["--orders", &ORDERS.to_string(), "--answer-ms", "4"]).stdin(Stdio::null());
    if let Some(data) = data {
        command.arg("--data").arg(data);
    }
    command
}

/// How many orders have a price, as far as it was committed.
fn priced(data: &Path) -> u64 {
    let log = EmbeddedLog::open(data, LogSettings::default()).unwrap();
    let partitions = log.topic("priced").unwrap().map_or(0, |spec| spec.partitions);
    (0..partitions).map(|partition| log.bounds(&TopicPartition::new("priced", partition)).unwrap().end.get()).sum()
}

#[test]
fn the_shop_survives_kills_with_calls_under_way() {
    let expected = succeed(&mut shop(None)).stdout;
    assert!(expected.starts_with(&format!("{ORDERS} orders, ")), "{expected}");
    let seed = Chance::seed();
    let repeat = format!("repeat: {SEED}={seed} cargo test --test crash shop");
    let mut chance = Chance::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (mut struck, mut amid) = (0, 0);
    for round in 0..KILLS {
        let before = bytes(&data);
        let mut shop = shop(Some(&data)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // It has begun to write, so orders are sent or priced.
        while bytes(&data) < before + WRITTEN && shop.try_wait().unwrap().is_none() {
            pause(Duration::from_millis(1));
        }
        pause(Duration::from_millis(chance.below(300)));
        shop.kill().unwrap();
        let killed = !shop.wait().unwrap().success();
        let done = if data.exists() { priced(&data) } else { 0 };
        println!("round {round}: struck {killed}; {done} of {ORDERS} orders priced");
        assert!(done <= ORDERS, "no price comes twice; {repeat}");
        struck += u32::from(killed);
        amid += u32::from(killed && done > 0 && done < ORDERS);
    }
    assert!(amid > 0, "{struck} kills struck, and none while prices were asked for; {repeat}");
    assert_eq!(succeed(&mut shop(Some(&data))).stdout, expected, "{repeat}");
    assert_eq!(priced(&data), ORDERS, "{repeat}");
}
