//! A processor whose keys stay tries to change one.

use tidemill_dsl::processor::{FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Flow};

struct Rename;

impl FixedKeyProcessor<String, i64, i64> for Rename {
    fn process(&mut self, record: FixedKeyRecord<'_, String, i64>, ctx: &mut FixedKeyContext<'_, String, i64>) -> Flow {
        ctx.forward(record.with_key(&"other".to_owned()))
    }
}

fn main() {}
