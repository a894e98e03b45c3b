//! The repository behind a lock: one command at a time is decided and saved.
//!
//! Rule: a client hears of a success when the events are stored, and of a refusal when it is one of the state as it is stored.

use std::sync::Arc;
use std::time::Duration;

use tidemill::event_sourcing::{EventTopics, Repository, SaveError, TopicEvents};
use tidemill::{App, Clock, Error, SystemClock};
use tokio::sync::Mutex;

use crate::model::{Command, Reason, User};

/// How many events are read at a time when the repository is filled.
const BATCH: usize = 1_000;
/// How long a save may take.
const SAVE_LIMIT: Duration = Duration::from_secs(5);
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

/// Decides and saves.
pub(crate) struct Writer {
    users: Mutex<Repository<User, TopicEvents<User>>>,
}

impl Writer {
    /// A writer of the users of this application, all of which it reads first; it says how far it is.
    pub(crate) fn load(app: Arc<App>, topics: &EventTopics<User>) -> Result<Self, Error> {
        let mut users = Repository::new(TopicEvents::new(app, topics).timeout(SAVE_LIMIT));
        let loaded = users.load(BATCH, |loaded| {
            eprintln!("{} of {} events read", loaded.read, loaded.total);
        })?;
        eprintln!("{} users of {} events", users.keys().count(), loaded.read);
        Ok(Writer { users: Mutex::new(users) })
    }

    /// Carries a command out and gives the user's version after it.
    pub(crate) async fn write(&self, id: &String, command: &Command) -> Result<u64, Unwritten> {
        let mut users = self.users.lock().await;
        for _ in 0..ATTEMPTS {
            // What a save before left in doubt is stored first: the next decision must not miss it.
            match users.save(id).await {
                Ok(_) => {}
                Err(SaveError::Conflict { .. }) => reload(&mut users)?,
                Err(error) => return Err(error.into()),
            }
            users.decide(id, command, SystemClock.now()).map_err(Unwritten::Refused)?;
            match users.save(id).await {
                Ok(version) => return Ok(version),
                Err(SaveError::Conflict { .. }) => reload(&mut users)?,
                Err(error) => {
                    // Only what may be stored already is kept: what was not sent is the client's to send again.
                    if matches!(error, SaveError::NotSent(_)) {
                        users.discard(id);
                    }
                    return Err(error.into());
                }
            }
        }
        Err(Unwritten::Contended)
    }

    /// A user, with a change that nobody knows yet to be stored, if there is one.
    pub(crate) async fn get(&self, id: &String) -> Option<User> {
        self.users.lock().await.get(id).cloned()
    }
}

/// Another process has written: everything is read again, and what was added here is decided anew.
fn reload(users: &mut Repository<User, TopicEvents<User>>) -> Result<(), Unwritten> {
    users.load(BATCH, |_| ()).map(drop).map_err(Unwritten::Failed)
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
