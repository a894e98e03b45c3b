//! A tuple is stored in a format that the program names.

use tidemill_dsl::state::Store;

const LAST: Store<String, (String, i64)> = Store::json("last");
const FIRST: Store<String, (String, i64)> = Store::of("first");

fn main() {
    println!("{} {}", LAST.name(), FIRST.name());
}
