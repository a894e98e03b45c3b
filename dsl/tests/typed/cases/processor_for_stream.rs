//! A processor of texts stands behind a stream of numbers.

use tidemill_dsl::Topic;
use tidemill_dsl::processor::{Context, Flow, Processor};
use tidemill_dsl::record::Record;
use tidemill_dsl::stream::StreamsBuilder;

const NUMBERS: Topic<String, i64> = Topic::of("numbers");

struct Upper;

impl Processor<String, String, String, String> for Upper {
    fn process(&mut self, record: Record<'_, String, String>, ctx: &mut Context<'_, String, String>) -> Flow {
        ctx.forward(record.with_value(&record.value.to_uppercase()))
    }
}

fn main() {
    let builder = StreamsBuilder::new();
    builder.stream(&NUMBERS).process::<String, String, _>(|| Upper, &[]);
}
