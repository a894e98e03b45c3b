//! What an application's process says of itself, on standard error, when somebody wants to know.
//!
//! `TIDEMILL_KAFKA_TELL=1` shows warnings of the engine and of the client, with the time since 1970 in milliseconds;
//! `TIDEMILL_KAFKA_TELL=2` what is of less weight too.

use std::fmt::{Debug, Write as _};

use tidemill::{Clock, SystemClock};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

struct Telling(Level);

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        }
        .expect("a text takes everything");
    }
}

impl Subscriber for Telling {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.is_event() && *of.level() <= self.0 && of.target().starts_with("tidemill")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let (now, process, level) = (SystemClock.now().as_millis(), std::process::id(), event.metadata().level());
        eprintln!("{now} {process} {level}{}", line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Has this process say what it does, if that is wanted.
pub(crate) fn tell() {
    let level = match std::env::var("TIDEMILL_KAFKA_TELL").as_deref() {
        Ok("1") => Level::WARN,
        Ok("2") => Level::DEBUG,
        _ => return,
    };
    // Another test of this process may have done it.
    let _ = tracing::subscriber::set_global_default(Telling(level));
}
