//! The repository, and the one task that has it: what is asked while a commit is under way is decided and saved together.
//!
//! Rule: a client hears of a success when the events are stored, and of a refusal when it is one of the state as it is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidemill::event_sourcing::{EventTopics, Repository, SaveError, TopicEvents};
use tidemill::{App, Clock, Error, SystemClock};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::model::{Command, Reason, User};

/// How many events are read at a time when the repository is filled.
const BATCH: usize = 1_000;
/// How long a save may take.
const SAVE_LIMIT: Duration = Duration::from_secs(5);
/// How many requests may wait, and how many are carried out together.
const TOGETHER: usize = 1_000;
/// How often a command is decided anew because another process has changed the user meanwhile.
const ATTEMPTS: usize = 3;

/// Why a command did not succeed.
pub(crate) enum Unwritten {
    /// The rule is against it.
    Refused(Reason),
    /// Others keep changing the same user.
    Contended,
    /// It may have been stored: it is safe to ask for the same thing again.
    Unknown(Error),
    /// It was not stored.
    Failed(Error),
}

/// What a client gets.
type Written = Result<u64, Unwritten>;

enum Asked {
    Write(Request),
    Get(String, oneshot::Sender<Option<User>>),
}

struct Request {
    id: String,
    command: Command,
    /// How often it may be decided.
    attempts: usize,
    written: oneshot::Sender<Written>,
}

impl Request {
    fn reply(self, written: Written) {
        // A client that has gone does not hear of it.
        let _ = self.written.send(written);
    }
}

/// Hands requests to the task that has the repository.
pub(crate) struct Writer(mpsc::Sender<Asked>);

impl Writer {
    /// A writer of the users of this application, all of which it reads first; it says how far it is. The task ends when the writer is
    /// dropped.
    pub(crate) fn load(app: Arc<App>, topics: &EventTopics<User>) -> Result<(Self, JoinHandle<()>), Error> {
        let mut users = Repository::new(TopicEvents::new(app, topics).timeout(SAVE_LIMIT));
        let loaded = users.load(BATCH, |loaded| {
            eprintln!("{} of {} events read", loaded.read, loaded.total);
        })?;
        eprintln!("{} users of {} events", users.keys().count(), loaded.read);
        let (asked, asks) = mpsc::channel(TOGETHER);
        Ok((Writer(asked), tokio::spawn(Users(users).serve(asks))))
    }

    /// Carries a command out and gives the user's version after it.
    pub(crate) async fn write(&self, id: String, command: Command) -> Written {
        let (written, reply) = oneshot::channel();
        self.ask(Asked::Write(Request { id, command, attempts: ATTEMPTS, written }), reply).await
    }

    /// A user, with a change that nobody knows yet to be stored, if there is one.
    pub(crate) async fn get(&self, id: String) -> Option<User> {
        let (found, reply) = oneshot::channel();
        self.ask(Asked::Get(id, found), reply).await
    }

    async fn ask<T>(&self, asked: Asked, reply: oneshot::Receiver<T>) -> T {
        let sent = self.0.send(asked).await.is_ok();
        let reply = reply.await;
        // The task ends after the writer, so that it is gone only if it panicked; the panic has said why.
        reply.ok().filter(|_| sent).expect("the task that has the users is there")
    }
}

struct Users(Repository<User, TopicEvents<User>>);

impl Users {
    /// Carries out what is asked until nobody asks any more.
    async fn serve(mut self, mut asks: mpsc::Receiver<Asked>) {
        let mut asked = Vec::new();
        while asks.recv_many(&mut asked, TOGETHER).await > 0 {
            let mut requests = Vec::new();
            for asked in asked.drain(..) {
                match asked {
                    Asked::Write(request) => requests.push(request),
                    Asked::Get(id, found) => drop(found.send(self.0.get(&id).cloned())),
                }
            }
            while !requests.is_empty() {
                requests = self.write(requests).await;
            }
        }
    }

    /// Carries out one command of each user; gives what is left.
    async fn write(&mut self, requests: Vec<Request>) -> Vec<Request> {
        let (mut decided, mut left) = (BTreeMap::new(), Vec::new());
        for request in self.without_doubt(requests).await {
            if decided.contains_key(&request.id) {
                left.push(request);
                continue;
            }
            match self.0.decide(&request.id, &request.command, SystemClock.now()) {
                Ok(_) => drop(decided.insert(request.id.clone(), request)),
                Err(reason) => request.reply(Err(Unwritten::Refused(reason))),
            }
        }
        let saved = self.0.save_all(decided.keys().cloned()).await;
        let mut conflicts = Vec::new();
        for (request, saved) in decided.into_values().zip(saved.into_values()) {
            match saved {
                Err(SaveError::Conflict { .. }) => conflicts.push(request),
                Err(error) => {
                    // Only what may be stored already is kept: what was not sent is the client's to send again.
                    if matches!(error, SaveError::NotSent(_)) {
                        self.0.discard(&request.id);
                    }
                    request.reply(Err(error.into()));
                }
                Ok(version) => request.reply(Ok(version)),
            }
        }
        left.extend(self.again(conflicts));
        left
    }

    /// Stores what a save before left in doubt: the next decision must not miss it. Gives the requests that can be decided now.
    async fn without_doubt(&mut self, requests: Vec<Request>) -> Vec<Request> {
        let doubtful = requests.iter().map(|request| &request.id).filter(|id| !self.0.uncommitted(id).is_empty());
        let doubtful: Vec<String> = doubtful.cloned().collect();
        let mut failed = self.0.save_all(doubtful).await;
        failed.retain(|_, saved| saved.is_err());
        let (mut clear, mut conflicts) = (Vec::new(), Vec::new());
        for request in requests {
            match failed.get(&request.id) {
                None => clear.push(request),
                Some(Err(SaveError::Conflict { .. })) => conflicts.push(request),
                Some(saved) => request.reply(saved.clone().map_err(Unwritten::from)),
            }
        }
        clear.extend(self.again(conflicts));
        clear
    }

    /// Another process has written: everything is read again, and what was added here is decided anew, if it may be.
    fn again(&mut self, conflicts: Vec<Request>) -> Vec<Request> {
        if conflicts.is_empty() {
            return conflicts;
        }
        let loaded = self.0.load(BATCH, |_| ()).map(drop);
        let (mut left, mut over) = (Vec::new(), Vec::new());
        for mut request in conflicts {
            request.attempts -= 1;
            if request.attempts > 0 && loaded.is_ok() { left.push(request) } else { over.push(request) }
        }
        for request in over {
            request.reply(Err(loaded.clone().map_or_else(Unwritten::Failed, |()| Unwritten::Contended)));
        }
        left
    }
}

impl From<SaveError> for Unwritten {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::NotSent(cause) => Unwritten::Failed(cause),
            SaveError::Unknown { cause, .. } => Unwritten::Unknown(cause),
            _ => Unwritten::Contended,
        }
    }
}
