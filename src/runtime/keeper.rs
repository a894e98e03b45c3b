//! Keeps this process's membership: gives tasks to workers as their partitions are assigned, takes them back when they are
//! revoked, and joins again when the share is lost.
//!
//! Rule: the thread never waits for user code, so that a slow record cannot make the group take the process for dead. What a
//! term has not committed is void when it ends; the next one begins with what the log says.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::AppState;
use super::on_error::Failures;
use super::shape::Shape;
use super::shared::Shared;
use super::task_maker::TaskMaker;
use super::term::{Staffed, Staffing, Term};
use super::topic_watch::TopicWatch;
use super::worker::caught;
use crate::error::{Error, ErrorKind};
use crate::exec::{self, ReadyTask, Restorer};
use crate::log::Member;
use crate::task::TaskId;

/// How long the first pause before joining again is; each next one is twice as long, until the application runs again.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What the keeper hears of.
pub(super) enum Event {
    /// What became of a task that was to be made ready.
    Made(TaskId, Result<Box<ReadyTask>, Error>),
    /// A worker runs a task.
    Adopted(TaskId),
    /// A task stays with its worker for the moment, because its calls are open.
    NotYet(TaskId),
    /// There are to be more workers, or fewer.
    Staff(Staffing, Staffed),
    /// A worker has given up what was revoked.
    Released(usize),
    /// A worker has ended.
    Ended(usize, Result<(), Error>),
    /// The application pauses or goes on, and somebody waits for its state to say so.
    Paced(oneshot::Sender<()>),
    /// The application is to be closed.
    Close,
}

/// What follows on a term that has failed.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// The process joins again, as often as it takes.
    Join,
    /// New workers begin after this pause.
    Replace(Duration),
    /// The application has failed, or its end is lost.
    End,
}

/// What a keeper works with.
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) maker: Arc<TaskMaker>,
    pub(super) member: Member,
    pub(super) settings: exec::Settings,
    /// How long a worker may be at one record.
    pub(super) stuck_after: Duration,
    failures: Failures,
    /// What was decided about the term that has failed.
    decided: Option<Next>,
    /// Looks for topics that sources by pattern do not read yet.
    topics: Option<TopicWatch>,
    /// What the next term reads, if that is something else.
    pub(super) next_shape: Option<Arc<Shape>>,
    events: Receiver<Event>,
    /// For those who tell the keeper.
    pub(super) tell: Sender<Event>,
    /// Who waits for the first share to be ready, with the number of records that it took.
    first: Option<Sender<Result<u64, Error>>>,
}

