//! A processor keeps a cursor for the next call.

use tidemill_dsl::processor::{Context, Flow, Processor};
use tidemill_dsl::record::Record;
use tidemill_dsl::state::{Scan, Store};

const SUMS: Store<String, i64> = Store::of("sums");

struct Slow(Option<Scan<'static, String, i64>>);

impl Processor<String, i64, String, i64> for Slow {
    fn process(&mut self, _: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        self.0 = Some(ctx.scan(&SUMS, ..)?);
        Ok(())
    }
}

fn main() {}
