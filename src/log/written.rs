//! An append that is written, and perhaps not durable yet.

use tidemill_dsl::record::Offset;

use super::LogError;

/// Records that are written: they can be read, and survive the death of the process. [`settled`](Written::settled) waits for
/// the rest of what the log's durability policy promises.
#[must_use = "whether the records are durable shows only in `settled`"]
pub struct Written {
    firsts: Vec<Offset>,
    settle: Box<dyn FnOnce() -> Result<(), LogError> + Send>,
}

impl Written {
    /// Appends whose records begin at these offsets, and what waits for the durability policy.
    pub fn new(firsts: Vec<Offset>, settle: impl FnOnce() -> Result<(), LogError> + Send + 'static) -> Self {
        Written { firsts, settle: Box::new(settle) }
    }

    /// The first offset of each append, in order.
    pub fn firsts(&self) -> &[Offset] {
        &self.firsts
    }

    /// Waits until the durability policy of the log is met. Waits that overlap share one sync.
    ///
    /// # Errors
    ///
    /// When the log broke meanwhile: nobody knows then whether the records are durable.
    pub fn settled(self) -> Result<Vec<Offset>, LogError> {
        (self.settle)()?;
        Ok(self.firsts)
    }
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Written").field("firsts", &self.firsts).finish_non_exhaustive()
    }
}
