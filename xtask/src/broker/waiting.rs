//! Waits for something in another process, and shows that it does.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use crate::step::now;

const TICK: Duration = Duration::from_millis(50);
/// How often a line is printed where it cannot be written over: not on a terminal.
const EVERY: Duration = Duration::from_secs(10);

/// Asks until `done` gives something; `None` when `limit` is over. Shows what it waits for, and how long it has.
pub(super) fn wait<T, E>(
    what: &str,
    limit: Duration,
    mut done: impl FnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    let (begin, mut shown) = (now(), Shown::new());
    while begin.elapsed() < limit {
        if let Some(result) = done()? {
            return Ok(Some(result));
        }
        shown.show(&match begin.elapsed().as_secs() {
            0 => what.to_owned(),
            seconds => format!("{what}: {seconds} s"),
        });
        pause();
    }
    Ok(None)
}

#[expect(clippy::disallowed_methods, reason = "what it waits for is another process, which wakes nobody")]
fn pause() {
    std::thread::sleep(TICK);
}

/// A line on standard error that says how far something is: written over on a terminal, else printed every few seconds.
pub(super) struct Shown {
    is_terminal: bool,
    last: Option<(std::time::Instant, String)>,
}

impl Shown {
    pub(super) fn new() -> Self {
        Shown { is_terminal: std::io::stderr().is_terminal(), last: None }
    }

    pub(super) fn show(&mut self, text: &str) {
        let due = match &self.last {
            None => true,
            Some((at, shown)) => shown != text && (self.is_terminal || at.elapsed() >= EVERY),
        };
        if due {
            let (begin, end) = if self.is_terminal { ("\r\x1b[2K", "") } else { ("", "\n") };
            eprint!("{begin}{text}{end}");
            // Nobody is helped by an error about progress.
            let _ = std::io::stderr().flush();
            self.last = Some((now(), text.to_owned()));
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if self.is_terminal && self.last.is_some() {
            eprint!("\r\x1b[2K");
        }
    }
}
