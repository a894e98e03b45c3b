//! A processor that keeps the last value of each key.

use tidemill::processor::{CannotSnapshot, Context, Flow, Processor, SnapshotBytes};
use tidemill::record::Record;
use tidemill::state::Store;

/// Keeps the last value of each key; a negative one deletes. Forwards what was there before.
pub(crate) struct Delete {
    pub(crate) store: Store<String, i64>,
}

impl Processor<String, i64, String, i64> for Delete {
    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        let mut rows = ctx.store(&self.store)?;
        let before = rows.get(record.key)?.copied().unwrap_or(0);
        if *record.value < 0 {
            rows.delete(record.key, record.timestamp)?;
        } else {
            rows.put(record.key, *record.value, record.timestamp)?;
        }
        ctx.forward(record.with_value(&before))
    }

    fn snapshot(&self, _out: &mut SnapshotBytes) -> Result<(), CannotSnapshot> {
        // Its field never changes.
        Ok(())
    }
}
