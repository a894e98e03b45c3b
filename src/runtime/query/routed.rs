//! Asks the process that has the rows.
//!
//! Rule: this process answers what it has; else those are asked that say that they have it, again and again while the partition may be
//! on its way, and never longer than was said. What nobody answered is an error with the owner's name and its last word, never an
//! empty answer.

use std::ops::Bound;
use std::time::Duration;

use tidemill_dsl::state::{Direction, KeyRange, RowBytes};

use super::{Mode, Place, Reach, StoreQuery};
use crate::error::{Error, ErrorKind};
use crate::runtime::Instance;
use crate::runtime::http::{PAGE_ROWS, Question, Read};
use crate::runtime::waiting::{First, first};

/// How long the pause is before everybody is asked again.
const PAUSE: Duration = Duration::from_millis(100);

impl StoreQuery {
    pub(super) fn routed_within(&self, within: Duration) -> Self {
        StoreQuery { reach: Reach::Routed(within), ..self.clone() }
    }

    /// The same store, for somebody who said in words how it is to be read.
    pub(in crate::runtime) fn read(&self, read: Read) -> Self {
        let mode = match read {
            Read::Committed => Mode::Committed,
            Read::Dirty => Mode::Dirty,
            Read::Stale { lag_max } => Mode::Stale { lag_max },
        };
        StoreQuery { mode, ..self.clone() }
    }

    /// Rows of one partition of this process.
    pub(in crate::runtime) async fn here(
        &self,
        partition: u32,
        range: KeyRange,
        (direction, limit): (Direction, usize),
    ) -> Result<Vec<RowBytes>, Error> {
        let place = self.place()?;
        if partition >= place.tasks {
            let message =
                format!("store `{}` has {} partitions, none with the number {partition}", self.store, place.tasks);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        self.part(&place, partition, range, (direction, limit)).await
    }

    pub(super) async fn routed(
        &self,
        place: &Place,
        partition: u32,
        range: KeyRange,
        (direction, limit): (Direction, usize),
        within: Duration,
    ) -> Result<Vec<RowBytes>, Error> {
        let mut alarm = self.handle.timer.after(within, &self.shared().clock)?;
        loop {
            let last = match self.part(place, partition, range.clone(), (direction, limit)).await {
                Err(error) if error.kind() == ErrorKind::Elsewhere => error.to_string(),
                answer => return answer,
            };
            let asked = self.ask_others(place, partition, &range, (direction, limit), last);
            let last = match first(asked, &mut alarm).await {
                First::One(Ok(Ok(rows))) => return Ok(rows),
                First::One(Ok(Err(last))) => last,
                First::One(Err(error)) => return Err(error),
                First::Other(_) => return Err(self.nobody(place, partition, within, "it has not answered yet")),
            };
            self.shared().has_moved();
            let tick = self.handle.timer.after(PAUSE, &self.shared().clock)?;
            if let First::One(_) = first(&mut alarm, tick).await {
                return Err(self.nobody(place, partition, within, &last));
            }
        }
    }

    /// Asks those that say that they have the partition, one after another. Gives the rows, or what was said last.
    async fn ask_others(
        &self,
        place: &Place,
        partition: u32,
        range: &KeyRange,
        (direction, limit): (Direction, usize),
        mut last: String,
    ) -> Result<Result<Vec<RowBytes>, String>, Error> {
        for instance in self.candidates(place, partition) {
            let Some(address) = &instance.address else {
                last = "it answers no queries: start it with `AppBuilder::query_server`".to_owned();
                continue;
            };
            match self.pages(address, partition, range.clone(), (direction, limit)).await {
                Ok(rows) => return Ok(Ok(rows)),
                Err(error) if may_change(error.kind()) => last = error.to_string(),
                Err(error) => return Err(error),
            }
        }
        Ok(Err(last))
    }

    /// Those that say that they run the task, and then, for old rows, those that keep it.
    fn candidates(&self, place: &Place, partition: u32) -> Vec<Instance> {
        let others: Vec<Instance> = self.shared().registry.as_ref().map(|known| known.others()).unwrap_or_default();
        let keeps = |instance: &&Instance| {
            matches!(self.mode, Mode::Stale { .. }) && instance.standby(place.subtopology, partition).is_some()
        };
        let active = others.iter().filter(|instance| instance.runs(place.subtopology, partition));
        active.chain(others.iter().filter(keeps)).cloned().collect()
    }

    /// Asks one process, page after page.
    async fn pages(
        &self,
        address: &str,
        partition: u32,
        mut range: KeyRange,
        (direction, limit): (Direction, usize),
    ) -> Result<Vec<RowBytes>, Error> {
        let read = match self.mode {
            Mode::Committed => Read::Committed,
            Mode::Dirty => Read::Dirty,
            Mode::Stale { lag_max } => Read::Stale { lag_max },
        };
        let mut rows: Vec<RowBytes> = Vec::new();
        loop {
            let page = PAGE_ROWS.min(limit - rows.len());
            let question = Question {
                store: self.store.to_string(),
                partition,
                range: range.clone(),
                direction,
                limit: page,
                read,
                bound: self.bound.clone(),
            };
            let mut more = self.handle.net()?.ask(address, question).await?;
            let is_last = more.len() < page || rows.len() + more.len() >= limit;
            if let Some(row) = more.last() {
                let next = Bound::Excluded(row.key.clone());
                match direction {
                    Direction::Forward => range.from = next,
                    Direction::Backward => range.to = next,
                }
            }
            rows.append(&mut more);
            if is_last {
                return Ok(rows);
            }
        }
    }

    fn nobody(&self, place: &Place, partition: u32, within: Duration, last: &str) -> Error {
        let owner = self.candidates(place, partition).into_iter().next();
        let owner =
            owner.map_or("nobody says that it runs it".to_owned(), |owner| format!("{owner} says that it runs it"));
        let message = format!(
            "partition {partition} of store `{}` was not found within {within:?}: {owner}; what was heard last: {last}; ask again, \
             or longer",
            self.store
        );
        Error::new(ErrorKind::Elsewhere, message)
    }
}

/// Whether the same question may be answered in a moment, here or elsewhere.
fn may_change(kind: ErrorKind) -> bool {
    use ErrorKind::{Closed, Elsewhere, Fenced, Lost, Unavailable};
    matches!(kind, Elsewhere | Unavailable | Lost | Closed | Fenced)
}