impl Keeper {
    /// Starts the thread, and waits until its first share runs. Gives the number of records that were restored for that.
    pub(super) fn start(
        shared: Arc<Shared>,
        maker: TaskMaker,
        member: Member,
        (settings, failures): (exec::Settings, Failures),
        (stuck_after, topics): (Duration, Option<TopicWatch>),
    ) -> Result<(JoinHandle<()>, Sender<Event>, u64), Error> {
        let ((tell, events), (first, started)) = (channel(), channel());
        let keeper = Keeper {
            shared,
            maker: Arc::new(maker),
            member,
            settings,
            stuck_after,
            failures,
            decided: None,
            topics,
            next_shape: None,
            events,
            tell: tell.clone(),
            first: Some(first),
        };
        let thread = std::thread::Builder::new().name("tidemill-member".into()).spawn(move || keeper.run());
        let thread =
            thread.map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))?;
        match started.recv() {
            Ok(Ok(restored)) => Ok((thread, tell, restored)),
            Ok(Err(error)) => {
                // The next start must not find anything still held here.
                let _ = thread.join();
                Err(error)
            }
            Err(_) => Err(Error::new(ErrorKind::Invalid, "the start panicked; see the message above")),
        }
    }

    fn run(mut self) {
        let mut pause = PAUSE;
        loop {
            let error = match caught(|| Term::serve(&mut self)) {
                Ok(()) if self.takes_next_shape() => continue,
                Ok(()) => return,
                Err(error) => error,
            };
            // A term that has not decided has panicked, and its threads may still run.
            let is_over = match self.decided.take().unwrap_or(Next::End) {
                Next::Join => {
                    self.note(&error);
                    tracing::warn!(application = self.shared.application, %error, "joining again");
                    if matches!(*self.shared.state.borrow(), AppState::Running | AppState::Paused) {
                        pause = PAUSE;
                    }
                    self.shared.enter(AppState::Rebalancing);
                    let is_over = self.pause(pause);
                    pause = (pause * 2).min(PAUSE_MAX);
                    is_over
                }
                Next::Replace(pause) => {
                    self.note(&error);
                    tracing::warn!(application = self.shared.application, %error, ?pause, "new workers begin after a pause");
                    self.shared.enter(AppState::Rebalancing);
                    self.pause(pause)
                }
                Next::End => {
                    self.end(&error);
                    true
                }
            };
            if is_over {
                return;
            }
            // Another process may have stopped all of them meanwhile.
            if let Some(error) = self.shared.failure() {
                self.tell_first(Err(error));
                return;
            }
        }
    }

    /// The application is over because of `error`.
    fn end(&mut self, error: &Error) {
        if error.kind() == ErrorKind::Lost && matches!(*self.shared.state.borrow(), AppState::Closing) {
            // Whoever has the share now does again what was not committed.
            tracing::warn!(application = self.shared.application, %error, "the share was lost before the last commit");
            return;
        }
        // Users see at once that it is over, however long the others' brokers take.
        self.shared.fail(error);
        if self.failures.stops_application() && self.first.is_none() {
            self.shared.stop_others(error);
        }
        self.tell_first(Err(error.clone()));
    }

    /// Decides whether another term follows on one that has failed. It is called once for each: the program may be asked.
    pub(super) fn goes_on_after(&mut self, error: &Error) -> bool {
        let next = self.decide(error);
        !matches!(self.decided.insert(next), Next::End)
    }

    fn decide(&mut self, error: &Error) -> Next {
        if self.is_closing() {
            return Next::End;
        }
        // Another term can do what this one could not: its share is elsewhere, or brokers are away for a while.
        let is_starting = self.first.is_some();
        let is_away = error.is_of_an_unavailable_log() && self.shared.log.is_shared();
        let is_lost = error.kind() == ErrorKind::Lost;
        let had_run = matches!(*self.shared.state.borrow(), AppState::Running | AppState::Paused);
        let waits = (is_lost || is_away) && self.failures.waits_for_log(had_run, self.shared.clock.now());
        if is_lost || (is_away && !is_starting && waits) {
            return Next::Join;
        }
        // What cannot be reached at the start is an error there.
        if is_starting && error.kind() == ErrorKind::Unavailable {
            return Next::End;
        }
        self.failures.pause_after(error, self.shared.clock.now()).map_or(Next::End, Next::Replace)
    }

    /// Remembers an error that the application gets over.
    fn note(&self, error: &Error) {
        self.shared.numbers.failed(error, self.shared.clock.now());
    }

    /// How soon it is to be looked for topics.
    pub(super) fn topics_due(&self) -> Option<Duration> {
        let looks = self.next_shape.is_none() && self.first.is_none();
        self.topics.as_ref().filter(|_| looks).map(|topics| topics.due(self.shared.clock.now()))
    }

    /// Whether sources by pattern find other topics than they read, which the next term will read then.
    pub(super) fn finds_topics(&mut self) -> bool {
        if self.next_shape.is_some() || self.first.is_some() || self.is_closing() {
            return false;
        }
        if let Some(topics) = &mut self.topics {
            self.next_shape = topics.look(&self.shared, &self.maker);
        }
        self.next_shape.is_some()
    }

    /// Goes on with another shape, if a term has ended for that.
    fn takes_next_shape(&mut self) -> bool {
        let Some(shape) = self.next_shape.take().filter(|_| !self.is_closing()) else { return false };
        tracing::info!(application = self.shared.application, topics = ?shape.reads.shared_topics(), "reading other topics");
        self.member.topics = shape.reads.shared_topics().into_iter().collect();
        self.maker.set_names(&shape.names);
        self.shared.set_shape(shape);
        true
    }

    /// Whether the application is over, or about to be.
    pub(super) fn is_closing(&self) -> bool {
        let state = self.shared.state.borrow();
        state.is_over() || matches!(&*state, AppState::Closing)
    }

    /// Waits before joining again; `true` when the application is closed meanwhile.
    fn pause(&self, pause: Duration) -> bool {
        match self.events.recv_timeout(pause) {
            // Whoever asked for workers is told to ask again, as nobody answers; the next term sees by itself whether it is to pause.
            Ok(Event::Staff(..) | Event::Paced(_)) => self.is_closing(),
            // Of the last term nothing is left that could tell anything else.
            Ok(_) | Err(RecvTimeoutError::Disconnected) => true,
            Err(RecvTimeoutError::Timeout) => self.is_closing(),
        }
    }

    /// Tasks are on their way, but for those of the start.
    pub(super) fn rebalancing(&self) {
        if self.first.is_none() {
            self.shared.enter(AppState::Rebalancing);
        }
    }

    pub(super) fn restorer(&self) -> Restorer {
        let Shared { log, clock, application, .. } = &*self.shared;
        Restorer::new(log.clone(), clock.clone(), application, self.settings)
    }

    /// The next event, waited for at most `limit`.
    pub(super) fn event(&self, limit: Option<Duration>) -> Option<Event> {
        match limit {
            Some(limit) => self.events.recv_timeout(limit).ok(),
            None => self.events.recv().ok(),
        }
    }

    /// Forgets what a term that has ended still told.
    pub(super) fn forget_events(&self) {
        while self.events.try_recv().is_ok() {}
    }

    /// Answers whoever waits for the start.
    pub(super) fn tell_first(&mut self, restored: Result<u64, Error>) {
        if let Some(first) = self.first.take() {
            // Whoever waited may have gone.
            let _ = first.send(restored);
        }
    }
}
