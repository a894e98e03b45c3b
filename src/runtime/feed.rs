//! A named outside input: its position is stored together with the records sent from it.

use std::sync::Arc;

use tidemill_dsl::Topic;
use tidemill_dsl::record::{Headers, Timestamp};
use tidemill_dsl::serde::Data;

use super::Position;
use super::app::Handle;
use super::posted::Posted;
use crate::error::Error;

/// A named outside input, such as a file: records are sent from it together with how far it was read, in one atomic step,
/// so a crash neither repeats nor leaves out any.
///
/// The position is any bytes that the owner understands. One feed of a name should be in use at a time.
///
/// ```
/// # use tidemill::{App, Topic, stream::StreamsBuilder};
/// # const IN: Topic<String, i64> = Topic::of("in");
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder = StreamsBuilder::new();
/// # builder.stream(&IN).for_each(|_, _| {});
/// # let app = App::builder("app", builder.build()?).memory().start().await?;
/// let numbers = [10, 20, 30];
/// let feed = app.feed("numbers");
/// let done = feed.position()?.map_or(0, |bytes| bytes[0]);
/// for (place, number) in numbers.iter().enumerate().skip(done.into()) {
///     let mut batch = feed.batch();
///     batch.add(&IN, "key", *number)?;
///     batch.send(vec![place as u8 + 1]).await?;
/// }
/// assert_eq!(feed.position()?, Some(vec![3]));
/// # app.close().await?;
/// # Ok(())
/// # }
/// ```
pub struct Feed {
    handle: Arc<Handle>,
    name: String,
}

/// Where the positions of an application's feeds are stored.
pub(crate) fn feed_scope(application: &str) -> String {
    format!("feed/{application}")
}

impl Feed {
    pub(super) fn new(handle: Arc<Handle>, name: &str) -> Self {
        Feed { handle, name: name.into() }
    }

    /// The position that was stored last; `None` for a feed that nothing was sent from yet.
    pub fn position(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.handle.shared.log.notes(&self.handle.scope())?.remove(&self.name))
    }

    /// An empty batch.
    pub fn batch(&self) -> FeedBatch<'_> {
        FeedBatch { feed: self, parcel: Vec::new() }
    }
}

/// Records that are sent together with a position.
pub struct FeedBatch<'f> {
    feed: &'f Feed,
    parcel: Vec<(tidemill_dsl::record::TopicPartition, tidemill_dsl::record::Batch)>,
}

impl FeedBatch<'_> {
    /// Adds a record with the clock's time.
    pub fn add<K: Data, V: Data>(
        &mut self,
        topic: &Topic<K, V>,
        key: impl Into<K>,
        value: impl Into<V>,
    ) -> Result<(), Error> {
        let now = self.feed.handle.shared.clock.now();
        self.add_with(topic, key, value, now, &Headers::NONE)
    }

    /// Adds a record with a time and headers of its own.
    pub fn add_with<K: Data, V: Data>(
        &mut self,
        topic: &Topic<K, V>,
        key: impl Into<K>,
        value: impl Into<V>,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<(), Error> {
        self.parcel.push(self.feed.handle.encode(topic, (&key.into(), &value.into()), timestamp, headers)?);
        Ok(())
    }

    /// Sends the records and stores the position, all or nothing; returns when the log's durability policy is met, with
    /// the place behind them in each partition.
    pub async fn send(self, position: Vec<u8>) -> Result<Position, Error> {
        self.post(position).await?.await
    }

    /// As [`send`](Self::send), but without waiting for the log: the batches of a feed are appended in the order of these
    /// calls, and what this returns can be awaited later. A few batches on their way at a time make one wait for the disk
    /// serve all. It waits only while more records are on their way than there is memory for.
    pub async fn post(self, position: Vec<u8>) -> Result<Posted, Error> {
        self.feed.handle.post(self.parcel, Some((self.feed.name.clone(), position))).await
    }
}
