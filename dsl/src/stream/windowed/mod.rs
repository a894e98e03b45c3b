//! Grouped streams cut into windows: verbs that fold the records of each key and window into a row.

mod cogroup;
mod session;
mod sliding;
mod time;

pub use cogroup::{CogroupWindows, WindowedCogroup};

use super::sink::fitted;
use super::{Fits, GroupedStream};
use crate::serde::Data;
use crate::topic::Topic;
use crate::window::{EmitStrategy, Session, Sliding, TimeWindows};

/// A grouped stream cut into windows of the kind `W`. Its verbs are `count`, `reduce` and `aggregate`; each makes a table
/// with a row for each key in each window.
pub struct WindowedStream<'b, K: 'static, V: 'static, W> {
    grouped: GroupedStream<'b, K, V>,
    windows: W,
    /// What is wrong with the windows, if anything is.
    fault: Option<String>,
    emit: EmitStrategy,
}

/// Kinds of windows that a grouped stream can be cut into: every [`TimeWindows`], [`Sliding`](crate::window::Sliding) and
/// [`Session`](crate::window::Session).
pub trait WindowKind {
    /// What is wrong with the windows, if anything is.
    fn fault(&self) -> Option<String>;
}

impl<W: TimeWindows> WindowKind for W {
    fn fault(&self) -> Option<String> {
        TimeWindows::fault(self)
    }
}

impl WindowKind for Sliding {
    fn fault(&self) -> Option<String> {
        None
    }
}

impl WindowKind for Session {
    fn fault(&self) -> Option<String> {
        self.inactivity_gap().is_zero().then(|| "their gap is 0 ms: give them a longer one".into())
    }
}

impl<'b, K: Data, V: Data> GroupedStream<'b, K, V> {
    /// Cuts the records of each key into windows of record time.
    ///
    /// A record that comes after a window's grace is over by the aggregation's own time, the greatest time of a record with
    /// a key that it has seen, is dropped for that window and counted.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::window::Tumbling;
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream(&IN)
    ///     .group_by_key()
    ///     .windowed_by(Tumbling::of(Duration::from_secs(1)))
    ///     .count()
    ///     .to_stream()
    ///     .map(|row, count| (row.to_string(), *count))
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(100).send("a", 7);
    /// driver.input(&IN).at(900).send("a", 7);
    /// driver.input(&IN).at(1_100).send("a", 7);
    /// let counts = driver.output(&OUT).key_values();
    /// assert_eq!(counts, [("a@0-1000".into(), 1), ("a@0-1000".into(), 2), ("a@1000-2000".into(), 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn windowed_by<W: WindowKind>(&self, windows: W) -> WindowedStream<'b, K, V, W> {
        let fault = windows.fault();
        WindowedStream { grouped: self.clone(), windows, fault, emit: EmitStrategy::OnUpdate }
    }
}

impl<K: Data, V: Data, W> WindowedStream<'_, K, V, W> {
    /// Writes records that come too late to a topic, besides counting them: those that none of their windows takes any more.
    ///
    /// They are written as they came, with their keys, values, times and headers; under exactly-once in one commit with
    /// everything else. A record that some of its windows take and others do not is counted once for each that does not, and is
    /// not written. Without this, late records go where [`dropped_to`](GroupedStream::dropped_to) says.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::window::Tumbling;
    ///
    /// const LATE: Topic<String, i64> = Topic::of("late");
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream(&IN)
    ///     .group_by_key()
    ///     .windowed_by(Tumbling::of(Duration::from_secs(1)))
    ///     .late_to(&LATE)
    ///     .count()
    ///     .to_stream()
    ///     .map(|row, count| (row.to_string(), *count))
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).at(900).send("a", 7);
    /// driver.input(&IN).at(1_000).send("a", 8);
    /// driver.input(&IN).at(950).send("a", 9);
    /// let late = driver.output(&LATE).records();
    /// assert_eq!((late[0].value, late[0].timestamp.as_millis()), (Some(9), 950));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the topic belongs to the windowed stream that this gives"]
    pub fn late_to<TK: 'static, TV: 'static>(mut self, topic: &Topic<TK, TV>) -> Self
    where
        K: Fits<TK>,
        V: Fits<TV>,
    {
        let stream = &mut self.grouped.stream;
        stream.sides = std::mem::take(&mut stream.sides).late_to(fitted::<K, V, TK, TV>(topic));
        self
    }

    /// Says when results come out: at every update of a window (the default), or once for each window when it is closed.
    ///
    /// On close nothing comes out before records of other keys or later times have moved the aggregation's time past a
    /// window's end and grace. The results of windows come in the order of their starts (sessions: ends, then starts), then of
    /// the keys' bytes, with the headers of the record that closed them. In an application closed windows are looked for once
    /// a second at most (`TaskSettings::emit_interval`).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::window::{EmitStrategy, Tumbling};
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream(&IN)
    ///     .group_by_key()
    ///     .windowed_by(Tumbling::of(Duration::from_secs(1)).with_grace(Duration::from_millis(200)))
    ///     .emit_strategy(EmitStrategy::OnWindowClose)
    ///     .count()
    ///     .to_stream()
    ///     .map(|row, count| (row.to_string(), *count))
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// for time in [100, 1_100, 900, 1_199, 1_200] {
    ///     driver.input(&IN).at(time).send("a", 7);
    /// }
    /// assert_eq!(driver.output(&OUT).key_values(), [("a@0-1000".into(), 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the strategy belongs to the windowed stream, and its verbs follow it"]
    pub fn emit_strategy(self, emit: EmitStrategy) -> Self {
        WindowedStream { emit, ..self }
    }
}
