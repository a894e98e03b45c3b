//! What an unfinished graduation has made on the new log, noted on the old one.
//!
//! Rule: a topic is noted before its first record is written, by the id that no other topic ever has; so only those are begun again
//! that a graduation of this very folder has made.

use tidemill_dsl::record::TopicName;

use crate::error::{Error, ErrorKind};
use crate::log::{Log, Notes, TopicId};

const SCOPE: &str = "graduation";
const DONE: &str = "done";

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims(Notes);

impl Claims {
    pub(super) fn read(from: &dyn Log) -> Result<Claims, Error> {
        Ok(Claims(from.notes(SCOPE)?))
    }

    /// An error when everything was moved already.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.0.get(DONE).is_none_or(|done| done.is_empty()) {
            return Ok(());
        }
        let message = "what lies here has graduated already, and what applications have done since then is on the new log: start \
                       them there; to move it once more, restore a backup that was made before and move that";
        Err(Error::new(ErrorKind::Invalid, message.to_owned()))
    }

    /// Whether a topic on the new log was made by a graduation of this folder.
    pub(super) fn has(&self, topic: &TopicName, id: Option<TopicId>) -> bool {
        id.is_some_and(|id| self.0.get(&key(topic)).is_some_and(|noted| *noted == bytes(id)))
    }

    /// Whether anything was begun.
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn note(&mut self, from: &dyn Log, topic: &TopicName, id: TopicId) -> Result<(), Error> {
        self.store(from, key(topic), bytes(id))
    }

    pub(super) fn finish(&mut self, from: &dyn Log) -> Result<(), Error> {
        self.store(from, DONE.to_owned(), vec![1])
    }

    fn store(&mut self, from: &dyn Log, name: String, value: Vec<u8>) -> Result<(), Error> {
        from.append(Vec::new(), SCOPE, Notes::from([(name.clone(), value.clone())]))?;
        self.0.insert(name, value);
        Ok(())
    }
}

fn key(topic: &TopicName) -> String {
    format!("topic/{topic}")
}

fn bytes(id: TopicId) -> Vec<u8> {
    id.as_u128().to_be_bytes().to_vec()
}
