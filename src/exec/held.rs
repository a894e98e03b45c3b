//! Keeps what tasks hold in memory within a budget.
//!
//! Rule: after a commit rows take no more than their budget, unless they are in memory only, and no epoch grows beyond a quarter
//! of it. Rows go only when the bytes below have them; where too few have, the stores are flushed first.

use super::executor::{Driven, Executor};
use crate::error::Error;

/// How many steps lie between two looks at the rows.
const LOOK_EVERY: u32 = 16;

/// What tasks hold, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Rows of stores.
    pub rows: u64,
    /// Of them those of stores on disk, which can go.
    pub rows_on_disk: u64,
}

impl Held {
    pub(super) fn by(tasks: &mut [Driven]) -> Held {
        let mut held = Held::default();
        for Driven { task, .. } in tasks {
            for (_, store) in task.state().stores() {
                let memory = store.memory();
                held.rows += memory.bytes;
                held.rows_on_disk += if memory.can_go { memory.bytes } else { 0 };
            }
        }
        held
    }
}

/// When an epoch ends before its time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Early {
    /// Bytes of records that the epoch has staged.
    pub(super) staged: u64,
    /// How much rows on disk may take before the next commit.
    rows_max: u64,
    /// Steps of the epoch. Where a task reads what it writes a step is one record, too little to look at all stores for.
    steps: u32,
    pub(super) due: bool,
}

impl Executor {
    /// What the tasks hold, as of the last commit.
    pub fn held(&self) -> Held {
        self.held
    }

    /// Looks whether what the epoch holds calls for its end.
    pub(super) fn look_at_epoch(&mut self, number: usize) {
        let waiting = self.tasks[number].task.state().outputs().waiting_bytes();
        let budget = self.settings.row_bytes;
        self.early.steps = self.early.steps.wrapping_add(1);
        self.early.due |= self.early.staged + waiting > budget / 4
            || (self.early.steps.is_multiple_of(LOOK_EVERY)
                && Held::by(&mut self.tasks).rows_on_disk > self.early.rows_max.max(budget));
    }

    /// Looks whether the rows of a task that came call for a commit. They are not let go of here: other tasks may have rows that
    /// are not committed, and nothing of those is to be flushed.
    pub(super) fn look_at_rows(&mut self) {
        self.held = Held::by(&mut self.tasks);
        self.early.due |= self.held.rows_on_disk > self.settings.row_bytes;
    }

    /// Lets go of rows until they fit; right after a commit.
    pub(super) fn keep_to_budget(&mut self) -> Result<(), Error> {
        let budget = self.settings.row_bytes;
        self.held = Held::by(&mut self.tasks);
        if self.held.rows_on_disk > budget {
            self.shrink(budget - budget / 4);
            if self.held.rows_on_disk > budget - budget / 8 {
                // What is left has changed since the last flush.
                self.flush_all()?;
                self.shrink(budget - budget / 4);
            }
        }
        self.early = Early { rows_max: self.held.rows_on_disk + budget / 4, ..Early::default() };
        Ok(())
    }

    /// Shrinks all stores alike.
    fn shrink(&mut self, bytes: u64) {
        let held = self.held.rows_on_disk.max(1);
        for Driven { task, .. } in &mut self.tasks {
            for store in task.state().stores_mut() {
                let memory = store.memory();
                let share = u128::from(memory.bytes) * u128::from(bytes) / u128::from(held);
                store.shrink(u64::try_from(share).unwrap_or(u64::MAX));
            }
        }
        self.held = Held::by(&mut self.tasks);
    }
}
