//! A type of one's own becomes a key, and nothing says how it travels.

use tidemill_dsl::Topic;
use tidemill_dsl::stream::StreamsBuilder;

const ORDERS: Topic<String, i64> = Topic::of("orders");

struct Size(i64);

fn main() {
    let builder = StreamsBuilder::new();
    builder.stream(&ORDERS).group_by(|_, amount| Size(amount / 100)).count();
}
