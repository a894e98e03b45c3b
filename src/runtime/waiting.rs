//! Waiting for one of several things, and for the application to have got somewhere.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tidemill_dsl::record::{TopicName, TopicPartition};
use tidemill_dsl::topology::{NodeKind, SinkTopic, Subtopology};

use tokio::sync::watch;

use super::app::Handle;
use super::crew::Crew;
use super::shared::Shared;
use super::{AppState, Position};
use crate::error::{Error, ErrorKind};

/// Which of two came first.
pub(super) enum First<A, B> {
    One(A),
    Other(B),
}

/// Waits for the first of two; the other is dropped.
pub(super) async fn first<A: Future, B: Future>(one: A, other: B) -> First<A::Output, B::Output> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| {
        if let Poll::Ready(answer) = one.as_mut().poll(context) {
            return Poll::Ready(First::One(answer));
        }
        other.as_mut().poll(context).map(First::Other)
    })
    .await
}

/// How often it is asked what other processes have committed: they tell nobody.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Tells that the application has committed, or that its state has changed.
#[derive(Clone)]
pub(super) struct News {
    commits: watch::Receiver<u64>,
    states: watch::Receiver<AppState>,
}

impl News {
    pub(super) fn of(shared: &Shared) -> News {
        News { commits: shared.committed.news(), states: shared.state.subscribe() }
    }

    /// Whether the application is over. What happens after this call is news; so call it before you look at anything else.
    pub(super) fn look(&mut self) -> bool {
        self.commits.mark_unchanged();
        self.states.borrow_and_update().is_over()
    }

    /// Waits until something has happened since the last look.
    pub(super) async fn next(mut self) -> News {
        // The senders live as long as the application's handles do, so neither fails.
        first(self.commits.changed(), self.states.changed()).await;
        self
    }
}

/// Waits until something has happened here, or may have happened in another process.
pub(super) async fn next_news(handle: &Handle, news: News) -> Result<News, Error> {
    if !handle.shared.log.is_shared() {
        return Ok(news.next().await);
    }
    let tick = handle.timer.after(LOOK_EVERY, &handle.shared.clock)?;
    first(news.clone().next(), tick).await;
    Ok(news)
}

/// How far the inputs were at the last commit, whichever process made it.
pub(super) fn position_of_all(shared: &Shared) -> Result<Position, Error> {
    let mut position = (*shared.committed.position()).clone();
    if shared.log.is_shared() {
        // Of what is processed here readers see a commit a moment after the log has it.
        let (crew, shape) = (shared.crew(), shared.shape());
        let is_here = |input: &TopicPartition| {
            let of = |crew: &Crew| {
                shape.reads.readers(&input.topic).any(|sub| crew.worker_of(sub, input.partition).is_some())
            };
            crew.as_deref().is_some_and(of)
        };
        let progress = shared.log.progress(&shared.application)?;
        let elsewhere = progress.inputs.iter().filter(|(input, _)| !is_here(input));
        elsewhere.for_each(|(input, at)| position.reach(input, at.next));
    }
    Ok(position)
}

/// Waits until everything before `bound`, and what followed from it on the way to a sub-topology, is committed.
///
/// Records between sub-topologies have positions of their own: when those of the bound are committed, whatever was made of
/// them lies in the topics behind, and so their ends at that moment are the next thing to wait for.
pub(super) async fn reach(handle: &Handle, bound: &Position, subtopology: usize, limit: Duration) -> Result<(), Error> {
    let shared = &handle.shared;
    let shape = shared.shape();
    if let Some((stray, _)) = bound.iter().find(|(partition, _)| !shape.inputs.contains(partition)) {
        let message =
            format!("the topology does not read `{stray}`: wait for positions of the topics that it reads only");
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let (mut target, mut alarm) = (bound.clone(), None);
    let mut seen: BTreeSet<TopicName> = BTreeSet::new();
    let mut news = News::of(shared);
    loop {
        loop {
            let over = news.look();
            if position_of_all(shared)?.covers(&target) {
                break;
            }
            if over {
                return Err(shared.gone());
            }
            shared.want(&target);
            let alarm = match &mut alarm {
                Some(alarm) => alarm,
                none => none.insert(handle.timer.after(limit, &shared.clock)?),
            };
            match first(next_news(handle, news.clone()), alarm).await {
                First::One(looked) => drop(looked?),
                First::Other(Ok(())) => return Err(too_late(shared, &target, limit)),
                First::Other(Err(_)) => return Err(shared.gone()),
            }
        }
        let topics: BTreeSet<TopicName> = target.iter().map(|(partition, _)| partition.topic.clone()).collect();
        let behind = behind(shared, &topics, subtopology);
        seen.extend(topics);
        target = Position::new();
        for input in shape.inputs.iter().filter(|input| behind.contains(&input.topic) && !seen.contains(&input.topic)) {
            target.reach(input, shared.log.bounds(input)?.end);
        }
        if target.iter().next().is_none() {
            return Ok(());
        }
    }
}

fn too_late(shared: &Shared, target: &Position, limit: Duration) -> Error {
    let position = shared.committed.position();
    let missing = position.missing(target).map(|(partition, next)| match position.next(partition) {
        Some(at) => format!("`{partition}` is at {at} and should be at {next}"),
        None => format!("`{partition}` should be at {next} and nothing of it is committed"),
    });
    let missing: Vec<String> = missing.collect();
    let message =
        format!("the position was not reached within {limit:?}: {}; ask again, or wait longer", missing.join(", "));
    Error::new(ErrorKind::TimedOut, message)
}

/// The topics that what reads `topics` writes, and that lead on to a sub-topology.
fn behind(shared: &Shared, topics: &BTreeSet<TopicName>, subtopology: usize) -> BTreeSet<TopicName> {
    let all = shared.topology.subtopologies();
    let shape = shared.shape();
    let reads = shape.reads.by_subtopology();
    let writes: Vec<BTreeSet<TopicName>> = all.iter().map(|sub| topics_written(shared, sub, reads)).collect();
    // Backwards from the sub-topology, until nothing more leads to it.
    let mut leads = vec![false; all.len()];
    leads[subtopology] = true;
    loop {
        let more = (0..all.len()).find(|from| {
            let on = |to: &usize| leads[*to] && !writes[*from].is_disjoint(&reads[*to]);
            !leads[*from] && (0..all.len()).any(|to| on(&to))
        });
        match more {
            Some(from) => leads[from] = true,
            None => break,
        }
    }
    let readers = (0..all.len()).filter(|sub| !reads[*sub].is_disjoint(topics));
    let written = readers.flat_map(|sub| &writes[sub]);
    written.filter(|topic| (0..all.len()).any(|sub| leads[sub] && reads[sub].contains(*topic))).cloned().collect()
}

/// Where a topic is chosen for each record, it may be any that the application reads.
fn topics_written(shared: &Shared, sub: &Subtopology, reads: &[BTreeSet<TopicName>]) -> BTreeSet<TopicName> {
    let sinks = shared.topology.nodes_of(sub).filter_map(|node| match &node.kind {
        NodeKind::Sink(topic) => Some(topic),
        _ => None,
    });
    let topics = sinks.flat_map(|sink| -> Vec<TopicName> {
        match sink {
            SinkTopic::Fixed(topic) => vec![topic.resolve(&shared.application)],
            SinkTopic::Chosen => reads.iter().flatten().cloned().collect(),
        }
    });
    topics.collect()
}
