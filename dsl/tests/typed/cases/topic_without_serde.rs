//! A topic of a type that has no format.

use tidemill_dsl::Topic;

struct Order {
    amount: i64,
}

const ORDERS: Topic<String, Order> = Topic::of("orders");

fn main() {
    println!("{}", ORDERS.name());
}
