//! A shop of several stores, killed again and again: after every kill a start finds exactly what its input gives.
//!
//! Sales are summed and counted by article, and counted by kind behind a repartition topic; the sums are joined with a table
//! of prices. The process that is killed is this test program itself, told by its environment to run the shop. It makes the records from
//! their numbers, and stores with them how many it has made; so the one number that is found after a kill says what all stores
//! and topics must hold.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::log::LogSettings;
use tidemill::state::{Changelog, Store};
use tidemill::stream::{Materialized, StreamsBuilder};
use tidemill::topology::{Topology, TopologyErrors};
use tidemill::{App, Settings, Topic};

use crate::chance::{Chance, SEED};
use crate::process::{itself, pause, printed, run};
use crate::rounds::{Tally, rounds};

const SALES: Topic<String, i64> = Topic::of("sales");
const PRICES: Topic<String, i64> = Topic::of("prices");
pub(crate) const TOTALS: Topic<String, i64> = Topic::of("totals");
const WORTH: Topic<String, i64> = Topic::of("worth");
const SUMS: Store<String, i64> = Store::of("sums");
pub(crate) const COUNTS: Store<String, i64> = Store::of("counts");
const KINDS: Store<i64, i64> = Store::of("kinds");
const PRICED: Store<String, i64> = Store::of("priced");
const VALUE: Store<String, i64> = Store::of("value");

/// What the shop is to do, in its environment.
const WORK: &str = "TIDEMILL_CRASH_MARKET";
const PARTITIONS: u32 = 2;
/// In one batch, together with their count.
const BATCH: u64 = 200;
const PER_ROUND: u64 = 40_000;

/// Record `n` of the input.
enum Input {
    Sale { article: String, amount: i64 },
    Price { article: String, price: Option<i64> },
}

impl Input {
    fn of(n: u64) -> Input {
        let mut chance = Chance::new(n.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let article = format!("article-{:03}", chance.below(400));
        let amount = 1 + chance.below(1_000).cast_signed();
        match chance.below(10) {
            0 => Input::Price { article, price: Some(amount) },
            1 => Input::Price { article, price: None },
            _ => Input::Sale { article, amount },
        }
    }
}

pub(crate) fn kind(amount: i64) -> i64 {
    amount % 7
}

pub(crate) fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let sales = builder.stream(&SALES);
    let sums = sales.group_by_key().aggregate(&SUMS, || 0, |sum: i64, _article, amount| sum + amount);
    sums.to_stream().to(&TOTALS);
    // Every update of the counts goes to the changelog; it stays in memory and is restored from there.
    let counted = Materialized::store(&COUNTS).in_memory().changelog(Changelog::EveryUpdate);
    sales.group_by_key().count_with(counted);
    sales.group_by(|_article, amount| kind(*amount)).named("by-kind").count_with(&KINDS);
    let prices = builder.table_with(&PRICES, Materialized::store(&PRICED));
    let worth = |sum: &i64, price: &i64| sum * price;
    sums.join_with(&prices, &VALUE, worth).to_stream().to(&WORTH);
    builder.build()
}

/// All that a shop holds.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Books {
    /// How many records of the input there are.
    pub(crate) made: u64,
    sums: BTreeMap<String, i64>,
    counts: BTreeMap<String, i64>,
    kinds: BTreeMap<i64, i64>,
    prices: BTreeMap<String, i64>,
    value: BTreeMap<String, i64>,
    /// Every total that was written, by article, in order.
    pub(crate) totals: BTreeMap<String, Vec<i64>>,
    /// What the topic of worths says in the end: a table, as its readers make it.
    worth: BTreeMap<String, i64>,
}

impl Books {
    /// What the first `made` records give, in the plainest way.
    pub(crate) fn of(made: u64) -> Books {
        let mut books = Books { made, ..Books::default() };
        for n in 0..made {
            match Input::of(n) {
                Input::Sale { article, amount } => {
                    *books.counts.entry(article.clone()).or_default() += 1;
                    *books.kinds.entry(kind(amount)).or_default() += 1;
                    let sum = books.sums.entry(article.clone()).or_default();
                    *sum += amount;
                    books.totals.entry(article).or_default().push(*sum);
                }
                Input::Price { article, price: Some(price) } => drop(books.prices.insert(article, price)),
                Input::Price { article, price: None } => drop(books.prices.remove(&article)),
            }
        }
        let worth = |(article, sum): (&String, &i64)| Some((article.clone(), sum * books.prices.get(article)?));
        books.value = books.sums.iter().filter_map(worth).collect();
        books.worth = books.value.clone();
        books
    }
}

/// The process that runs the shop, until it is killed or has made all records; then it prints its books.
#[test]
fn the_market_itself() {
    let Ok(work) = std::env::var(WORK) else { return };
    let (until, folder) = work.split_once(' ').unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let books = runtime.block_on(shop(Path::new(folder), until.parse().unwrap()));
    println!("books {}", serde_json::to_string(&books).unwrap());
}

async fn shop(folder: &Path, until: u64) -> Books {
    let app = App::builder("shop", topology().unwrap()).embedded(folder).settings(settings()).start().await.unwrap();
    let made = work(&app, until).await.unwrap();
    let books = read(&app, made).await.unwrap();
    app.close().await.unwrap();
    books
}

