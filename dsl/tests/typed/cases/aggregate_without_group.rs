//! Only a grouped stream is aggregated.

use tidemill_dsl::Topic;
use tidemill_dsl::stream::StreamsBuilder;

const WORDS: Topic<String, String> = Topic::of("words");

fn main() {
    let builder = StreamsBuilder::new();
    builder.stream(&WORDS).aggregate_with(|| 0_u64, |count: u64, _word, _line| count + 1);
}
