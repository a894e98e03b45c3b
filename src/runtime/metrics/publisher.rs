//! Publishes an application's metrics once a second, in a thread of its own.

use std::sync::Weak;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::runtime::app::Handle;

const EVERY: Duration = Duration::from_secs(1);

/// The thread. Dropping it ends it.
pub(crate) struct Publisher {
    /// Nothing is ever sent: the thread ends when this is gone.
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    pub(crate) fn start(application: Weak<Handle>) -> Result<Publisher, Error> {
        let (alive, ended) = channel();
        let run = move || {
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let Some(application) = application.upgrade() else { return };
                application.publish();
            }
        };
        let thread = std::thread::Builder::new().name("tidemill-metrics".into()).spawn(run);
        let thread =
            thread.map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot start a thread: {cause}")))?;
        Ok(Publisher { alive: Some(alive), thread: Some(thread) })
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.alive.take();
        // The thread may be the last that has the application, and ends then by itself.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}
