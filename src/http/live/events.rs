//! The numbers of an application each second, as server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_core::Stream;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::numbers;
use crate::AppView;

const EVERY: Duration = Duration::from_secs(1);

pub(super) async fn events(State(view): State<AppView>) -> Sse<Ticks> {
    let mut every = interval(EVERY);
    // A browser that slept wants to know how it is now.
    every.set_missed_tick_behavior(MissedTickBehavior::Skip);
    Sse::new(Ticks { view, every })
}

/// An event each second, until the application is gone.
pub(super) struct Ticks {
    view: AppView,
    every: Interval,
}

impl Stream for Ticks {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        ready!(self.every.poll_tick(context));
        let told = self.view.metrics().and_then(|metrics| Ok((metrics, self.view.status()?)));
        let event = told
            .ok()
            .map(|(metrics, status)| Ok(Event::default().data(numbers::as_json(&metrics, &status).to_string())));
        Poll::Ready(event)
    }
}
