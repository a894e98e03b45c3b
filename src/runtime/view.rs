//! A running application, to be looked at.
//!
//! Rule: it changes nothing, and keeps nothing alive: once the application is gone, it says so.

use std::sync::{Arc, Weak};

use tidemill_dsl::topology::Topology;

use super::app::Handle;
use super::{App, AppState, Metrics, PartitionLag, Status, StoreQuery};
use crate::error::{Error, ErrorKind};

/// An application to be looked at, from any thread and for as long as one likes: see [`App::view`]. What it is asked is answered with
/// `Closed` once the application is gone.
#[derive(Clone)]
pub struct AppView(Weak<Handle>);

impl App {
    /// The application to be looked at, for pages and monitors that may live longer than it does.
    ///
    /// ```
    /// # use tidemill::{App, AppState, ErrorKind, Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&IN).group_by_key().count();
    /// # let app = App::builder("counts", builder.build()?).memory().start().await?;
    /// let view = app.view();
    /// assert!(matches!(view.state()?, AppState::Running));
    /// app.close().await?;
    /// assert_eq!(view.state().unwrap_err().kind(), ErrorKind::Closed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn view(&self) -> AppView {
        AppView(Arc::downgrade(&self.handle))
    }
}

impl AppView {
    fn handle(&self) -> Result<Arc<Handle>, Error> {
        self.0.upgrade().ok_or_else(|| Error::new(ErrorKind::Closed, "the application is closed"))
    }

    /// As [`App::state`].
    pub fn state(&self) -> Result<AppState, Error> {
        Ok(self.handle()?.shared.state.borrow().clone())
    }

    /// As [`App::metrics`].
    pub fn metrics(&self) -> Result<Metrics, Error> {
        Ok(self.handle()?.metrics())
    }

    /// As [`App::status`].
    pub fn status(&self) -> Result<Status, Error> {
        Ok(self.handle()?.status())
    }

    /// As [`App::lag`].
    pub fn lag(&self) -> Result<Vec<PartitionLag>, Error> {
        Ok(self.handle()?.lag())
    }

    /// What the application computes.
    pub fn topology(&self) -> Result<Topology, Error> {
        Ok(self.handle()?.shared.topology.clone())
    }

    /// A store to be asked for rows as bytes. Ask it [dirty](StoreQuery::dirty) to have its rows without the cost of publishing them
    /// from then on.
    pub fn store(&self, name: &str) -> Result<StoreQuery, Error> {
        Ok(StoreQuery::of_bytes(self.handle()?, name))
    }
}
