//! The workers that run the tasks of one membership, and which of them has which task.
//!
//! Rule: what a crew has not committed dies with it. It ends as a whole: with its last commit, or with the error that makes
//! everything since the last one void.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use tidemill_dsl::record::Timestamp;

use super::Position;
use super::gate::Gate;
use super::message::{Inbox, Query};
use crate::error::Error;
use crate::exec::Held;
use crate::log::{Membership, Session};
use crate::task::TaskId;

/// What a worker is reached by.
pub(super) struct Post {
    pub(super) inbox: Inbox,
    pub(super) session: Arc<dyn Session>,
    pub(super) gate: Arc<Gate>,
    /// What its tasks hold in memory.
    pub(super) held: HeldByWorker,
    /// When it last began something, in milliseconds.
    alive: AtomicI64,
    /// Whether it gets no more tasks, because its worker is to end.
    retired: AtomicBool,
}

impl Post {
    fn new(session: Arc<dyn Session>, gate: Arc<Gate>, now: Timestamp) -> Arc<Post> {
        let (inbox, held, alive) = (Inbox::default(), HeldByWorker::default(), AtomicI64::new(now.as_millis()));
        Arc::new(Post { inbox, session, gate, held, alive, retired: AtomicBool::new(false) })
    }

    fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// How long the worker has been at one thing.
    fn since(&self, now: Timestamp) -> Duration {
        let millis = now.as_millis().saturating_sub(self.alive.load(Ordering::Relaxed));
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// The worker begins something.
    pub(super) fn set_alive(&self, now: Timestamp) {
        self.alive.store(now.as_millis(), Ordering::Relaxed);
    }
}

/// The workers of one membership.
pub(super) struct Crew {
    /// By the worker's number. Those of workers that have ended stay.
    posts: RwLock<Vec<Arc<Post>>>,
    /// The worker of each task that runs.
    places: Mutex<BTreeMap<TaskId, usize>>,
    over: OnceLock<Error>,
}

impl Crew {
    /// Posts for so many workers. Those that have one session meet at one gate.
    pub(super) fn of(membership: &dyn Membership, workers: usize, now: Timestamp) -> Crew {
        let sessions: Vec<Arc<dyn Session>> = (0..workers).map(|worker| membership.session(worker)).collect();
        let first_of = |session: &Arc<dyn Session>| sessions.iter().position(|other| Arc::ptr_eq(session, other));
        let mut gates: BTreeMap<Option<usize>, Arc<Gate>> = BTreeMap::new();
        let mut posts = Vec::new();
        for session in &sessions {
            let number = first_of(session);
            let members = sessions.iter().filter(|other| Arc::ptr_eq(session, other)).count();
            let new = || Arc::new(Gate::new(number.unwrap_or_default(), session.clone(), members));
            let gate = gates.entry(number).or_insert_with(new).clone();
            posts.push(Post::new(session.clone(), gate, now));
        }
        Crew { posts: RwLock::new(posts), places: Mutex::default(), over: OnceLock::new() }
    }

