//! A stream of lengths goes to a topic of texts.

use tidemill_dsl::Topic;
use tidemill_dsl::stream::StreamsBuilder;

const WORDS: Topic<String, String> = Topic::of("words");
const SHORT: Topic<String, String> = Topic::of("short");

fn main() {
    let builder = StreamsBuilder::new();
    builder.stream(&WORDS).map_values(|word| word.len() as u64).to(&SHORT);
}
