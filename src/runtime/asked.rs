//! A start that is asked what the application is: it answers, and nothing begins.

use std::io::Write;

use super::builder::{AppBuilder, Place};
use super::start::external_topics;
use crate::error::{Error, ErrorKind};
use crate::plan::Planning;

/// Answers `tidemill plan` and `tidemill describe`, if this program was started by one of them.
///
/// # Errors
///
/// `Asked`, after the answer: whoever asks wants no application to begin its work.
pub(super) fn answer(builder: &AppBuilder) -> Result<(), Error> {
    let Some(answer) = planning(builder).answer(&builder.topology) else { return Ok(()) };
    let mut out = std::io::stdout().lock();
    // Nobody is left to hear of an error when the asker has gone.
    let _ = writeln!(out, "{answer}").and_then(|()| out.flush());
    let what = "it was asked for its topology by `tidemill plan` or `tidemill describe`, and has not begun its work";
    Err(Error::new(ErrorKind::Asked, format!("`{}` answered: {what}", builder.application)))
}

/// With the topics that the start would make, as far as that is known without a look at the log.
fn planning(builder: &AppBuilder) -> Planning {
    let settings = &builder.settings;
    let planning = Planning::of(&*builder.application).changelog(settings.tasks.changelog);
    let planning = match &builder.place {
        #[cfg(feature = "kafka")]
        Some(Place::Kafka(kafka)) => planning.notes_topic(kafka.notes_topic.clone()),
        // What there is on a log that somebody else opened, that one knows.
        Some(Place::Log(_)) | None => planning,
        Some(Place::Folder(_) | Place::Memory) => {
            let made = external_topics(builder).into_iter().filter(|_| settings.create_topics);
            made.fold(planning, |planning, name| planning.topic(name, settings.partitions))
        }
    };
    builder.topics.iter().fold(planning, |planning, (name, partitions)| planning.topic(name.as_str(), *partitions))
}