    /// All posts, by number.
    fn posts(&self) -> Vec<Arc<Post>> {
        self.posts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The post of a worker.
    pub(super) fn post(&self, worker: usize) -> Arc<Post> {
        self.posts.read().unwrap_or_else(PoisonError::into_inner)[worker].clone()
    }

    /// A post for one more worker. Workers that have one session meet at one gate. Gives the worker's number.
    pub(super) fn add(&self, session: Arc<dyn Session>, now: Timestamp) -> usize {
        let mut posts = self.posts.write().unwrap_or_else(PoisonError::into_inner);
        let number = posts.len();
        let gate = match posts.iter().find(|post| Arc::ptr_eq(&post.session, &session)) {
            Some(post) => {
                post.gate.join();
                post.gate.clone()
            }
            None => Arc::new(Gate::new(number, session.clone(), 1)),
        };
        posts.push(Post::new(session, gate, now));
        number
    }

    /// Gives a worker no more tasks.
    pub(super) fn retire(&self, worker: usize) {
        self.post(worker).retired.store(true, Ordering::Release);
    }

    /// Whether a worker gets no more tasks.
    pub(super) fn is_retired(&self, worker: usize) -> bool {
        self.post(worker).is_retired()
    }

    /// The workers that get tasks.
    pub(super) fn working(&self) -> Vec<usize> {
        let posts = self.posts();
        (0..posts.len()).filter(|number| !posts[*number].is_retired()).collect()
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<TaskId, usize>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker of the task that runs a part of a topology for a partition, if it runs here.
    pub(super) fn worker_of(&self, subtopology: usize, partition: u32) -> Option<usize> {
        let places = self.places();
        let mut tasks = places.iter();
        let of = |task: &TaskId| task.partition == partition && task.subtopologies.contains(&subtopology);
        tasks.find(|(task, _)| of(task)).map(|(_, worker)| *worker)
    }

    /// The tasks that are with a worker.
    pub(super) fn tasks(&self) -> BTreeSet<TaskId> {
        self.places().keys().cloned().collect()
    }

    /// The tasks of one worker.
    pub(super) fn tasks_of(&self, worker: usize) -> Vec<TaskId> {
        self.places().iter().filter(|(_, of)| **of == worker).map(|(task, _)| task.clone()).collect()
    }

    /// The worker that has been at one thing for the longest, and for how long.
    pub(super) fn slowest(&self, now: Timestamp) -> Option<(usize, Duration)> {
        self.alive(now).into_iter().max_by_key(|(_, since)| *since)
    }

    /// The worker with the fewest tasks.
    pub(super) fn least_busy(&self) -> usize {
        let places = self.places();
        let tasks_of = |worker: &usize| places.values().filter(|other| *other == worker).count();
        self.working().into_iter().min_by_key(tasks_of).unwrap_or_default()
    }

    /// The worker of a task.
    pub(super) fn place_of(&self, task: &TaskId) -> Option<usize> {
        self.places().get(task).copied()
    }

    pub(super) fn place(&self, task: TaskId, worker: usize) {
        self.places().insert(task, worker);
    }

    /// Forgets where a task was, and says it.
    pub(super) fn displace(&self, task: &TaskId) -> Option<usize> {
        self.places().remove(task)
    }

    /// Gives a worker something to do between two records; `false` when it is gone.
    pub(super) fn tell(&self, worker: usize, query: Query) -> bool {
        let post = self.post(worker);
        let told = post.inbox.ask(query);
        post.session.wake();
        told
    }

    /// Lets workers commit as soon as they have processed everything before a position.
    pub(super) fn want(&self, position: &Position) {
        for post in self.posts() {
            post.inbox.want(position);
            post.session.wake();
        }
    }

    /// Lets the workers make their last commit and end.
    pub(super) fn close(&self) {
        for post in self.posts() {
            post.inbox.close();
            post.session.wake();
        }
    }

    /// Ends the crew without another commit; the first reason counts.
    pub(super) fn end(&self, error: &Error) {
        // Whoever comes later finds the first reason.
        let _ = self.over.set(error.clone());
        for post in self.posts() {
            post.gate.break_open(error);
            post.session.wake();
        }
    }

    /// Why the crew has to end at once.
    pub(super) fn over(&self) -> Option<&Error> {
        self.over.get()
    }

    /// Which workers run, and since when each has been at one thing.
    pub(super) fn alive(&self, now: Timestamp) -> BTreeMap<usize, Duration> {
        let posts = self.posts();
        let running = posts.iter().enumerate().filter(|(_, post)| !post.inbox.has_ended());
        running.map(|(number, post)| (number, post.since(now))).collect()
    }

    /// What the tasks of all workers hold.
    pub(super) fn held(&self) -> Vec<Held> {
        self.posts().iter().filter(|post| !post.inbox.has_ended()).map(|post| post.held.get()).collect()
    }
}

/// What a worker's tasks held in memory at its last step.
#[derive(Debug, Default)]
pub(super) struct HeldByWorker {
    rows: AtomicU64,
    rows_on_disk: AtomicU64,
}

impl HeldByWorker {
    pub(super) fn set(&self, held: Held) {
        self.rows.store(held.rows, Ordering::Relaxed);
        self.rows_on_disk.store(held.rows_on_disk, Ordering::Relaxed);
    }

    fn get(&self) -> Held {
        let load = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed);
        Held { rows: load(&self.rows), rows_on_disk: load(&self.rows_on_disk) }
    }
}
