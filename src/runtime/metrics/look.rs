//! Puts together what is known of an application now.

use std::sync::{Arc, PoisonError};

use super::{Metrics, Publisher};
use crate::App;
use crate::error::Error;
use crate::runtime::app::Handle;

impl App {
    /// What the application has done since it was started, and how it is: the numbers behind its metrics.
    ///
    /// ```
    /// # use tidemill::{App, Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&IN).group_by_key().count();
    /// # let app = App::builder("counts", builder.build()?).memory().start().await?;
    /// for (task, metrics) in &app.metrics().tasks {
    ///     println!("{task}: {} records, {} dropped", metrics.processed, metrics.dropped.total());
    /// }
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn metrics(&self) -> Metrics {
        self.handle.metrics()
    }
}

impl Handle {
    pub(crate) fn metrics(&self) -> Metrics {
        let shared = &*self.shared;
        let at = shared.clock.now();
        let (mut workers, tasks) = shared.numbers.told(at);
        for (number, since) in shared.crew().map(|crew| crew.alive(at)).unwrap_or_default() {
            let worker = workers.entry(number).or_default();
            (worker.alive, worker.since) = (true, since);
        }
        Metrics {
            application: shared.application.clone(),
            instance: shared.instance.clone(),
            at,
            state: shared.state.borrow().clone(),
            workers,
            tasks,
            restoring: shared.restores.now(),
            restored: shared.restores.restored(),
            standbys: shared.standbys().map(|standbys| standbys.now()).unwrap_or_default(),
            memory: self.memory(),
            rebalances: shared.numbers.rebalances(),
            errors: shared.numbers.errors(),
        }
    }

    /// Publishes the metrics from now on.
    pub(crate) fn start_publishing(self: &Arc<Self>) -> Result<(), Error> {
        let publisher = Publisher::start(Arc::downgrade(self))?;
        *self.publisher.lock().unwrap_or_else(PoisonError::into_inner) = Some(publisher);
        Ok(())
    }

    /// Hands the metrics to the recorder that the program has installed; without one it goes nowhere.
    pub(crate) fn publish(&self) {
        metrics::with_recorder(|recorder| self.metrics().publish(recorder));
    }
}
