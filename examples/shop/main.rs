//! A shop: an order that comes twice is taken once, its price is asked for elsewhere, sales are summed per day of Berlin, and the
//! customers who spent most are ranked. The verbs are those that Kafka Streams does not have.
//!
//! ```text
//! cargo run --release --example shop -- --data /tmp/shop
//! ```

mod topology;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tidemill::record::Headers;
use tidemill::{App, Settings};

use topology::{BEST, ORDERS, PER_DAY, PRICED};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PARTITIONS: u32 = 4;
const CUSTOMERS: [&str; 5] = ["ada", "bob", "cy", "dot", "eve"];
/// 2024-03-30, 12:00 in Berlin: the next day has 23 hours.
const BEGIN: i64 = 1_711_796_400_000;
const MINUTE: i64 = 60_000;

/// Takes orders, asks for their prices, and tells what was sold.
///
/// It can be killed at any time: the same command goes on from there, and every order is priced once.
#[derive(Debug, Parser)]
#[command(name = "shop", max_term_width = 100)]
struct Cli {
    /// Keep everything in this folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// How many orders there are; one comes every ten minutes, and every third one comes twice
    #[arg(long, default_value_t = 300)]
    orders: i64,

    /// How long a price takes to come, in milliseconds
    #[arg(long, default_value_t = 3)]
    answer_ms: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Cli { data, orders, answer_ms }: Cli) -> Result<(), Failure> {
    let settings =
        Settings { partitions: PARTITIONS, commit_interval: Duration::from_millis(5), ..Settings::default() };
    let builder = App::builder("shop", topology::shop(Duration::from_millis(answer_ms))?).settings(settings);
    let builder = match data {
        Some(folder) => builder.embedded(folder),
        None => builder.memory(),
    };
    let app = builder.start().await?;
    send(&app, orders).await?;
    let priced = all_priced(&app, orders).await?;
    print(&app, &priced).await?;
    Ok(app.close().await?)
}

/// Sends the orders that an earlier run has not sent, a hundred at a time.
async fn send(app: &App, orders: i64) -> Result<(), Failure> {
    let feed = app.feed("orders");
    let sent = feed.position()?.and_then(|bytes| bytes.try_into().ok()).map_or(0, i64::from_be_bytes);
    for first in (sent..orders).step_by(100) {
        let (mut batch, end) = (feed.batch(), orders.min(first + 100));
        for order in first..end {
            let customer = CUSTOMERS[usize::try_from(order * order)? % CUSTOMERS.len()];
            for _ in 0..=i64::from(order % 3 == 0) {
                let time = BEGIN + order * 10 * MINUTE;
                batch.add_with(&ORDERS, customer, order, time.into(), &Headers::NONE)?;
            }
        }
        batch.send(end.to_be_bytes().to_vec()).await?;
    }
    Ok(())
}

/// Waits until as many prices have come, and gives those.
async fn all_priced(app: &App, orders: i64) -> Result<Vec<i64>, Failure> {
    let (mut prices, mut news) = (Vec::new(), app.subscribe(&PRICED)?);
    while i64::try_from(prices.len())? < orders {
        tokio::select! {
            record = news.next() => prices.extend(record.transpose()?.and_then(|record| record.value)),
            ended = app.ended() => ended?,
        }
    }
    app.settled().await?;
    // Whatever came behind the last one that was waited for would be one too many.
    prices.extend(news.read()?.into_iter().filter_map(|record| record.value));
    Ok(prices)
}

async fn print(app: &App, priced: &[i64]) -> Result<(), Failure> {
    println!("{} orders, {} in all", priced.len(), priced.iter().sum::<i64>());
    let best = app.table(&BEST).get("all").await?.unwrap_or_default();
    best.iter().for_each(|spent| println!("{} spent {}", spent.customer, spent.total));
    let mut days = std::collections::BTreeMap::new();
    for (row, sold) in app.table(&PER_DAY).all().await? {
        *days.entry(row.window).or_insert(0) += sold;
    }
    for (day, sold) in days {
        let hours = (day.end.as_millis() - day.start.as_millis()) / (60 * MINUTE);
        println!("{} in the {hours} hours from {}", sold, day.start);
    }
    Ok(())
}
