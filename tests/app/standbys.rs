//! What a process keeps of the tasks of others, and what that is worth when it gets them.

use std::path::Path;
use std::sync::atomic::Ordering;

use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill::topology::Topology;
use tidemill::{App, ErrorKind, Settings};

use crate::processes::{PARTITIONS, Process, key_of, two};
use crate::support::{LIMIT, SUMS, soon, sums, wait_until};

fn with_standbys() -> Settings {
    Settings { standbys: 1, ..soon() }
}

/// Adds so many values to every partition.
fn put(process: &Process, count: u64) {
    for partition in 0..PARTITIONS {
        let (mut records, key) = (BatchBuilder::default(), key_of(partition));
        for value in 0..count {
            let value = (value as i64 + 1).to_be_bytes();
            records.push(Timestamp::ZERO, Some(key.as_bytes()), Some(&value), &Headers::NONE);
        }
        let to = TopicPartition::new("in", partition);
        let append = tidemill::log::Append { to, records: records.finish(Offset::ZERO) };
        process.log.append(vec![append], "", Default::default()).unwrap();
    }
}

/// The partitions that an instance says it has, as its owner and on standby.
fn shares(app: &App, is_here: bool) -> (Vec<u32>, Vec<u32>) {
    let all = app.instances();
    let Some(instance) = all.iter().find(|instance| instance.is_here == is_here) else { return Default::default() };
    let active = instance.active.iter().map(|active| active.task.partition).collect();
    (active, instance.standbys.iter().map(|standby| standby.task.partition).collect())
}

/// Offsets that the standbys here lack; `None` while there are fewer than `count`.
fn lag(app: &App, count: usize) -> Option<u64> {
    let all = app.instances();
    let own = all.iter().find(|instance| instance.is_here)?;
    (own.standbys.len() == count).then(|| own.standbys.iter().map(|standby| standby.lag()).sum())
}

#[tokio::test]
async fn instances_tell_one_another_what_they_have() {
    let [one, two] = two();
    one.script.assign(&[0, 1, 2]);
    two.script.assign(&[3]);
    let (first, second) = (start(&one, sums(), soon()).await, start(&two, sums(), soon()).await);
    wait_until("each knows the other", || shares(&first, false).0 == [3] && shares(&second, false).0 == [0, 1, 2])
        .await;
    assert_eq!(shares(&first, true), (vec![0, 1, 2], vec![]), "nobody asked for standbys");
    one.script.revoke(&[2]);
    wait_until("the answer", || one.script.released.load(Ordering::SeqCst) == 1).await;
    two.script.assign(&[2]);
    wait_until("the move is known", || shares(&first, false).0 == [2, 3] && shares(&second, false).0 == [0, 1]).await;
    put(&one, 3);
    second.settled().await.unwrap();
    let position_of = |app: &App| {
        let all = app.instances();
        let other = all.iter().find(|instance| !instance.is_here)?;
        other.active[0].position.next(&TopicPartition::new("in", 0)).map(Offset::get)
    };
    wait_until("places are renewed", || position_of(&second) == Some(3)).await;
    first.close().await.unwrap();
    wait_until("who closes is gone from the list", || second.instances().len() == 1).await;
    second.close().await.unwrap();
}

async fn start(process: &Process, topology: Topology, settings: Settings) -> App {
    process.builder(topology, settings).start().await.unwrap()
}

#[tokio::test]
async fn a_task_that_was_on_standby_is_promoted_without_replay() {
    let [one, two] = two();
    one.script.assign(&[0, 1]);
    two.script.assign(&[2, 3]);
    let first = start(&one, sums(), with_standbys()).await;
    let second = start(&two, sums(), with_standbys()).await;
    put(&one, 500);
    first.settled().await.unwrap();
    wait_until("both have caught up", || lag(&first, 2) == Some(0) && lag(&second, 2) == Some(0)).await;
    assert_eq!(shares(&second, true), (vec![2, 3], vec![0, 1]));
    let behind: u64 = (0..2).map(|partition| two.end("app-sums-changelog", partition)).sum();
    assert!(behind >= 2, "the changelogs that are not replayed: {behind} records");
    let owner = second.table(&SUMS).owner(key_of(1)).unwrap().unwrap();
    let is_here = |instance: &tidemill::Instance| instance.is_here;
    assert_eq!((owner.partition, owner.active.as_ref().map(is_here)), (1, Some(false)));
    assert_eq!(owner.standbys.iter().map(is_here).collect::<Vec<_>>(), [true]);
    assert_eq!(second.table(&SUMS).instances().unwrap().len(), 2);
    drop(first);
    let before = second.restores().restored();
    two.script.assign(&[0, 1]);
    wait_until("the tasks are here", || shares(&second, true).0 == [0, 1, 2, 3]).await;
    assert_eq!(second.restores().restored() - before, 0, "the standbys had everything");
    for partition in 0..PARTITIONS {
        let sum = second.table(&SUMS).get(key_of(partition)).await.unwrap();
        assert_eq!(sum, Some((1..=500).sum()), "partition {partition}");
    }
    put(&two, 1);
    second.settled().await.unwrap();
    assert_eq!(second.table(&SUMS).get(key_of(0)).await.unwrap(), Some((1..=500).sum::<i64>() + 1));
    second.close().await.unwrap();
}

