//! A store has a descriptor, which says its types too.

use tidemill_dsl::Topic;
use tidemill_dsl::stream::StreamsBuilder;

const WORDS: Topic<String, String> = Topic::of("words");

fn main() {
    let builder = StreamsBuilder::new();
    builder.stream(&WORDS).group_by_key().count_with("counts");
}
