//! What the shop does with an order.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::Topic;
use tidemill::serde::Data;
use tidemill::state::{Store, WindowStore};
use tidemill::stream::{AsyncCalls, Naming, StreamsBuilder};
use tidemill::topology::{Topology, TopologyErrors};
use tidemill::window::Calendar;

/// The customer, and the number of the order.
pub(crate) const ORDERS: Topic<String, i64> = Topic::of("orders");
/// The customer, and the price.
pub(crate) const PRICED: Topic<String, i64> = Topic::of("priced");
/// What each customer bought for on a day.
pub(crate) const PER_DAY: WindowStore<String, i64> = WindowStore::of("per-day");
/// Under `all` the customers who spent most.
pub(crate) const BEST: Store<String, Vec<Spent>> = Store::of("best");
const TOTALS: Store<String, i64> = Store::of("totals");

/// What a customer has spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
#[data(json)]
pub(crate) struct Spent {
    pub(crate) customer: String,
    pub(crate) total: i64,
}

/// Asks somebody for the price of an order, who fails now and then.
async fn price_of(order: i64, takes: Duration) -> Result<i64, String> {
    tokio::time::sleep(takes).await;
    Ok(100 + order * 7 % 90)
}

pub(crate) fn shop(takes: Duration) -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new().naming(Naming::Explicit);
    let hour = Duration::from_secs(3_600);
    let once = builder.stream(&ORDERS).deduplicate_by(hour, |_, order| *order).named("once");
    let calls = AsyncCalls::in_order(8).time_limit(Duration::from_secs(10)).retries(3, Duration::from_millis(20));
    let priced = once.map_async(calls, move |_, order| price_of(*order, takes)).named("price");
    priced.to(&PRICED);

    // A customer's prices come in order, but those of several customers do not.
    let days = Calendar::days("Europe/Berlin").with_grace(24 * hour);
    priced.group_by_key().windowed_by(days).reduce_with(&PER_DAY, |sold, price| sold + price);

    let totals = priced.group_by_key().reduce_with(&TOTALS, |total, price| total + price);
    let everybody =
        totals.group_by(|customer, total| ("all".to_owned(), Spent { customer: customer.clone(), total: *total }));
    everybody.named("everybody").top_n_with(&BEST, 3, |spent| (spent.total, spent.customer.clone()));
    builder.build()
}
