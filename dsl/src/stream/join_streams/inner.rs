//! Inner joins of two streams: the verbs.

use super::{Pads, StreamJoined};
use crate::processor::ProcessError;
use crate::serde::Data;
use crate::stream::Stream;
use crate::window::JoinWindows;

impl<'b, K: Data, V: Data<Plain: Clone>> Stream<'b, K, V> {
    /// Joins each record with those of another stream that have its key and whose times are close enough, as `windows` says.
    ///
    /// Both sides produce results: a record meets those that are there already, in the order of their times, and is kept for
    /// those that come later. A result has the greater of the two times, and the headers of the record that came last. A
    /// record is found as long as it is kept, however late the other one is; see [`JoinWindows`]. Records without key or value
    /// are dropped and counted. Topics of both sides need equal numbers of partitions; a side whose key may have changed goes
    /// through a repartition topic first. Keeps the records of both sides in a store each, on disk, with a changelog. Name
    /// these with [`join_stream_with`](Self::join_stream_with), and the join itself with [`named`](Self::named).
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// # const PAYMENTS: Topic<String, i64> = Topic::of("payments");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::window::JoinWindows;
    ///
    /// # let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream(&ORDERS), builder.stream(&PAYMENTS));
    /// let soon = JoinWindows::of(Duration::from_millis(50));
    /// orders.join_stream(&payments, soon, |order, payment| format!("{order} {payment}")).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&ORDERS).at(100).send("ann", 7);
    /// driver.input(&PAYMENTS).at(150).send("ann", 5);
    /// driver.input(&PAYMENTS).at(151).send("ann", 2); // too late for it
    /// assert_eq!(driver.output(&OUT).values(), ["7 5"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_stream<W: Data<Plain: Clone>, R: Data>(
        &self,
        other: &Stream<'b, K, W>,
        windows: JoinWindows,
        join: impl Fn(&V::Plain, &W::Plain) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.join_stream_with_key(other, windows, move |_, left, right| join(left, right))
    }

    /// As [`join_stream`](Self::join_stream), with the key to look at.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// # const PAYMENTS: Topic<String, i64> = Topic::of("payments");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::window::JoinWindows;
    ///
    /// # let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream(&ORDERS), builder.stream(&PAYMENTS));
    /// let soon = JoinWindows::of(Duration::from_millis(50));
    /// orders.join_stream_with_key(&payments, soon, |who, order, payment| format!("{who}: {order} {payment}")).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&ORDERS).at(100).send("ann", 7);
    /// driver.input(&PAYMENTS).at(150).send("ann", 5);
    /// assert_eq!(driver.output(&OUT).values(), ["ann: 7 5"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_stream_with_key<W: Data<Plain: Clone>, R: Data>(
        &self,
        other: &Stream<'b, K, W>,
        windows: JoinWindows,
        join: impl Fn(&K, &V::Plain, &W::Plain) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let join = move |key: &K, left: &V::Plain, right: &W::Plain| Ok::<_, ProcessError>(join(key, left, right));
        self.try_join_stream_with(other, windows, StreamJoined::default(), join)
    }

    /// As [`join_stream`](Self::join_stream), with names for the stores, and how these are kept.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// # const PAYMENTS: Topic<String, i64> = Topic::of("payments");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::stream::StreamJoined;
    /// use tidemill_dsl::window::JoinWindows;
    ///
    /// # let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream(&ORDERS), builder.stream(&PAYMENTS));
    /// let soon = JoinWindows::of(Duration::from_millis(50));
    /// let kept = StreamJoined::store("paid").in_memory();
    /// orders
    ///     .join_stream_with(&payments, soon, kept, |order, payment| format!("{order} {payment}"))
    ///     .named("match-payments")
    ///     .to(&OUT);
    /// # let topology = builder.build()?;
    /// assert!(topology.describe().contains("Processor: match-payments-this-windowed (stores: [paid-this-join-store])"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_stream_with<W: Data<Plain: Clone>, R: Data>(
        &self,
        other: &Stream<'b, K, W>,
        windows: JoinWindows,
        joined: StreamJoined<K::Plain, V::Plain, W::Plain>,
        join: impl Fn(&V::Plain, &W::Plain) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let join = move |_: &K, left: &V::Plain, right: &W::Plain| Ok::<_, ProcessError>(join(left, right));
        self.try_join_stream_with(other, windows, joined, join)
    }

    /// As [`join_stream_with`](Self::join_stream_with), with the key to look at and a function that can fail; an error fails the task,
    /// naming the record.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const ORDERS: Topic<String, i64> = Topic::of("orders");
    /// # const PAYMENTS: Topic<String, i64> = Topic::of("payments");
    /// # const OUT: Topic<String, String> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::stream::StreamJoined;
    /// use tidemill_dsl::window::JoinWindows;
    ///
    /// # let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream(&ORDERS), builder.stream(&PAYMENTS));
    /// let soon = JoinWindows::of(Duration::from_millis(50));
    /// let kept = StreamJoined::store("paid");
    /// orders
    ///     .try_join_stream_with(&payments, soon, kept, |who, order, payment| match order - payment {
    ///         0 => Ok(format!("{who} has paid {order}")),
    ///         _ => Err("another amount"),
    ///     })
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&ORDERS).at(100).send("ann", 7);
    /// assert!(driver.input(&PAYMENTS).at(150).try_send("ann", 5).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join_stream_with<W: Data<Plain: Clone>, R: Data, E: Into<ProcessError>>(
        &self,
        other: &Stream<'b, K, W>,
        windows: JoinWindows,
        joined: StreamJoined<K::Plain, V::Plain, W::Plain>,
        join: impl Fn(&K, &V::Plain, &W::Plain) -> Result<R, E> + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let join = move |key: &K, left: Option<&V::Plain>, right: Option<&W::Plain>| match (left, right) {
            (Some(left), Some(right)) => join(key, left, right).map_err(Into::into),
            _ => Err("an inner join has both values".into()),
        };
        self.plan_join_streams(other, windows, Pads { left: false, right: false }, joined, join)
    }
}