#[tokio::test]
async fn a_standby_on_disk_goes_on_from_its_checkpoint_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = two();
    one.script.assign(&[0, 1, 2, 3]);
    two.script.assign(&[]);
    let first = start(&one, sums(), with_standbys()).await;
    let start_second = async |folder: &Path| {
        let builder = two.builder(sums(), with_standbys()).state_folder(folder);
        builder.start().await.unwrap()
    };
    let second = start_second(folder.path()).await;
    put(&one, 300);
    first.settled().await.unwrap();
    wait_until("the standby has caught up", || lag(&second, 4) == Some(0)).await;
    second.close().await.unwrap();
    put(&one, 1);
    first.settled().await.unwrap();
    drop(first);
    // Nobody runs them: it gets all four, with what its standbys had left on disk.
    two.script.assign(&[0, 1, 2, 3]);
    let second = start_second(folder.path()).await;
    wait_until("the tasks are here", || shares(&second, true).0 == [0, 1, 2, 3]).await;
    let all: u64 = (0..PARTITIONS).map(|partition| two.end("app-sums-changelog", partition)).sum();
    let restored = second.restores().restored();
    assert_eq!(restored, 4, "one record of each, of {all}");
    let sum = second.table(&SUMS).get(key_of(3)).await.unwrap();
    assert_eq!(sum, Some((1..=300).sum::<i64>() + 1));
    second.close().await.unwrap();
}

#[tokio::test]
async fn what_a_process_gives_up_it_keeps_on_standby() {
    let [one, two] = two();
    one.script.assign(&[0, 1, 2, 3]);
    two.script.assign(&[]);
    let first = start(&one, sums(), with_standbys()).await;
    let second = start(&two, sums(), with_standbys()).await;
    put(&one, 20);
    wait_until("the second keeps everything", || lag(&second, 4) == Some(0)).await;
    for round in 0..4 {
        let (from, to, at) = if round % 2 == 0 { (&one, &two, &second) } else { (&two, &one, &first) };
        let released = from.script.released.load(Ordering::SeqCst);
        from.script.revoke(&[0, 1, 2, 3]);
        wait_until("the answer", || from.script.released.load(Ordering::SeqCst) > released).await;
        let before = at.restores().restored();
        to.script.assign(&[0, 1, 2, 3]);
        wait_until("the tasks are there", || shares(at, true).0 == [0, 1, 2, 3]).await;
        assert!(at.restores().restored() - before <= 8, "round {round}: the tail at most");
        put(&one, 1);
        at.settled().await.unwrap();
        let other = if round % 2 == 0 { &first } else { &second };
        wait_until("the other has caught up", || lag(other, 4) == Some(0)).await;
        let sum = at.table(&SUMS).get(key_of(1)).await.unwrap();
        assert_eq!(sum, Some((1..=20).sum::<i64>() + round + 1));
    }
    first.close().await.unwrap();
    second.close().await.unwrap();
}

#[tokio::test]
async fn old_rows_are_read_from_a_standby_and_none_that_are_older_than_was_said() {
    let [one, two] = two();
    one.script.assign(&[0, 1, 2, 3]);
    two.script.assign(&[]);
    let first = start(&one, sums(), with_standbys()).await;
    let second = start(&two, sums(), with_standbys()).await;
    let sent = first.send(&crate::support::IN, key_of(2), 5).await.unwrap();
    let refused = second.table(&SUMS).get(key_of(2)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Elsewhere, "only who asks for old rows gets some");
    wait_until("the second keeps everything", || lag(&second, 4).is_some()).await;
    for round in 1..=20_i64 {
        let old = second.table(&SUMS).stale(0).at_least(&sent, LIMIT);
        assert_eq!(old.get(key_of(2)).await.unwrap(), Some(5 * round), "what was sent is seen");
        assert_eq!(old.all().await.unwrap(), [(key_of(2), 5 * round)]);
        if round < 20 {
            let sent_again = first.send(&crate::support::IN, key_of(2), 5).await.unwrap();
            assert!(sent_again.offset > sent.offset);
            let seen = second.table(&SUMS).stale(0).at_least(sent_again, LIMIT).get(key_of(2)).await.unwrap();
            assert_eq!(seen, Some(5 * (round + 1)));
        }
    }
    first.close().await.unwrap();
    second.close().await.unwrap();
}
