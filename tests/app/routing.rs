//! A key is asked for in one process, and another one has it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidemill::log::{Append, Notes};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition, partition_of};
use tidemill::{App, ErrorKind, QueryServer, Settings};

use crate::processes::{PARTITIONS, Process, key_of, two};
use crate::support::{IN, LIMIT, SUMS, soon, sums, wait_until};

async fn start(process: &Process, settings: Settings) -> App {
    process.builder(sums(), settings).query_server(QueryServer::default()).start().await.unwrap()
}

/// Two processes that have two partitions each, and a value in every partition.
async fn started(settings: impl Fn() -> Settings) -> ([Process; 2], [App; 2]) {
    let [one, two] = two();
    one.script.assign(&[0, 1]);
    two.script.assign(&[2, 3]);
    let (first, second) = (start(&one, settings()).await, start(&two, settings()).await);
    for partition in 0..PARTITIONS {
        first.send(&IN, key_of(partition), i64::from(partition) + 1).await.unwrap();
    }
    first.settled().await.unwrap();
    second.settled().await.unwrap();
    ([one, two], [first, second])
}

#[tokio::test]
async fn whoever_is_asked_the_answer_is_the_owners() {
    let (_, [first, second]) = started(soon).await;
    for app in [&first, &second] {
        let sums = app.table(&SUMS).routed(LIMIT);
        for partition in 0..PARTITIONS {
            let value = i64::from(partition) + 1;
            assert_eq!(sums.get(key_of(partition)).await.unwrap(), Some(value));
            assert_eq!(sums.dirty().get(key_of(partition)).await.unwrap(), Some(value));
        }
        assert_eq!(sums.get("nobody").await.unwrap(), None);
        let mut all: Vec<(String, i64)> =
            (0..PARTITIONS).map(|number| (key_of(number), i64::from(number) + 1)).collect();
        all.sort();
        assert_eq!(sums.all().await.unwrap(), all);
        let backward = sums.all().backward().limit(3).await.unwrap();
        assert_eq!(backward, all.iter().rev().take(3).cloned().collect::<Vec<_>>());
        let from_second = sums.range(Some(all[1].0.clone()), Some(all[2].0.clone())).await.unwrap();
        assert_eq!(from_second, all[1..=2]);
        assert_eq!(app.table(&SUMS).all().await.unwrap_err().kind(), ErrorKind::Elsewhere, "only who asks for it");
    }
    let sent = first.send(&IN, key_of(3), 100).await.unwrap();
    let sums = first.table(&SUMS).routed(LIMIT).at_least(sent, LIMIT);
    assert_eq!(sums.get(key_of(3)).await.unwrap(), Some(104), "what was sent is seen, wherever it is");
    first.close().await.unwrap();
    second.close().await.unwrap();
}

#[tokio::test]
async fn more_rows_than_fit_into_one_answer_come_all_and_in_order() {
    let ([_, two], [first, second]) = started(soon).await;
    const KEYS: usize = 12_000;
    let names = (0..).map(|number| format!("many-{number:06}"));
    let names: Vec<String> = names.filter(|name| partition_of(name.as_bytes(), PARTITIONS) == 2).take(KEYS).collect();
    let mut records = BatchBuilder::default();
    for name in &names {
        records.push(Timestamp::ZERO, Some(name.as_bytes()), Some(&1_i64.to_be_bytes()), &Headers::NONE);
    }
    let to = TopicPartition::new("in", 2);
    let append = Append { to, records: records.finish(Offset::ZERO) };
    two.log.append(vec![append], "", Notes::new()).unwrap();
    second.settled().await.unwrap();
    let rows = first.table(&SUMS).routed(LIMIT).prefix("many-").await.unwrap();
    assert_eq!(rows.len(), KEYS);
    assert!(rows.iter().zip(&names).all(|((key, value), name)| key == name && *value == 1));
    let last = first.table(&SUMS).routed(LIMIT).prefix("many-").backward().limit(11_000).await.unwrap();
    assert_eq!((last.len(), &last[0].0, &last[10_999].0), (11_000, &names[11_999], &names[1_000]));
    first.close().await.unwrap();
    second.close().await.unwrap();
}

