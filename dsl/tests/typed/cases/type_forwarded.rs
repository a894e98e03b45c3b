//! A processor forwards another type than it says.

use tidemill_dsl::processor::{Context, Flow, Processor};
use tidemill_dsl::record::Record;

struct Length;

impl Processor<String, String, String, u64> for Length {
    fn process(&mut self, record: Record<'_, String, String>, ctx: &mut Context<'_, String, u64>) -> Flow {
        ctx.forward(record)
    }
}

fn main() {}
