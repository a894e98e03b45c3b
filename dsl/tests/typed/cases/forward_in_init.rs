//! A processor forwards before the nodes below it have begun.

use tidemill_dsl::processor::{Context, Flow, Processor, SilentContext};
use tidemill_dsl::record::Record;

struct Hasty;

impl Processor<String, i64, String, i64> for Hasty {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.forward(Record::new(&"begun".to_owned(), &1, 0.into()))
    }

    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.forward(record)
    }
}

fn main() {}
