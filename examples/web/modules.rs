//! A service is made of modules. They start one after another, each on those before it, and end in the other order; one that ends
//! or fails ends all, and so does one that cannot start.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::failing::Failure;

/// How long a module may take to end.
const END_LIMIT: Duration = Duration::from_secs(20);

/// Tells a module that it shall end.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns when the module shall end.
    pub(crate) async fn told(mut self) {
        // Nobody there to tell it is an end too.
        drop(self.0.wait_for(|stops| *stops).await);
    }
}

/// The modules that have started.
pub(crate) struct Modules {
    running: Vec<Module>,
    /// A word from each module that has ended.
    ends: mpsc::UnboundedReceiver<()>,
    ended: mpsc::UnboundedSender<()>,
}

struct Module {
    name: &'static str,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), Failure>>,
}

/// Says at its end that a module has ended.
struct Word(mpsc::UnboundedSender<()>);

impl Drop for Word {
    fn drop(&mut self) {
        // Nobody listens once all are ending.
        let _ = self.0.send(());
    }
}

impl Modules {
    pub(crate) fn new() -> Self {
        let (ended, ends) = mpsc::unbounded_channel();
        Modules { running: Vec::new(), ends, ended }
    }

    /// Starts a module: `starting` is done before the next one starts. It gives what later modules need of this one, and what
    /// runs until it is told to end, and then leaves nothing behind. Where it cannot start, those before it end.
    pub(crate) async fn start<T, S, R>(
        mut self,
        name: &'static str,
        starting: impl FnOnce(Stop) -> S,
    ) -> Result<(Self, T), Failure>
    where
        S: Future<Output = Result<(T, R), Failure>>,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let (stop, stops) = watch::channel(false);
        match starting(Stop(stops)).await {
            Ok((given, running)) => {
                let ended = self.ended.clone();
                let task = tokio::spawn(async move {
                    // Dropped, and so sent, after a panic too.
                    let _word = Word(ended);
                    running.await
                });
                self.running.push(Module { name, stop, task });
                Ok((self, given))
            }
            Err(error) => {
                self.end().await?;
                Err(error)
            }
        }
    }

    /// Runs until it is told to end, or a module ends; then all of them do. Gives what told it, if not a module did, or the first
    /// failure.
    pub(crate) async fn run<T>(mut self, told: impl Future<Output = T>) -> Result<Option<T>, Failure> {
        let told = tokio::select! {
            _ = self.ends.recv() => None,
            told = told => Some(told),
        };
        self.end().await.map(|()| told)
    }

    async fn end(self) -> Result<(), Failure> {
        let mut ended = Ok(());
        for Module { name, stop, mut task } in self.running.into_iter().rev() {
            stop.send_replace(true);
            let result = match tokio::time::timeout(END_LIMIT, &mut task).await {
                Ok(Ok(result)) => result,
                Ok(Err(panic)) => Err(format!("module `{name}` panicked: {panic}; the lines above say where").into()),
                Err(_) => {
                    eprintln!("module `{name}` did not end in time and was cut off");
                    task.abort();
                    Ok(())
                }
            };
            ended = ended.and(result);
        }
        ended
    }
}