#[tokio::test]
async fn a_question_waits_while_its_partition_moves() {
    let ([one, two], [first, second]) = started(soon).await;
    let (from, to) = (&one, &two);
    from.script.revoke(&[1]);
    wait_until("the answer", || from.script.released.load(Ordering::SeqCst) == 1).await;
    let asked = first.table(&SUMS).routed(LIMIT);
    let asking = tokio::spawn(async move { asked.get(key_of(1)).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!asking.is_finished(), "nobody has it");
    to.script.assign(&[1]);
    assert_eq!(asking.await.unwrap().unwrap(), Some(2));
    first.close().await.unwrap();
    second.close().await.unwrap();
}

#[tokio::test]
async fn what_nobody_answers_is_an_error_that_names_the_owner_and_what_it_said() {
    let ([_, two], [first, second]) = started(soon).await;
    let address = second.instances().into_iter().find(|instance| instance.is_here).unwrap().address.unwrap();
    wait_until("the second is known", || first.instances().len() == 2).await;
    // As after a kill: its row is there, and nobody listens.
    drop(second);
    let error = first.table(&SUMS).routed(Duration::from_millis(500)).get(key_of(3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Elsewhere);
    let said = error.to_string();
    assert!(said.contains("partition 3 of store `sums`") && said.contains(&address), "{said}");
    let _ = two;
    first.close().await.unwrap();
}

#[tokio::test]
async fn old_rows_come_from_a_standby_when_the_owner_is_gone() {
    let (_, [first, second]) = started(|| Settings { standbys: 1, ..soon() }).await;
    let keeps = |app: &App| {
        let all = app.instances();
        let own = all.iter().find(|instance| instance.is_here).map(|own| own.standbys.clone());
        own.is_some_and(|own| own.len() == 2 && own.iter().all(|standby| standby.lag() == 0))
    };
    wait_until("both keep the other's", || keeps(&first) && keeps(&second)).await;
    drop(second);
    let old = first.table(&SUMS).stale(0).routed(LIMIT);
    assert_eq!(old.get(key_of(3)).await.unwrap(), Some(4));
    assert_eq!(old.all().await.unwrap().len(), 4);
    first.close().await.unwrap();
}

/// What a plain client gets, without the header of the answer.
fn fetch(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn anybody_who_may_connect_can_ask_by_http() {
    let (_, [first, second]) = started(soon).await;
    let own = first.instances().into_iter().find(|instance| instance.is_here).unwrap();
    let address: Arc<str> = own.address.unwrap().into();
    assert!(address.starts_with("127.0.0.1:"), "{address}: this machine alone unless it is said");
    let ask = async |path: String| {
        let address = address.clone();
        tokio::task::spawn_blocking(move || fetch(&address, &path)).await.unwrap()
    };
    let hex: String = key_of(1).bytes().map(|byte| format!("{byte:02x}")).collect();
    let (status, body) = ask(format!("/v1/stores/sums/1?key={hex}")).await;
    let expected = format!("{hex} {:016x} ", 2);
    assert!(status == 200 && body.starts_with(&expected) && body.ends_with("end\n"), "{status} {body}");
    let (status, body) = ask("/v1/instances".to_owned()).await;
    assert!(status == 200 && body.contains(&format!("address {address}\n")) && body.contains("active 0_1"), "{body}");
    for (path, expected, reason) in [
        ("/v1/stores/sums/3", 421, "partition 3 of store `sums` is not with this process"),
        ("/v1/stores/sums/9", 400, "4 partitions"),
        ("/v1/stores/other/0", 404, "no store `other`"),
        ("/v1/stores/sums/0?key=xyz", 400, "not in hex"),
    ] {
        let (status, body) = ask(path.to_owned()).await;
        assert!(status == expected && body.contains(reason), "{path}: {status} {body}");
    }
    first.close().await.unwrap();
    let closed = TcpStream::connect(&*address);
    assert!(closed.is_err(), "it is closed with the application");
    second.close().await.unwrap();
}