/// Everything happens often: commits, flushes, cleaning, new segments.
pub(crate) fn settings() -> Settings {
    let defaults = Settings::default();
    Settings {
        commit_interval: Duration::from_millis(3),
        flush_rows: 500,
        clean_interval: Duration::from_millis(40),
        partitions: PARTITIONS,
        log: LogSettings { segment_bytes: 1 << 20, ..defaults.log },
        threads: 2,
        ..defaults
    }
}

/// Makes the records that are missing up to number `until`, and waits until all is done. Gives how many there are.
pub(crate) async fn work(app: &App, until: u64) -> Result<u64, tidemill::Error> {
    let made = send(app, until).await?;
    app.settled().await?;
    Ok(made)
}

/// The same without waiting for what follows from the records.
pub(crate) async fn send(app: &App, until: u64) -> Result<u64, tidemill::Error> {
    let feed = app.feed("input");
    let mut made = feed.position()?.map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
    let mut posted = VecDeque::new();
    while made < until {
        let mut batch = feed.batch();
        for n in made..(made + BATCH).min(until) {
            match Input::of(n) {
                Input::Sale { article, amount } => batch.add(&SALES, article, amount)?,
                Input::Price { article, price: Some(price) } => batch.add(&PRICES, article, price)?,
                Input::Price { article, price: None } => batch.add(&GONE, article, None::<i64>)?,
            }
        }
        made = (made + BATCH).min(until);
        posted.push_back(batch.post(made.to_be_bytes().to_vec()).await?);
        if posted.len() > 8
            && let Some(first) = posted.pop_front()
        {
            first.await?;
        }
    }
    for last in posted {
        last.await?;
    }
    Ok(made)
}

/// Prices, where null takes one away.
const GONE: Topic<String, Option<i64>> = Topic::of("prices");

async fn all(app: &App, store: &Store<String, i64>) -> Result<BTreeMap<String, i64>, tidemill::Error> {
    Ok(app.table(store).all().await?.into_iter().collect())
}

pub(crate) async fn read(app: &App, made: u64) -> Result<Books, tidemill::Error> {
    let mut books = Books {
        made,
        sums: all(app, &SUMS).await?,
        counts: all(app, &COUNTS).await?,
        kinds: app.table(&KINDS).all().await?.into_iter().collect(),
        prices: all(app, &PRICED).await?,
        value: all(app, &VALUE).await?,
        ..Books::default()
    };
    let mut totals = app.subscribe(&TOTALS)?;
    while let Some(records) = Some(totals.read()?).filter(|records| !records.is_empty()) {
        records.into_iter().for_each(|total| books.totals.entry(total.key).or_default().push(total.value.unwrap()));
    }
    let mut worth = app.subscribe(&WORTH)?;
    while let Some(records) = Some(worth.read()?).filter(|records| !records.is_empty()) {
        for record in records {
            match record.value {
                Some(value) => drop(books.worth.insert(record.key, value)),
                None => drop(books.worth.remove(&record.key)),
            }
        }
    }
    Ok(books)
}

fn process(folder: &Path, until: u64) -> Command {
    itself("market::the_market_itself", WORK, &format!("{until} {}", folder.display()))
}

/// What a shop holds that makes nothing new, or up to `until`.
fn books(folder: &Path, until: u64) -> Books {
    printed(&run(&mut process(folder, until)))
}

#[test]
fn a_market_of_several_stores_survives_kills() {
    let seed = Chance::seed();
    let repeat = format!("repeat: {SEED}={seed} cargo test --release --test crash market");
    let (mut chance, mut tally) = (Chance::new(seed), Tally::default());
    while tally.kills < rounds() {
        tally.begin(&repeat);
        // A fresh folder now and then: a start of everything can be killed too, and books stay small enough to compare.
        let (folder, mut until) = (tempfile::tempdir().unwrap(), 0);
        for _ in 0..6 {
            until += PER_ROUND;
            let mut child = process(folder.path(), until).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            pause(Duration::from_millis(20 + chance.below(500)));
            child.kill().unwrap();
            tally.count(!child.wait().unwrap().success());
            let found = books(folder.path(), 0);
            assert!(found == Books::of(found.made), "after {} records: {}; {repeat}", found.made, differs(&found));
            tally.amid += u32::from(0 < found.made && found.made < until);
            tally.records += found.made;
            until = found.made;
        }
        let found = books(folder.path(), until + PER_ROUND);
        assert!(found == Books::of(until + PER_ROUND), "{}; {repeat}", differs(&found));
    }
    assert!(tally.amid > 0, "no kill struck a shop at work; {repeat}");
    println!("market: {tally}");
}

/// Which part is wrong.
pub(crate) fn differs(found: &Books) -> String {
    let expected = Books::of(found.made);
    let parts = [
        ("sums", found.sums == expected.sums),
        ("counts", found.counts == expected.counts),
        ("kinds", found.kinds == expected.kinds),
        ("prices", found.prices == expected.prices),
        ("value", found.value == expected.value),
        ("totals", found.totals == expected.totals),
        ("worth", found.worth == expected.worth),
    ];
    let wrong: Vec<&str> = parts.iter().filter(|(_, equal)| !equal).map(|(name, _)| *name).collect();
    format!("these differ from the model: {}", wrong.join(", "))
}
