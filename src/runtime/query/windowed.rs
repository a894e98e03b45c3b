//! Rows of windows and sessions, over all partitions in one order.

use std::future::{Future, IntoFuture};
use std::ops::ControlFlow;
use std::pin::Pin;

use tidemill_dsl::processor::{Flow, ProcessError};
use tidemill_dsl::record::Timestamp;
use tidemill_dsl::serde::{SerdeError, SerdeRef};
use tidemill_dsl::state::Direction;
use tidemill_dsl::window::{Window, Windowed};

use super::look::{bytes_of, copy_of};
use crate::error::Error;

/// A question for the rows of windows or sessions: await it. They come in the order of their windows, in equal ones in the
/// order of the keys' bytes: windows by their start, sessions by their end and then their start.
#[must_use = "it is asked when it is awaited"]
pub struct WindowedRows<K: 'static, V: 'static> {
    ask: Box<Ask<K, V>>,
    direction: Direction,
    limit: usize,
}

type Ask<K, V> = dyn FnOnce(Direction, usize) -> Answer<K, V> + Send;
type Answer<K, V> = Pin<Box<dyn Future<Output = Result<Vec<(Windowed<K>, V)>, Error>> + Send>>;

impl<K: 'static, V: 'static> WindowedRows<K, V> {
    pub(super) fn new<F>(ask: impl FnOnce(Direction, usize) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Vec<(Windowed<K>, V)>, Error>> + Send + 'static,
    {
        let ask = Box::new(move |direction, limit| -> Answer<K, V> { Box::pin(ask(direction, limit)) });
        WindowedRows { ask, direction: Direction::Forward, limit: usize::MAX }
    }

    /// From the latest window down.
    pub fn backward(self) -> Self {
        WindowedRows { direction: Direction::Backward, ..self }
    }

    /// So many rows at most.
    pub fn limit(self, rows: usize) -> Self {
        WindowedRows { limit: rows, ..self }
    }
}

impl<K: 'static, V: 'static> IntoFuture for WindowedRows<K, V> {
    type Output = Result<Vec<(Windowed<K>, V)>, Error>;
    type IntoFuture = Answer<K, V>;

    fn into_future(self) -> Self::IntoFuture {
        (self.ask)(self.direction, self.limit)
    }
}

/// By which of a window's times rows are ordered.
#[derive(Clone, Copy)]
pub(super) enum OrderedBy {
    Start,
    End,
}

/// How rows are gathered: with which serdes, and which of them in which order.
pub(super) struct Gathering<K: 'static, V: 'static> {
    pub(super) keys: SerdeRef<K>,
    pub(super) values: SerdeRef<V>,
    pub(super) order: OrderedBy,
    pub(super) direction: Direction,
    pub(super) limit: usize,
}

/// Rows of one partition.
pub(super) struct Gathered<K, V>(Vec<Found<K, V>>);

struct Found<K, V> {
    place: ([Timestamp; 2], Vec<u8>),
    key: Windowed<K>,
    value: V,
}

impl<K, V> Clone for Gathering<K, V> {
    fn clone(&self) -> Self {
        Gathering { keys: self.keys.clone(), values: self.values.clone(), ..*self }
    }
}

pub(super) type Visit<'a, K, V> = &'a mut dyn FnMut(Result<Windowed<K>, SerdeError>, &V) -> ControlFlow<()>;

impl<K: 'static, V: 'static> Gathering<K, V> {
    /// Gathers what `walk` visits: keys that could be read, and values.
    pub(super) fn gather(&self, walk: impl FnOnce(Visit<'_, K, V>) -> Flow) -> Result<Gathered<K, V>, ProcessError> {
        let (mut rows, mut failure) = (Gathered(Vec::new()), None);
        walk(&mut |key, value| match key.and_then(|key| self.push(&mut rows, key, value)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        })?;
        failure.map_or(Ok(rows), |error| Err(error.into()))
    }

    fn push(&self, rows: &mut Gathered<K, V>, key: Windowed<K>, value: &V) -> Result<(), SerdeError> {
        let Window { start, end } = key.window;
        let times = match self.order {
            OrderedBy::Start => [start, end],
            OrderedBy::End => [end, start],
        };
        let place = (times, bytes_of(&self.keys, &key.key)?);
        rows.0.push(Found { place, key, value: copy_of(&self.values, value)? });
        // No more than about twice of what is wanted is held at a time.
        if rows.0.len() / 2 > self.limit {
            self.cut(rows);
        }
        Ok(())
    }

    fn cut(&self, rows: &mut Gathered<K, V>) {
        match self.direction {
            Direction::Forward => rows.0.sort_by(|a, b| a.place.cmp(&b.place)),
            Direction::Backward => rows.0.sort_by(|a, b| b.place.cmp(&a.place)),
        }
        rows.0.truncate(self.limit);
    }

    /// The rows of all partitions in their order.
    pub(super) fn together(&self, parts: impl IntoIterator<Item = Gathered<K, V>>) -> Vec<(Windowed<K>, V)> {
        let mut rows = Gathered(parts.into_iter().flat_map(|part| part.0).collect());
        self.cut(&mut rows);
        rows.0.into_iter().map(|found| (found.key, found.value)).collect()
    }
}
