//! Rows of a store whose task runs elsewhere, as this process keeps them on standby.
//!
//! Rule: an answer is never older than was said: it lacks so many offsets of the changelog at most, and has everything that followed
//! from a position that was waited for.

use std::time::Duration;

use tidemill_dsl::record::Offset;
use tidemill_dsl::state::{Direction, KeyRange, RowBytes};

use super::{Place, StoreQuery};
use crate::error::{Error, ErrorKind};
use crate::runtime::instances::StandbyStore;
use crate::runtime::waiting::{First, first, reach};

/// How often it is looked whether a standby has got somewhere.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl StoreQuery {
    /// Rows of a partition that is on standby here.
    pub(super) async fn on_standby(
        &self,
        place: &Place,
        partition: u32,
        question: (&KeyRange, Direction, usize),
        lag_max: u64,
    ) -> Result<Vec<RowBytes>, Error> {
        self.reach_bound(place, partition).await?;
        let (from, known) = self.reached(place, partition)?;
        let end = self.shared().log.bounds(&from)?.end;
        let lag = StandbyStore { end, ..known }.lag();
        if lag > lag_max {
            let message = format!(
                "partition {partition} of store `{}` is on standby here and lacks {lag} offsets, more than {lag_max}: ask again in \
                 a moment, or the process that runs it, or take older rows",
                self.store
            );
            return Err(Error::new(ErrorKind::Elsewhere, message));
        }
        let standbys = self.shared().standbys().ok_or_else(|| self.elsewhere(partition))?;
        let rows = standbys.rows((place.subtopology, partition), &place.store, question);
        rows.unwrap_or_else(|| Err(self.elsewhere(partition)))
    }

    /// How far the standby is, and what it is restored from.
    pub(super) fn reached(
        &self,
        place: &Place,
        partition: u32,
    ) -> Result<(tidemill_dsl::record::TopicPartition, StandbyStore), Error> {
        let standbys = self.shared().standbys();
        let known = standbys.and_then(|standbys| standbys.reached(place.subtopology, partition, &place.store));
        known.ok_or_else(|| self.elsewhere(partition))
    }

    /// Waits until the standby has what was made of everything before the position that was asked for: when the application has
    /// committed that, it lies before the end that the changelog has then.
    async fn reach_bound(&self, place: &Place, partition: u32) -> Result<(), Error> {
        let Some((position, limit)) = &self.bound else { return Ok(()) };
        let handle = &self.handle;
        let mut alarm = handle.timer.after(*limit, &self.shared().clock)?;
        reach(handle, position, place.subtopology, *limit).await?;
        let (from, _) = self.reached(place, partition)?;
        let end = self.shared().log.settled(&from)?.end;
        while self.reached(place, partition)?.1.reached < end {
            let tick = handle.timer.after(LOOK_EVERY, &self.shared().clock)?;
            if let First::One(_) = first(&mut alarm, tick).await {
                return Err(self.too_far_behind(partition, end, *limit));
            }
        }
        Ok(())
    }

    fn too_far_behind(&self, partition: u32, end: Offset, limit: Duration) -> Error {
        let message = format!(
            "the standby of partition {partition} of store `{}` did not reach offset {end} of its changelog within {limit:?}; ask \
             again, or wait longer",
            self.store
        );
        Error::new(ErrorKind::TimedOut, message)
    }
}
