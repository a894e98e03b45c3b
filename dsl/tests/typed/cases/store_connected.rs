//! A topic is listed where the stores of a processor are.

use tidemill_dsl::Topic;
use tidemill_dsl::processor::{Context, Flow, Processor};
use tidemill_dsl::record::Record;
use tidemill_dsl::stream::StreamsBuilder;

const NUMBERS: Topic<String, i64> = Topic::of("numbers");

struct Pass;

impl Processor<String, i64, String, i64> for Pass {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.forward(record)
    }
}

fn main() {
    let builder = StreamsBuilder::new();
    builder.stream(&NUMBERS).process(|| Pass, &[&NUMBERS]);
}
