//! What is here, and nothing else: of the partitions that a process runs, while others run theirs.

use std::time::Duration;

use tidemill::{App, ErrorKind, Settings, TableChanges};

use crate::processes::{PARTITIONS, Process, key_of, two};
use crate::support::{IN, LIMIT, SUMS, soon, sums, wait_until};

/// Two processes that have two partitions each, and in each partition its number as a value.
async fn started(settings: impl Fn() -> Settings) -> ([Process; 2], [App; 2]) {
    let [one, two] = two();
    one.script.assign(&[0, 1]);
    two.script.assign(&[2, 3]);
    let start = async |process: &Process| process.builder(sums(), settings()).start().await.unwrap();
    let apps = [start(&one).await, start(&two).await];
    for partition in 0..PARTITIONS {
        apps[0].send(&IN, key_of(partition), i64::from(partition)).await.unwrap();
    }
    for app in &apps {
        app.settled().await.unwrap();
    }
    ([one, two], apps)
}

/// The rows of these partitions, in the order of their keys.
fn rows_of(partitions: &[u32]) -> Vec<(String, i64)> {
    let mut rows: Vec<_> = partitions.iter().map(|number| (key_of(*number), i64::from(*number))).collect();
    rows.sort();
    rows
}

async fn close(apps: [App; 2]) {
    for app in apps {
        app.close().await.unwrap();
    }
}

#[tokio::test]
async fn each_process_answers_with_the_rows_that_it_has() {
    let (_, apps) = started(soon).await;
    for (app, own, other) in [(&apps[0], [0, 1], 2), (&apps[1], [2, 3], 1)] {
        let here = app.table(&SUMS).local();
        assert_eq!(here.all().await.unwrap(), rows_of(&own));
        assert_eq!(here.dirty().all().await.unwrap(), rows_of(&own));
        assert_eq!(here.all().backward().limit(1).await.unwrap(), rows_of(&own)[1..]);
        assert_eq!(here.prefix(key_of(own[1])).await.unwrap(), rows_of(&own[1..]));
        assert_eq!(here.approximate_count().await.unwrap(), 2);
        assert_eq!(here.get(key_of(own[1])).await.unwrap(), Some(i64::from(own[1])));
        assert_eq!(here.get(key_of(other)).await.unwrap_err().kind(), ErrorKind::Elsewhere, "it may be there");
        let snapshot = here.snapshot().await.unwrap();
        assert_eq!(snapshot.get(key_of(own[1])).unwrap(), Some(i64::from(own[1])));
        assert_eq!(snapshot.get(key_of(other)).unwrap_err().kind(), ErrorKind::Elsewhere);
        assert_eq!(app.table(&SUMS).all().await.unwrap_err().kind(), ErrorKind::Elsewhere, "only who asks for less");
    }
    close(apps).await;
}

#[tokio::test]
async fn old_rows_that_are_kept_here_are_here_too() {
    let (_, apps) = started(|| Settings { standbys: 1, ..soon() }).await;
    let keeps = |app: &App| {
        let all = app.instances();
        let own = all.iter().find(|instance| instance.is_here).map(|own| own.standbys.clone());
        own.is_some_and(|own| own.len() == 2 && own.iter().all(|standby| standby.lag() == 0))
    };
    wait_until("both keep the other's", || apps.iter().all(keeps)).await;
    for app in &apps {
        assert_eq!(app.table(&SUMS).stale(0).local().all().await.unwrap(), rows_of(&[0, 1, 2, 3]));
        assert_eq!(app.table(&SUMS).local().all().await.unwrap().len(), 2);
    }
    close(apps).await;
}

async fn next(changes: &mut TableChanges<String, i64>) -> Result<(String, i64), ErrorKind> {
    let change = tokio::time::timeout(LIMIT, changes.next()).await.expect("something comes").expect("it is not over");
    change.map(|change| (change.key, change.value.unwrap())).map_err(|error| error.kind())
}

#[tokio::test]
async fn whoever_watches_is_told_when_partitions_go_and_come() {
    let ([one, two], apps) = started(soon).await;
    let watch = async |app: &App| app.table(&SUMS).local().watch().with_rows().await.unwrap();
    let (mut first, mut second) = (watch(&apps[0]).await, watch(&apps[1]).await);
    let mut stays = apps[0].table(&SUMS).watch().key(key_of(0)).await.unwrap();
    let mut leaves = apps[0].table(&SUMS).watch().key(key_of(1)).await.unwrap();
    for row in rows_of(&[0, 1]) {
        assert_eq!(next(&mut first).await, Ok(row));
    }
    for row in rows_of(&[2, 3]) {
        assert_eq!(next(&mut second).await, Ok(row));
    }
    apps[0].send(&IN, key_of(2), 5).await.unwrap();
    assert_eq!(next(&mut second).await, Ok((key_of(2), 7)));

    one.script.revoke(&[1]);
    assert_eq!(next(&mut first).await, Err(ErrorKind::Elsewhere));
    assert!(first.next().await.is_none(), "the stream has ended");
    assert_eq!(next(&mut leaves).await, Err(ErrorKind::Elsewhere));
    two.script.assign(&[1]);
    assert_eq!(next(&mut second).await, Err(ErrorKind::Elsewhere), "there is more to watch");
    let mut again = watch(&apps[1]).await;
    for expected in rows_of(&[1, 2, 3]) {
        let (key, value) = next(&mut again).await.unwrap();
        assert_eq!((&key, value), (&expected.0, if key == key_of(2) { 7 } else { expected.1 }));
    }
    apps[0].send(&IN, key_of(0), 1).await.unwrap();
    assert_eq!(next(&mut stays).await, Ok((key_of(0), 1)), "its partition was here all the time");
    assert_eq!(watch(&apps[0]).await.next().await.unwrap().unwrap().key, key_of(0));
    close(apps).await;
}

#[tokio::test]
async fn a_process_without_partitions_has_no_rows_and_waits_for_some() {
    let ([one, two], apps) = started(soon).await;
    one.script.revoke(&[0, 1]);
    let table = apps[0].table(&SUMS).local();
    for _ in 0..3_000 {
        if table.all().await.unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(table.all().await.unwrap(), []);
    let mut none = table.watch().with_rows().await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(100), none.next()).await;
    assert!(waiting.is_err(), "there is nothing to say");
    two.script.revoke(&[2]);
    one.script.assign(&[2]);
    assert_eq!(next(&mut none).await, Err(ErrorKind::Elsewhere));
    close(apps).await;
}
