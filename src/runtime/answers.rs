//! Hands answers to those who asked: one thread reads the partitions of answers that this process was promised its own in.
//!
//! Rule: an answer is handed to the one ask that it is called after; nobody else's is looked at. The thread rests while nobody
//! waits, and ends before the log is closed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use tidemill_dsl::record::{Batch, Offset, TopicPartition};
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind};
use crate::log::{Log, LogError, LogErrorKind};

/// How many bytes are read at once: a batch, since more than one may have to be waited for.
const READ_BYTES: usize = 1;
/// How long after a log that cannot be reached it is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// A reply as bytes.
pub(super) type AnswerBytes = Vec<u8>;

/// The answers that this process waits for.
#[derive(Default)]
pub(super) struct Answers {
    desk: Arc<Desk>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Desk {
    waiting: Mutex<Waiting>,
    asked: Condvar,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct Waiting {
    /// Who waits, by what the answer is called. Names are looked up only, so their order shows nowhere.
    asks: HashMap<Box<[u8]>, oneshot::Sender<AnswerBytes>, foldhash::fast::FixedState>,
    /// How far each partition of answers is read.
    places: BTreeMap<TopicPartition, Offset>,
    ended: bool,
}

impl Waiting {
    /// Hands out the replies of a batch from an offset on.
    fn take(&mut self, batch: &Arc<Batch>, from: Offset) {
        let mut records = batch.records();
        records.skip_to(from);
        while let Some(record) = records.peek() {
            let ask = record.key.and_then(|name| self.asks.remove(name));
            if let (Some(ask), Some(reply)) = (ask, record.value) {
                // Whoever asked may have given up this very moment.
                let _ = ask.send(reply.to_vec());
            }
            records.advance();
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits; dropped, nobody does.
pub(super) struct Expected {
    name: Box<[u8]>,
    desk: Arc<Desk>,
    pub(super) answer: oneshot::Receiver<AnswerBytes>,
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.desk.lock().asks.remove(&self.name);
    }
}

impl Answers {
    /// Waits for the answer of this name in a partition, from now on: call it before the command is sent.
    pub(super) fn expect(
        &self,
        log: &Arc<dyn Log>,
        partition: &TopicPartition,
        name: &[u8],
    ) -> Result<Expected, Error> {
        self.start(log)?;
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.desk.lock();
        if !waiting.places.contains_key(partition) {
            let end = log.bounds(partition)?.end;
            waiting.places.insert(partition.clone(), end);
            // Only what was read wakes the thread.
            self.desk.bell.ring();
        }
        // Without this entry the thread would wait for ever; once it has ended, whoever waits hears so at once.
        if !waiting.ended {
            waiting.asks.insert(name.into(), sender);
        }
        self.desk.asked.notify_all();
        Ok(Expected { name: name.into(), desk: self.desk.clone(), answer })
    }

    fn start(&self, log: &Arc<dyn Log>) -> Result<(), Error> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if reader.is_some() || self.desk.lock().ended {
            return Ok(());
        }
        let (desk, log) = (self.desk.clone(), log.clone());
        let thread = std::thread::Builder::new().name("tidemill-answers".into()).spawn(move || read(&desk, &*log));
        let thread =
            thread.map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))?;
        *reader = Some(thread);
        Ok(())
    }

    /// Ends the thread, after it has handed out what is there.
    fn end(&self) -> Option<JoinHandle<()>> {
        let mut waiting = self.desk.lock();
        waiting.ended = true;
        self.desk.asked.notify_all();
        drop(waiting);
        self.desk.bell.ring();
        self.reader.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// As `end`, and returns when the thread has let go of the log.
    pub(super) fn close(&self) {
        if let Some(reader) = self.end() {
            // A panic there was printed, and whoever waited hears that nobody answers.
            let _ = reader.join();
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.end();
    }
}

/// Wakes the reader. Once rung it is heard, whenever the reader comes to listen; an unparked thread would not be, if the log
/// parks it meanwhile for a reason of its own.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_all();
    }

    /// Waits until it is rung, or for so long.
    fn listen(&self, limit: Option<Duration>) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let is_silent = |rung: &mut bool| !*rung;
        let mut rung = match limit {
            None => self.heard.wait_while(rung, is_silent).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                self.heard.wait_timeout_while(rung, limit, is_silent).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        *rung = false;
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

fn read(desk: &Desk, log: &dyn Log) {
    let (waker, mut complained) = (Waker::from(desk.bell.clone()), false);
    loop {
        let mut waiting = desk.lock();
        while waiting.asks.is_empty() && !waiting.ended {
            waiting = desk.asked.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let mut ends = waiting.ended;
        drop(waiting);
        // Before the look: what comes after it wakes.
        log.wake_at_change(&waker);
        let limit = match hand_out(desk, log) {
            Ok(()) => {
                complained = false;
                None
            }
            // Those who wait know how long; brokers that are away may be back by then.
            Err(away) if away.kind() == LogErrorKind::Unavailable => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(error = %away, "replies cannot be read; it is tried again");
                }
                Some(PAUSE)
            }
            Err(error) => {
                tracing::error!(%error, "replies cannot be read any more");
                ends = true;
                None
            }
        };
        if ends {
            // Those who still wait hear that nobody answers.
            let mut waiting = desk.lock();
            waiting.ended = true;
            waiting.asks.clear();
            return;
        }
        desk.bell.listen(limit);
    }
}

/// Reads what is new, and hands it to those who wait for it. Nobody who begins to wait meanwhile is kept waiting by the log.
fn hand_out(desk: &Desk, log: &dyn Log) -> Result<(), LogError> {
    let places = desk.lock().places.clone();
    for (partition, mut next) in places {
        loop {
            let batches = match log.read(&partition, next, READ_BYTES) {
                // What lay there was removed by its retention: whoever asked has given up long ago.
                Err(gone) if gone.kind() == LogErrorKind::OutOfRange => {
                    next = log.bounds(&partition)?.start;
                    continue;
                }
                batches => batches?,
            };
            let Some(last) = batches.last() else { break };
            let mut waiting = desk.lock();
            batches.iter().for_each(|batch| waiting.take(batch, next));
            next = last.end();
            waiting.places.insert(partition.clone(), next);
        }
    }
    Ok(())
}
