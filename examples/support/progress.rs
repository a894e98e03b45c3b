//! A progress bar on a terminal, for inputs that take long enough to look at one.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tidemill::App;

use super::Failure;
use super::input::Input;

/// Shorter inputs are done before anybody has read the bar.
const BYTES_MIN: u64 = 1 << 20;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the user sees while lines are sent and processed; nothing where it would be in the way.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar over the bytes of all inputs.
    pub(crate) fn over(inputs: &[Input]) -> Self {
        let bytes: u64 = inputs.iter().filter_map(Input::length).sum();
        let shown = bytes >= BYTES_MIN && std::io::stderr().is_terminal();
        let bar = if shown { ProgressBar::new(bytes) } else { ProgressBar::hidden() };
        Progress(styled(bar, "{msg} {wide_bar} {bytes}/{total_bytes} {eta}", "reading"))
    }

    /// So many bytes are done.
    pub(crate) fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Says something beside the bar.
    pub(crate) fn say(&self, text: &str) {
        self.0.suspend(|| eprintln!("{text}"));
    }

    /// Waits until everything that was sent is processed, and takes the bar away.
    pub(crate) async fn until_settled(self, app: &App) -> Result<(), Failure> {
        let all = app.backlog()?;
        self.0.reset();
        self.0.set_length(all);
        let bar = styled(self.0, "{msg} {wide_bar} {human_pos}/{human_len} {eta}", "processing");
        let look = async {
            let mut looks = tokio::time::interval(LOOK_EVERY);
            loop {
                looks.tick().await;
                match app.backlog() {
                    Ok(left) => bar.set_position(all.saturating_sub(left)),
                    Err(error) => return error,
                }
            }
        };
        tokio::select! {
            settled = app.settled() => settled?,
            error = look => return Err(error.into()),
        }
        bar.finish_and_clear();
        Ok(())
    }
}

fn styled(bar: ProgressBar, template: &str, message: &'static str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style).with_message(message),
        Err(_) => bar,
    }
}
