//! Holds an application still for a while, and lets it go on.
//!
//! Rule: a pause is this process's alone, and not remembered. Whatever is no record or timer of a task goes on: the group, restores,
//! standbys, global stores, sends and queries.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;

use super::App;
use super::crew::Crew;
use super::keeper::Event;
use super::shared::Shared;
use crate::error::Error;
use crate::exec::Executor;

/// Whether workers take up records. They look at it before each step.
#[derive(Debug)]
pub(super) struct Pause(AtomicBool);

impl Pause {
    pub(super) fn new(is_on: bool) -> Self {
        Pause(AtomicBool::new(is_on))
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self, on: bool) {
        self.0.store(on, Ordering::Release);
    }
}

impl App {
    /// Stops processing in this process: each worker finishes the record that it is at, and what was done is committed; then it returns.
    /// After that no record is taken up and no timer of a task fires until [`resume`](App::resume), and the state is
    /// [`AppState::Paused`](crate::AppState::Paused).
    ///
    /// Everything else goes on. The process stays in its group, tasks come and go and are restored, standbys and global stores follow,
    /// records can be sent and rows asked for, as of the last commit. Answers to [calls](tidemill_dsl::stream::Stream::map_async) that
    /// were open are processed when they come. Waiting for work to be done, as in [`settled`](App::settled), takes until the pause ends.
    ///
    /// Other processes of the application are not paused, and a restart does not remember it: see
    /// [`Settings::start_paused`](crate::Settings::start_paused). A second pause changes nothing.
    ///
    /// ```
    /// # use tidemill::{App, AppState, Topic, state::Store, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const COUNTS: Store<String, i64> = Store::of("counts");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&IN).group_by_key().count_with(&COUNTS);
    /// # let app = App::builder("counts", builder.build()?).memory().start().await?;
    /// app.pause().await?;
    /// app.send(&IN, "a", 1).await?; // it waits in the topic
    /// assert_eq!(app.table(&COUNTS).get("a").await?, None);
    /// assert!(app.is_paused());
    ///
    /// app.resume().await?;
    /// app.settled().await?;
    /// assert_eq!(app.table(&COUNTS).get("a").await?, Some(1));
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Closed` or the application's own error when it has stopped.
    pub async fn pause(&self) -> Result<(), Error> {
        // On a log with one session for all, each worker commits when the last of them does.
        self.pace(true, Executor::commit).await
    }

    /// Goes on after a [`pause`](App::pause); returns when the workers do. Does nothing when there was none.
    ///
    /// # Errors
    ///
    /// `Closed` or the application's own error when it has stopped.
    pub async fn resume(&self) -> Result<(), Error> {
        self.pace(false, |_executor| Ok(())).await
    }

    /// Whether the application is to be [paused](App::pause). Right after the call of `pause` a worker may still be at its last record.
    pub fn is_paused(&self) -> bool {
        self.handle.shared.pause.is_on()
    }

    async fn pace(&self, on: bool, then: fn(&mut Executor) -> Result<(), Error>) -> Result<(), Error> {
        let shared = &self.handle.shared;
        if shared.state.borrow().is_over() {
            return Err(shared.gone());
        }
        shared.pause.set(on);
        let told = shared.crew().map(|crew| tell_all(shared, &crew, then)).unwrap_or_default();
        for done in told {
            // A worker that is gone has nothing in hand; why it is gone, shows below.
            let _ = done.await;
        }
        let (tell, seen) = oneshot::channel();
        self.handle.tell.send(Event::Paced(tell)).map_err(|_| shared.gone())?;
        // Between two terms nobody sees it, and the next one begins with it.
        let _ = seen.await;
        if shared.state.borrow().is_over() { Err(shared.gone()) } else { Ok(()) }
    }
}

/// Gives all workers something to do between two records, which then see whether they are to pause.
fn tell_all(shared: &Shared, crew: &Crew, then: fn(&mut Executor) -> Result<(), Error>) -> Vec<oneshot::Receiver<()>> {
    let tell = |worker: usize| {
        let (tell, done) = oneshot::channel();
        let query = move |executor: &mut Executor| {
            then(executor)?;
            // Whoever asked may have gone.
            let _ = tell.send(());
            Ok(())
        };
        crew.tell(worker, Box::new(query)).then_some(done)
    };
    crew.alive(shared.clock.now()).into_keys().filter_map(tell).collect()
}
