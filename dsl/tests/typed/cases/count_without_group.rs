//! Only a grouped stream is counted.

use tidemill_dsl::Topic;
use tidemill_dsl::stream::StreamsBuilder;

const WORDS: Topic<String, String> = Topic::of("words");
const COUNTS: Topic<String, i64> = Topic::of("counts");

fn main() {
    let builder = StreamsBuilder::new();
    builder.stream(&WORDS).count().to_stream().to(&COUNTS);
}
