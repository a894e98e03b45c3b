//! Outer joins of two streams: the verbs.

use super::{Pads, StreamJoined};
use crate::processor::ProcessError;
use crate::serde::Data;
use crate::stream::Stream;
use crate::window::JoinWindows;

impl<'b, K: Data, V: Data<Plain: Clone>> Stream<'b, K, V> {
    /// Joins each record with those of another stream that have its key and whose times are close enough; records of both
    /// streams that turn out to meet none come out with `None` in the other's place.
    ///
    /// As [`left_join_stream`](Self::left_join_stream), for both sides. At least one of the two values is there. Of one time
    /// the records of the other stream come out first, then by the bytes of their keys.
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
    /// orders.outer_join_stream(&payments, soon, |order, payment| format!("{order:?} {payment:?}")).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&ORDERS).at(100).send("ann", 7);
    /// driver.input(&PAYMENTS).at(101).send("bob", 5);
    /// driver.input(&ORDERS).at(152).send("cid", 9);
    /// assert_eq!(driver.output(&OUT).values(), ["Some(7) None", "None Some(5)"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outer_join_stream<W: Data<Plain: Clone>, R: Data>(
        &self,
        other: &Stream<'b, K, W>,
        windows: JoinWindows,
        join: impl Fn(Option<&V::Plain>, Option<&W::Plain>) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.outer_join_stream_with_key(other, windows, move |_, left, right| join(left, right))
    }

    /// As [`outer_join_stream`](Self::outer_join_stream), with the key to look at.
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
    /// orders
    ///     .outer_join_stream_with_key(&payments, soon, |who, order, payment| format!("{who}: {order:?} {payment:?}"))
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&PAYMENTS).at(100).send("bob", 5);
    /// driver.input(&ORDERS).at(151).send("ann", 7);
    /// assert_eq!(driver.output(&OUT).values(), ["bob: None Some(5)"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outer_join_stream_with_key<W: Data<Plain: Clone>, R: Data>(
        &self,
        other: &Stream<'b, K, W>,
        windows: JoinWindows,
        join: impl Fn(&K, Option<&V::Plain>, Option<&W::Plain>) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let join = move |key: &K, left: Option<&V::Plain>, right: Option<&W::Plain>| {
            Ok::<_, ProcessError>(join(key, left, right))
        };
        self.try_outer_join_stream_with(other, windows, StreamJoined::default(), join)
    }

    /// As [`outer_join_stream`](Self::outer_join_stream), with names for the stores, and how these are kept.
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
    /// orders.outer_join_stream_with(&payments, soon, kept, |order, payment| format!("{order:?} {payment:?}")).to(&OUT);
    /// # let topology = builder.build()?;
    /// assert!(topology.describe().contains("paid-outer-shared-join-store"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outer_join_stream_with<W: Data<Plain: Clone>, R: Data>(
        &self,
        other: &Stream<'b, K, W>,
        windows: JoinWindows,
        joined: StreamJoined<K::Plain, V::Plain, W::Plain>,
        join: impl Fn(Option<&V::Plain>, Option<&W::Plain>) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let join =
            move |_: &K, left: Option<&V::Plain>, right: Option<&W::Plain>| Ok::<_, ProcessError>(join(left, right));
        self.try_outer_join_stream_with(other, windows, joined, join)
    }

    /// As [`outer_join_stream_with`](Self::outer_join_stream_with), with the key to look at and a function that can fail; an error fails the task,
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
    ///     .try_outer_join_stream_with(&payments, soon, kept, |who, order, payment| match (order, payment) {
    ///         (None, Some(_)) => Err("paid without an order"),
    ///         _ => Ok(format!("{who}: {order:?} {payment:?}")),
    ///     })
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&PAYMENTS).at(100).send("bob", 5);
    /// assert!(driver.input(&ORDERS).at(151).try_send("ann", 7).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_outer_join_stream_with<W: Data<Plain: Clone>, R: Data, E: Into<ProcessError>>(
        &self,
        other: &Stream<'b, K, W>,
        windows: JoinWindows,
        joined: StreamJoined<K::Plain, V::Plain, W::Plain>,
        join: impl Fn(&K, Option<&V::Plain>, Option<&W::Plain>) -> Result<R, E> + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let join = move |key: &K, left: Option<&V::Plain>, right: Option<&W::Plain>| {
            join(key, left, right).map_err(Into::into)
        };
        self.plan_join_streams(other, windows, Pads { left: true, right: true }, joined, join)
    }
}
