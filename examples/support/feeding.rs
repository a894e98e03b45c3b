//! Sends the lines of an input, each exactly once: a batch of records and the place behind them are stored in one step.

use std::collections::VecDeque;

use tidemill::{App, FeedBatch, Posted};

use super::input::{Input, Opened};
use super::lines::{Batch, Lines, Parse};
use super::progress::Progress;
use super::{Failure, aside};

/// How many batches are read ahead of the one that is sent.
const READ_AHEAD: usize = 4;
/// How many batches are on their way to the disk; one wait for it serves all that have gathered.
const UNDERWAY_MAX: usize = 16;

/// Sends what an input has behind its stored position, and tells the user how much that was; `add` makes records of what a
/// line says.
pub(crate) async fn feed<T: Send + 'static>(
    app: &App,
    input: &Input,
    parse: Parse<T>,
    add: impl Fn(&mut FeedBatch<'_>, T) -> Result<(), tidemill::Error>,
    progress: &Progress,
) -> Result<(), Failure> {
    let feed = app.feed(&input.feed_name()?);
    let (stored, to_open) = (feed.position()?, input.clone());
    let Opened { lines, mut position, start } = aside(move || to_open.open(stored)).await?;
    let another = if position.is_another() { "; another file lay at this path before, this one is new" } else { "" };
    progress.advance(start.bytes);
    let mut batches = read_ahead(lines, parse)?;
    let mut place = start;
    let mut underway = VecDeque::new();
    let read = loop {
        let Batch { items, place: after } = match batches.recv().await.transpose() {
            Ok(Some(batch)) => batch,
            other => break other.map(|_| ()),
        };
        let mut records = feed.batch();
        for item in items {
            add(&mut records, item)?;
        }
        underway.push_back((records.post(position.moved_to(after)?).await?, after.bytes - place.bytes));
        place = after;
        if underway.len() == UNDERWAY_MAX {
            arrive(&mut underway, 1, progress).await?;
        }
    };
    // What stands before a broken line is sent before anybody hears of it.
    let all = underway.len();
    arrive(&mut underway, all, progress).await?;
    read?;
    progress.say(&format!(
        "{}: {} new lines, {} read before{another}",
        input.name(),
        place.lines - start.lines,
        start.lines
    ));
    Ok(())
}

/// Waits for the first `count` of the batches that are on their way.
async fn arrive(underway: &mut VecDeque<(Posted, u64)>, count: usize, progress: &Progress) -> Result<(), Failure> {
    for (posted, bytes) in underway.drain(..count) {
        posted.await?;
        progress.advance(bytes);
    }
    Ok(())
}

/// Reads and parses on a thread of its own, some batches ahead.
fn read_ahead<T: Send + 'static>(
    mut lines: Lines<Box<dyn std::io::Read + Send>>,
    parse: Parse<T>,
) -> Result<tokio::sync::mpsc::Receiver<Result<Batch<T>, Failure>>, Failure> {
    let (sender, batches) = tokio::sync::mpsc::channel(READ_AHEAD);
    let read = move || {
        while let Some(batch) = lines.next_batch(parse).transpose() {
            let failed = batch.is_err();
            // A closed channel means that nobody wants more.
            if sender.blocking_send(batch).is_err() || failed {
                break;
            }
        }
    };
    std::thread::Builder::new().name("read-input".into()).spawn(read)?;
    Ok(batches)
}
