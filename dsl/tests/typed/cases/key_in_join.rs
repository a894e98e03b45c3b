//! A stream by name is joined with a table by number.

use tidemill_dsl::Topic;
use tidemill_dsl::stream::StreamsBuilder;

const ORDERS: Topic<String, i64> = Topic::of("orders");
const PRICES: Topic<u64, i64> = Topic::of("prices");

fn main() {
    let builder = StreamsBuilder::new();
    let prices = builder.table(&PRICES);
    builder.stream(&ORDERS).join(&prices, |count, price| count * price);
}
