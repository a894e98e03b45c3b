//! Readers beside a working application see commits, whole ones, in every partition the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tidemill::processor::{Context, Flow, Processor};
use tidemill::record::Record;
use tidemill::state::{Direction, Store, StoreSpec};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, AppBuilder, Settings};

use crate::support::{IN, soon, wait_until};

const PAIRS: Store<String, i64> = Store::of("pairs");
const KEYS: i64 = 200;
const RECORDS: i64 = 40_000;

/// Adds one to two rows, `left-` and `right-` with the record's value; now and then both are deleted, and counted in another.
struct Pair;

impl Processor<String, i64, String, i64> for Pair {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        let mut rows = ctx.store(&PAIRS)?;
        for side in ["left", "right"] {
            let (key, gone) =
                (format!("{side}-{}-{}", record.key, record.value), format!("{side}-gone-{}", record.key));
            let count = rows.get(&key)?.copied().unwrap_or(0) + 1;
            if count == 5 {
                rows.delete(&key, record.timestamp)?;
                let sum = rows.get(&gone)?.copied().unwrap_or(0) + count;
                rows.put(&gone, sum, record.timestamp)?;
            } else {
                rows.put(&key, count, record.timestamp)?;
            }
        }
        Ok(())
    }
}

fn pairs(spec: StoreSpec) -> Topology {
    let builder = StreamsBuilder::new();
    builder.add_store(spec);
    builder.stream(&IN).process(|| Pair, &[&PAIRS]).for_each(|_: &String, _: &i64| {});
    builder.build().unwrap()
}

/// The sums of both sides, and how many records a snapshot says that it has.
async fn look(app: &App) -> (i64, i64, i64) {
    let snapshot = app.table(&PAIRS).snapshot().await.unwrap();
    let sum = |side| snapshot.prefix(side, Direction::Forward).map(|row| row.unwrap().value).sum();
    let records: u64 = snapshot.position().iter().map(|(_, next)| next.get()).sum();
    (sum("left"), sum("right"), i64::try_from(records).unwrap())
}

async fn readers_see_whole_commits(builder: AppBuilder, flush_rows: usize) {
    let settings = Settings { threads: 2, partitions: 4, flush_rows, ..soon() };
    let app = Arc::new(builder.settings(settings).start().await.unwrap());
    let (done, looks, stages) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (app, done, looks, stages) = (app.clone(), done.clone(), looks.clone(), stages.clone());
            tokio::spawn(async move {
                let mut last = 0;
                while !done.load(Ordering::SeqCst) {
                    let (left, right, records) = look(&app).await;
                    assert_eq!(left, right, "a record was seen by half");
                    assert_eq!(left, records, "the rows are not those of the position");
                    assert!(records >= last, "an answer was older than one before it");
                    looks.fetch_add(1, Ordering::SeqCst);
                    stages.fetch_add(u64::from(records > last), Ordering::SeqCst);
                    last = records;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let (feed, mut seen) = (app.feed("numbers"), 0);
    for first in (0..RECORDS).step_by(500) {
        if first > 0 && first % (RECORDS / 5) == 0 {
            // However quick the application is: a reader sees something of each fifth before the next one comes.
            wait_until("readers see a commit", || stages.load(Ordering::SeqCst) > seen).await;
            seen = stages.load(Ordering::SeqCst);
        }
        let mut batch = feed.batch();
        for number in first..first + 500 {
            batch.add(&IN, format!("k{}", number % 16), number % KEYS).unwrap();
        }
        batch.send(vec![]).await.unwrap();
    }
    app.settled().await.unwrap();
    assert_eq!(look(&app).await, (RECORDS, RECORDS, RECORDS));
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(stages.load(Ordering::SeqCst) > 3, "too few different states were seen to tell anything");
    let Ok(app) = Arc::try_unwrap(app) else { panic!("the readers have ended") };
    app.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_a_store_in_memory_see_whole_commits() {
    let topology = pairs(StoreSpec::timestamped(&PAIRS).in_memory());
    readers_see_whole_commits(App::builder("pairs", topology).memory(), 1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_a_store_on_disk_see_whole_commits() {
    let folder = tempfile::tempdir().unwrap();
    let topology = pairs(StoreSpec::plain(&PAIRS).rows_in_memory(10));
    readers_see_whole_commits(App::builder("pairs", topology).embedded(folder.path().join("data")), 50).await;
}
