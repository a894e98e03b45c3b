//! Left joins of two streams: the verbs.

use super::{Pads, StreamJoined};
use crate::processor::ProcessError;
use crate::serde::Data;
use crate::stream::Stream;
use crate::window::JoinWindows;

impl<'b, K: Data, V: Data<Plain: Clone>> Stream<'b, K, V> {
    /// Joins each record with those of another stream that have its key and whose times are close enough, or with `None` if
    /// there turns out to be none.
    ///
    /// As [`join_stream`](Self::join_stream); besides, a record of this stream that meets none comes out once, with its own
    /// time, when its window and the grace period are over by the records that came since. It comes with one of them, and with
    /// its headers; in an application such records are looked for once in a while (`TaskSettings::emit_interval`). One that is
    /// so late that its window is over already comes out at once, and one without key too. A late record of the other stream
    /// may still be joined with it after that. Records that wait are stored, with a changelog.
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
    /// orders.left_join_stream(&payments, soon, |order, payment| format!("{order} {payment:?}")).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&ORDERS).at(100).send("ann", 7);
    /// driver.input(&ORDERS).at(110).send("bob", 8);
    /// driver.input(&PAYMENTS).at(120).send("bob", 8);
    /// driver.input(&PAYMENTS).at(151).send("bob", 8);
    /// assert_eq!(driver.output(&OUT).values(), ["8 Some(8)", "7 None", "8 Some(8)"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_stream<W: Data<Plain: Clone>, R: Data>(
        &self,
        other: &Stream<'b, K, W>,
        windows: JoinWindows,
        join: impl Fn(&V::Plain, Option<&W::Plain>) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        self.left_join_stream_with_key(other, windows, move |_, left, right| join(left, right))
    }

    /// As [`left_join_stream`](Self::left_join_stream), with the key to look at.
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
    ///     .left_join_stream_with_key(&payments, soon, |who, order, payment| format!("{who}: {order} {payment:?}"))
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&ORDERS).at(100).send("ann", 7);
    /// driver.input(&PAYMENTS).at(151).send("bob", 5);
    /// assert_eq!(driver.output(&OUT).values(), ["ann: 7 None"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_stream_with_key<W: Data<Plain: Clone>, R: Data>(
        &self,
        other: &Stream<'b, K, W>,
        windows: JoinWindows,
        join: impl Fn(&K, &V::Plain, Option<&W::Plain>) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let join =
            move |key: &K, left: &V::Plain, right: Option<&W::Plain>| Ok::<_, ProcessError>(join(key, left, right));
        self.try_left_join_stream_with(other, windows, StreamJoined::default(), join)
    }

    /// As [`left_join_stream`](Self::left_join_stream), with names for the stores, and how these are kept.
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
    /// orders.left_join_stream_with(&payments, soon, kept, |order, payment| format!("{order} {payment:?}")).to(&OUT);
    /// # let topology = builder.build()?;
    /// assert!(topology.describe().contains("paid-left-shared-join-store"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_stream_with<W: Data<Plain: Clone>, R: Data>(
        &self,
        other: &Stream<'b, K, W>,
        windows: JoinWindows,
        joined: StreamJoined<K::Plain, V::Plain, W::Plain>,
        join: impl Fn(&V::Plain, Option<&W::Plain>) -> R + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let join = move |_: &K, left: &V::Plain, right: Option<&W::Plain>| Ok::<_, ProcessError>(join(left, right));
        self.try_left_join_stream_with(other, windows, joined, join)
    }

    /// As [`left_join_stream_with`](Self::left_join_stream_with), with the key to look at and a function that can fail; an error fails the task,
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
    ///     .try_left_join_stream_with(&payments, soon, kept, |who, _order, payment| match payment {
    ///         Some(payment) => Ok(format!("{who} has paid {payment}")),
    ///         None => Err("not paid"),
    ///     })
    ///     .to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&ORDERS).at(100).send("ann", 7);
    /// assert!(driver.input(&PAYMENTS).at(151).try_send("bob", 5).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_left_join_stream_with<W: Data<Plain: Clone>, R: Data, E: Into<ProcessError>>(
        &self,
        other: &Stream<'b, K, W>,
        windows: JoinWindows,
        joined: StreamJoined<K::Plain, V::Plain, W::Plain>,
        join: impl Fn(&K, &V::Plain, Option<&W::Plain>) -> Result<R, E> + Send + Sync + 'static,
    ) -> Stream<'b, K, R> {
        let join = move |key: &K, left: Option<&V::Plain>, right: Option<&W::Plain>| match left {
            Some(left) => join(key, left, right).map_err(Into::into),
            None => Err("a left join has a value of this stream".into()),
        };
        self.plan_join_streams(other, windows, Pads { left: true, right: false }, joined, join)
    }
}
