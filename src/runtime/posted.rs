//! Records on their way: given to the sender's thread, and not known to be stored yet.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use super::Position;
use super::shared::Shared;
use crate::error::Error;

/// Records that were posted. Await it to know that they are stored as the log's durability policy says, and where they lie:
/// the position behind them. Dropped, it changes nothing about them.
#[must_use = "an error shows only here"]
pub struct Posted {
    shared: Arc<Shared>,
    sent: oneshot::Receiver<Result<Position, Error>>,
}

impl Posted {
    pub(super) fn new(shared: Arc<Shared>, sent: oneshot::Receiver<Result<Position, Error>>) -> Self {
        Posted { shared, sent }
    }
}

impl Future for Posted {
    type Output = Result<Position, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.sent).poll(context));
        Poll::Ready(answer.unwrap_or_else(|_| Err(self.shared.gone())))
    }
}
