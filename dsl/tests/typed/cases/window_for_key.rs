//! Rows by window go to a topic of keys.

use std::time::Duration;

use tidemill_dsl::Topic;
use tidemill_dsl::stream::StreamsBuilder;
use tidemill_dsl::window::Tumbling;

const WORDS: Topic<String, String> = Topic::of("words");
const COUNTS: Topic<String, i64> = Topic::of("counts");

fn main() {
    let builder = StreamsBuilder::new();
    let windows = Tumbling::of(Duration::from_secs(60));
    builder.stream(&WORDS).group_by_key().windowed_by(windows).count().to_stream().to(&COUNTS);
}
