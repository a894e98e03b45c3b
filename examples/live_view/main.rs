//! Shows the live view of an application that has something to do: `cargo run --release --example live_view --features http`.
//!
//! Orders of customers become turnover by region, and large ones go to a topic of their own. Open the address that
//! it prints, and end it with Ctrl-C.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use serde::{Deserialize, Serialize};
use tidemill::http::{LiveViewAddress, live_view};
use tidemill::prelude::*;

/// Orders by customer, in cents; some have no customer, and are dropped.
const ORDERS: Topic<Option<String>, i64> = Topic::of("orders");
/// The region of each customer.
const CUSTOMERS: Topic<String, String> = Topic::of("customers");
const REGIONS: Store<String, String> = Store::of("customer-regions");
const TURNOVER: Store<String, i64> = Store::of("turnover");
const TOTALS: Topic<String, i64> = Topic::of("totals");
const LARGE: Topic<Option<String>, Sale> = Topic::of("large-orders");

/// An order, and where it comes from.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
#[data(json)]
struct Sale {
    region: String,
    cents: i64,
}

/// An application with orders, and its live view.
#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9464")]
    listen: SocketAddr,
    /// Asks those who look for this token; needed where others reach the address.
    #[arg(long)]
    token: Option<String>,
    /// Orders a second.
    #[arg(long, default_value_t = 2_000)]
    rate: u64,
}

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let customers = builder.table_with(&CUSTOMERS, &REGIONS);
    let sale = |cents: &i64, region: &String| Sale { region: region.clone(), cents: *cents };
    let sales = builder.stream(&ORDERS).join(&customers, sale);
    sales
        .group_by(|_customer, sale| sale.region.clone())
        .named("by-region")
        .aggregate(&TURNOVER, || 0, |sum: i64, _region, sale| sum + sale.cents)
        .to_stream()
        .map_values(|cents| cents.unwrap_or_default())
        .to(&TOTALS);
    sales.filter(|_customer, sale| sale.cents > 9_900).to(&LARGE);
    builder.build()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let settings = Settings { threads: 2, partitions: 2, ..Settings::default() };
    let app = App::builder("orders", topology()?).memory().settings(settings).start().await?;
    let view = match &options.token {
        Some(token) => live_view(&app).token(token),
        None => live_view(&app),
    };
    let served = view.serve(LiveViewAddress { bind: options.listen }).await?;
    println!("see http://{}", served.address());
    tokio::select! {
        sent = send_orders(&app, options.rate) => sent?,
        ended = app.ended() => ended?,
        signal = tokio::signal::ctrl_c() => signal?,
    }
    app.close().await?;
    Ok(())
}

/// Sends orders for as long as somebody waits for it.
async fn send_orders(app: &App, rate: u64) -> Result<(), tidemill::Error> {
    let regions = ["alps", "coast", "lakes", "plains", "valley"];
    let feed = app.feed("orders");
    let mut customers = feed.batch();
    for customer in 0..1_000 {
        customers.add(&CUSTOMERS, format!("customer-{customer:03}"), regions[customer % regions.len()].to_owned())?;
    }
    customers.send(Vec::new()).await?;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    let mut number: u64 = 0;
    loop {
        tick.tick().await;
        let mut batch = feed.batch();
        for _ in 0..rate / 10 {
            number += 1;
            // The same orders in every run, spread by a constant that has no pattern.
            let chance = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
            let customer = (!chance.is_multiple_of(97)).then(|| format!("customer-{:03}", chance % 1_000));
            batch.add(&ORDERS, customer, i64::try_from(chance % 10_000).unwrap_or_default())?;
        }
        batch.send(Vec::new()).await?;
    }
}
