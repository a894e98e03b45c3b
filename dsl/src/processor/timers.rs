//! Timers of a task's processors.
//!
//! Rule: a timer that is due fires once, however many multiples of its interval were jumped over; the next firing is at the
//! first multiple that lies ahead. Timers that are due together fire in the order of the times at which they were due, equal
//! ones in the order of Kafka Streams' heap.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::ProcessError;
use crate::record::{Decoder, Encoder, TimeHeap, Timestamp};

/// Which time makes a timer fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PunctuationType {
    /// The stream time: the greatest time of the task's records so far. Repeats the same way each time the records do; stands
    /// still while none come.
    StreamTime,
    /// The application's clock.
    WallClock,
}

/// A timer in its heap.
#[derive(Clone, Debug)]
struct Scheduled {
    /// The slot of its processor.
    slot: usize,
    name: Arc<str>,
    interval: i64,
    /// It stays in the heap until it would be due, as in Kafka Streams: the order of others depends on it.
    cancelled: bool,
}

/// A timer whose processor is being called.
#[derive(Clone, Debug)]
pub(crate) struct Firing {
    pub(crate) slot: usize,
    pub(crate) name: Arc<str>,
    kind: PunctuationType,
    due: Timestamp,
    interval: i64,
    time: Timestamp,
    cancelled: bool,
}

/// A timer that is set, as one sees it from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerView {
    /// The node of its processor.
    pub node: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Which time makes it fire.
    pub kind: PunctuationType,
    /// How far apart it fires.
    pub interval: Duration,
    /// When it is due next.
    pub due: Timestamp,
}

/// When a timer is to fire.
pub(crate) struct Schedule<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: PunctuationType,
    pub(crate) first: Timestamp,
    pub(crate) interval: Duration,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    stream: TimeHeap<Scheduled>,
    wall: TimeHeap<Scheduled>,
    firing: Option<Firing>,
}

impl Timers {
    fn heap(&mut self, kind: PunctuationType) -> &mut TimeHeap<Scheduled> {
        match kind {
            PunctuationType::StreamTime => &mut self.stream,
            PunctuationType::WallClock => &mut self.wall,
        }
    }

