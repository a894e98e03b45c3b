//! Time limits of those who wait, by the application's clock: one thread for all of them, started at the first.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidemill_dsl::record::Timestamp;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind};

struct Alarm {
    at: Timestamp,
    rings: oneshot::Sender<()>,
}

/// Rings when a time is over. Its thread ends with it.
#[derive(Default)]
pub(super) struct Timer(Mutex<Option<Sender<Alarm>>>);

impl Timer {
    /// Becomes ready when `limit` is over.
    pub(super) fn after(&self, limit: Duration, clock: &Arc<dyn Clock>) -> Result<oneshot::Receiver<()>, Error> {
        let (rings, rung) = oneshot::channel();
        let millis = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
        let at = Timestamp::from_millis(clock.now().as_millis().saturating_add(millis));
        let mut timer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alarm = match &*timer {
            Some(sender) => match sender.send(Alarm { at, rings }) {
                Ok(()) => return Ok(rung),
                Err(refused) => refused.0,
            },
            None => Alarm { at, rings },
        };
        let (sender, alarms) = channel();
        let clock = clock.clone();
        std::thread::Builder::new()
            .name("tidemill-timer".into())
            .spawn(move || run(&alarms, &*clock))
            .map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))?;
        // The thread lives as long as the sender does.
        let _ = sender.send(alarm);
        *timer = Some(sender);
        Ok(rung)
    }
}

fn run(alarms: &Receiver<Alarm>, clock: &dyn Clock) {
    let (mut waiting, mut number) = (BTreeMap::<(Timestamp, u64), oneshot::Sender<()>>::new(), 0_u64);
    loop {
        let now = clock.now();
        while let Some(first) = waiting.first_entry().filter(|first| first.key().0 <= now) {
            // Whoever waited may have its answer.
            let _ = first.remove().send(());
        }
        let next = waiting.first_key_value().map(|((at, _), _)| at.as_millis() - now.as_millis());
        let received = match next {
            Some(millis) => alarms.recv_timeout(Duration::from_millis(u64::try_from(millis).unwrap_or(0))),
            None => alarms.recv().map_err(RecvTimeoutError::from),
        };
        match received {
            Ok(Alarm { at, rings }) => {
                number += 1;
                waiting.insert((at, number), rings);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
