//! The thread in which questions are asked and answered.
//!
//! Rule: it ends with the application, and whatever it is doing then is dropped: whoever asked hears that the process is gone.

use std::net::TcpListener;
use std::sync::Weak;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle as Runtime};
use tokio::sync::oneshot;

use super::client::Client;
use super::{Question, server};
use crate::error::{Error, ErrorKind};
use crate::runtime::app::Handle;
use tidemill_dsl::state::RowBytes;

/// Asks and answers.
pub(in crate::runtime) struct Net {
    runtime: Runtime,
    client: Client,
    /// The thread ends when this is gone.
    alive: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Net {
    pub(in crate::runtime) fn start() -> Result<Net, Error> {
        let cannot = |cause: std::io::Error| {
            Error::new(ErrorKind::Unavailable, format!("cannot start a thread for queries by HTTP: {cause}"))
        };
        let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(cannot)?;
        let handle = runtime.handle().clone();
        let (alive, ended) = oneshot::channel();
        let run = move || {
            // Nothing is ever sent.
            let _ = runtime.block_on(ended);
        };
        let thread = std::thread::Builder::new().name("tidemill-http".into()).spawn(run).map_err(cannot)?;
        Ok(Net { runtime: handle, client: Client::new(), alive: Some(alive), thread: Some(thread) })
    }

    /// Answers whoever connects to `listener`, for as long as the application is there.
    pub(in crate::runtime) fn serve(&self, listener: TcpListener, application: Weak<Handle>) -> Result<(), Error> {
        let (done, begun) = channel();
        self.runtime.spawn(async move {
            // A listener belongs to the runtime that it is made in.
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    // Whoever starts waits for it.
                    let _ = done.send(Ok(()));
                    server::run(listener, application).await;
                }
                Err(cause) => {
                    let _ = done.send(Err(cause));
                }
            }
        });
        let begun = begun.recv().unwrap_or_else(|_| Err(std::io::Error::other("its thread has ended")));
        begun.map_err(|cause| Error::new(ErrorKind::Unavailable, format!("cannot answer queries by HTTP: {cause}")))
    }

    /// Asks the process at an address.
    pub(in crate::runtime) async fn ask(&self, address: &str, question: Question) -> Result<Vec<RowBytes>, Error> {
        let (answer, answered) = oneshot::channel();
        let asked = self.client.clone().ask(address.to_owned(), question);
        let task = self.runtime.spawn(async move {
            // Whoever asked may have gone.
            let _ = answer.send(asked.await);
        });
        let _stops = StopsWithIt(task.abort_handle());
        let gone = || Error::new(ErrorKind::Closed, "the application was closed while another process was asked");
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Stops asking when nobody waits for the answer any more.
struct StopsWithIt(tokio::task::AbortHandle);

impl Drop for StopsWithIt {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.alive.take();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // Its tasks catch what they panic with.
            let _ = thread.join();
        }
    }
}