    /// The timers that are set, stream time first, by the time when they are due. `node` names a slot's.
    pub(crate) fn views<'a>(&self, node: impl Fn(usize) -> &'a Arc<str>) -> Vec<TimerView> {
        let view = |kind| {
            let node = &node;
            move |(timer, due): &(Scheduled, Timestamp)| TimerView {
                node: node(timer.slot).clone(),
                name: timer.name.clone(),
                kind,
                interval: Duration::from_millis(timer.interval.unsigned_abs()),
                due: *due,
            }
        };
        let set = |heap: &TimeHeap<Scheduled>, kind| -> Vec<TimerView> {
            let mut views: Vec<TimerView> =
                heap.entries().iter().filter(|(timer, _)| !timer.cancelled).map(view(kind)).collect();
            views.sort_by_key(|view| view.due);
            views
        };
        let mut views = set(&self.stream, PunctuationType::StreamTime);
        views.extend(set(&self.wall, PunctuationType::WallClock));
        views
    }

    /// When the next timer is due; it may have been cancelled since.
    #[inline]
    pub(crate) fn next_due(&self, kind: PunctuationType) -> Option<Timestamp> {
        match kind {
            PunctuationType::StreamTime => self.stream.next_time(),
            PunctuationType::WallClock => self.wall.next_time(),
        }
    }

    /// Sets a timer of the processor in `slot`; one that it had under this name goes.
    pub(crate) fn schedule(&mut self, slot: usize, schedule: &Schedule<'_>) -> Result<(), BadInterval> {
        let interval = i64::try_from(schedule.interval.as_millis()).ok().filter(|millis| *millis > 0);
        let Some(interval) = interval else {
            return Err(BadInterval { timer: schedule.name.into(), interval: schedule.interval });
        };
        self.cancel(slot, schedule.name);
        let mut first = schedule.first;
        // A timer that sets itself anew would otherwise be due again at once, and for ever.
        if let Some(firing) =
            self.firing.as_ref().filter(|firing| firing.slot == slot && *firing.name == *schedule.name)
            && firing.kind == schedule.kind
        {
            first = next_multiple(first, interval, firing.time);
        }
        let timer = Scheduled { slot, name: schedule.name.into(), interval, cancelled: false };
        self.heap(schedule.kind).enter(timer, first);
        Ok(())
    }

    /// Cancels a timer; gives whether it was set.
    pub(crate) fn cancel(&mut self, slot: usize, name: &str) -> bool {
        let mut found = false;
        for timer in self.stream.items_mut().chain(self.wall.items_mut()) {
            if timer.slot == slot && *timer.name == *name {
                found |= !std::mem::replace(&mut timer.cancelled, true);
            }
        }
        if let Some(firing) = self.firing.as_mut().filter(|firing| firing.slot == slot && *firing.name == *name) {
            found |= !std::mem::replace(&mut firing.cancelled, true);
        }
        found
    }

    /// Takes the next timer that is due at `time`, to be fired; `ended` puts it back.
    pub(crate) fn begin(&mut self, kind: PunctuationType, time: Timestamp) -> Option<Firing> {
        let heap = self.heap(kind);
        while heap.next_time().is_some_and(|due| due <= time) {
            let (timer, due) = heap.take()?;
            if !timer.cancelled {
                let Scheduled { slot, name, interval, .. } = timer;
                let firing = Firing { slot, name, kind, due, interval, time, cancelled: false };
                self.firing = Some(firing.clone());
                return Some(firing);
            }
        }
        None
    }

    /// The processor was called, and has not failed.
    pub(crate) fn ended(&mut self) {
        let Some(Firing { slot, name, kind, due, interval, time, cancelled: false }) = self.firing.take() else {
            return;
        };
        let timer = Scheduled { slot, name, interval, cancelled: false };
        self.heap(kind).enter(timer, next_multiple(due, interval, time));
    }

    /// The timer whose processor is being called, or was when it failed.
    pub(crate) fn firing(&self) -> Option<&Firing> {
        self.firing.as_ref()
    }

    pub(crate) fn snapshot(&self, out: &mut Encoder<'_>) {
        for heap in [&self.stream, &self.wall] {
            out.number(heap.entries().len() as u64);
            for (timer, due) in heap.entries() {
                out.number(timer.slot as u64);
                out.bytes(timer.name.as_bytes());
                out.number(timer.interval.unsigned_abs());
                out.number(u64::from(timer.cancelled));
                out.time(*due);
            }
        }
    }

    pub(crate) fn restore(&mut self, bytes: &mut Decoder<'_>) -> Result<(), ProcessError> {
        self.firing = None;
        self.stream.restore(read_timers(bytes)?);
        self.wall.restore(read_timers(bytes)?);
        Ok(())
    }
}

fn read_timers(bytes: &mut Decoder<'_>) -> Result<Vec<(Scheduled, Timestamp)>, ProcessError> {
    let count = bytes.number()?;
    let timer = |_| {
        let slot = usize::try_from(bytes.number()?)?;
        let name = std::str::from_utf8(bytes.bytes()?)?.into();
        let interval = i64::try_from(bytes.number()?)?;
        let timer = Scheduled { slot, name, interval, cancelled: bytes.number()? != 0 };
        Ok((timer, bytes.time()?))
    };
    (0..count).map(timer).collect()
}

/// The first of `from`, `from + interval`, .. after `from` itself that lies behind `time`; `from` where that does already.
fn next_multiple(from: Timestamp, interval: i64, time: Timestamp) -> Timestamp {
    let (from, time) = (from.as_millis(), time.as_millis());
    if from > time {
        return Timestamp::from_millis(from);
    }
    let missed = time.saturating_sub(from) / interval;
    Timestamp::from_millis(from.saturating_add(missed.saturating_add(1).saturating_mul(interval)))
}

/// An interval that no timer can have.
#[derive(Debug)]
pub(crate) struct BadInterval {
    timer: Box<str>,
    interval: Duration,
}

impl fmt::Display for BadInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadInterval { timer, interval } = self;
        write!(
            f,
            "timer `{timer}` cannot have the interval {interval:?}: use a whole number of milliseconds, at least 1"
        )
    }
}

impl std::error::Error for BadInterval {}
