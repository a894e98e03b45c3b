//! What the examples share: inputs that are read exactly once, an end on signals, output that a closed pipe ends quietly.

pub(crate) mod failing;
pub(crate) mod feeding;
pub(crate) mod input;
pub(crate) mod lines;
pub(crate) mod output;
pub(crate) mod position;
pub(crate) mod progress;
pub(crate) mod running;
pub(crate) mod signals;

pub(crate) use failing::Failure;

/// Does blocking work on a thread of its own. The process may end before it is done: a read from a terminal can wait for ever.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (done, result) = tokio::sync::oneshot::channel();
    // Whoever waited may have been interrupted.
    std::thread::Builder::new().spawn(move || drop(done.send(work())))?;
    result.await.unwrap_or_else(|_| Err("a helper thread panicked; see the message above".into()))
}
