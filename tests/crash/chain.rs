//! Two applications in one process and on one log, with several threads each: what the shop writes, the audit reads. Killed
//! again and again under load, both have after every kill what the input gives.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tidemill::log::{EmbeddedLog, Log};
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::{Topology, TopologyErrors};
use tidemill::{App, Settings};

use crate::chance::{Chance, SEED};
use crate::market::{Books, TOTALS, differs, kind, read, send, settings, topology, work};
use crate::process::{itself, pause, printed, run};
use crate::rounds::{Tally, rounds};

const AUDIT: Store<i64, i64> = Store::of("audit");
const WORK: &str = "TIDEMILL_CRASH_CHAIN";
const PER_ROUND: u64 = 20_000;

/// Counts the totals that the shop has written, by kind.
fn audit() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder.stream(&TOTALS).group_by(|_article, total| kind(*total)).named("by-kind").count_with(&AUDIT);
    builder.build()
}

fn audited(books: &Books) -> BTreeMap<i64, i64> {
    let mut counts = BTreeMap::new();
    for total in books.totals.values().flatten() {
        *counts.entry(kind(*total)).or_default() += 1;
    }
    counts
}

/// The process that runs both, until it is killed or has made all records; then it prints what they have.
#[test]
fn the_chain_itself() {
    let Ok(asked) = std::env::var(WORK) else { return };
    let (until, folder) = asked.split_once(' ').unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(chain(Path::new(folder), until.parse().unwrap()));
    println!("books {}", serde_json::to_string(&found).unwrap());
}

async fn chain(folder: &Path, until: u64) -> (Books, BTreeMap<i64, i64>) {
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open(folder, settings().log).unwrap());
    let start = async |name, topology: Topology, threads| {
        let settings = Settings { threads, ..settings() };
        App::builder(name, topology).log(log.clone()).settings(settings).start().await.unwrap()
    };
    let (shop, audit) = (start("shop", topology().unwrap(), 3).await, start("audit", audit().unwrap(), 2).await);
    let made = work(&shop, until).await.unwrap();
    audit.settled().await.unwrap();
    let found = (read(&shop, made).await.unwrap(), audit.table(&AUDIT).all().await.unwrap().into_iter().collect());
    shop.close().await.unwrap();
    audit.close().await.unwrap();
    found
}

fn process(folder: &Path, until: u64) -> Command {
    itself("chain::the_chain_itself", WORK, &format!("{until} {}", folder.display()))
}

/// Starts both without anything new, or up to `until`, and compares what they have.
fn compared(folder: &Path, until: u64, repeat: &str) -> u64 {
    let ended = run(&mut process(folder, until));
    let (books, audit): (Books, BTreeMap<i64, i64>) = printed(&ended);
    let expected = Books::of(books.made);
    assert!(books == expected, "{}; {repeat}", differs(&books));
    assert_eq!(audit, audited(&expected), "the second application; {repeat}");
    books.made
}

#[test]
fn two_applications_on_one_log_survive_kills() {
    let seed = Chance::seed();
    let repeat = format!("repeat: {SEED}={seed} cargo test --release --test crash chain");
    let (mut chance, mut tally) = (Chance::new(seed), Tally::default());
    while tally.kills < rounds() {
        let (folder, mut made) = (tempfile::tempdir().unwrap(), 0);
        for _ in 0..6 {
            tally.begin(&repeat);
            let until = made + PER_ROUND;
            let mut child = process(folder.path(), until).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            pause(Duration::from_millis(20 + chance.below(400)));
            child.kill().unwrap();
            tally.count(!child.wait().unwrap().success());
            let found = compared(folder.path(), 0, &repeat);
            tally.amid += u32::from(made < found && found < until);
            tally.records += found;
            made = found;
        }
        compared(folder.path(), made + PER_ROUND, &repeat);
    }
    assert!(tally.amid > 0, "no kill struck both at work; {repeat}");
    println!("two applications on one log: {tally}");
}

#[test]
fn a_close_under_load_commits_and_a_second_start_finds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let start = async || {
            let app = App::builder("shop", topology().unwrap()).embedded(folder.path()).settings(settings());
            app.start().await.unwrap()
        };
        for until in [15_000, 30_000, 45_000] {
            let app = start().await;
            assert_eq!(send(&app, until).await.unwrap(), until);
            app.close_within(Duration::from_secs(20)).await.unwrap();
            let app = start().await;
            app.settled().await.unwrap();
            let books = read(&app, until).await.unwrap();
            assert!(books == Books::of(until), "{}", differs(&books));
            app.close().await.unwrap();
        }
    });
}
