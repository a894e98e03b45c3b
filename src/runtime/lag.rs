//! How far the tasks are behind the ends of their inputs.

use tidemill_dsl::record::{Offset, TopicPartition};

use super::App;
use super::app::Handle;
use crate::task::TaskId;

/// How far a task is in one of its inputs: see [`App::lag`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionLag {
    /// The partition.
    pub partition: TopicPartition,
    /// The task that reads it.
    pub task: TaskId,
    /// The offset that was committed: what a restart begins with. `None` before the first commit of it.
    pub committed: Option<Offset>,
    /// The offset of the record that is processed next.
    pub processed: Offset,
    /// Where the partition ended when it was last looked at.
    pub end: Offset,
}

impl PartitionLag {
    /// How many offsets are left to process: the records, and some more where the log has removed some.
    pub fn records(&self) -> u64 {
        self.end.get().saturating_sub(self.processed.get())
    }

    /// How many offsets were processed and not committed: a crash now would have them processed again.
    pub fn uncommitted(&self) -> u64 {
        self.committed.map_or(0, |committed| self.processed.get().saturating_sub(committed.get()))
    }
}

impl App {
    /// How far each input partition is that this process reads, by partition. A tenth of a second old at most, and without a question
    /// to the log; [`backlog`](App::backlog) asks it.
    ///
    /// ```
    /// # use tidemill::{App, Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&IN).group_by_key().count();
    /// # let app = App::builder("counts", builder.build()?).memory().start().await?;
    /// for lag in app.lag() {
    ///     println!("{}: {} records left", lag.partition, lag.records());
    /// }
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn lag(&self) -> Vec<PartitionLag> {
        self.handle.lag()
    }
}

impl Handle {
    pub(super) fn lag(&self) -> Vec<PartitionLag> {
        let position = self.shared.committed.position();
        let mut all = Vec::new();
        for (task, now) in self.shared.numbers.now() {
            all.extend(now.inputs.into_iter().map(|input| PartitionLag {
                committed: position.next(&input.partition),
                partition: input.partition,
                task: task.clone(),
                processed: input.processed,
                end: input.end,
            }));
        }
        all.sort_by(|a, b| (&a.partition, &a.task).cmp(&(&b.partition, &b.task)));
        all
    }
}
