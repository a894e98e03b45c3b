//! Says the same trouble with the cluster once in a while.
//!
//! Rule: while brokers are away each client says so many times a second; what is worth reading is that it began, and that it lasts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tidemill_dsl::record::Timestamp;

use crate::clock::{Clock, SystemClock};

/// How long nothing more is said of the same trouble.
const QUIET_MILLIS: i64 = 10_000;

/// When each trouble was spoken of last, and how often it was kept back since.
static TOLD: Mutex<Told> = Mutex::new(Told(BTreeMap::new()));

struct Told(BTreeMap<String, (Timestamp, u64)>);

impl Told {
    /// Whether to speak of it now, and how often it was kept back since the last time.
    fn due(&mut self, trouble: &str, now: Timestamp) -> Option<u64> {
        let Some((last, kept_back)) = self.0.get_mut(trouble) else {
            self.0.insert(trouble.to_owned(), (now, 0));
            return Some(0);
        };
        // A clock that was set back lets it be told too.
        if (0..QUIET_MILLIS).contains(&(now.as_millis() - last.as_millis())) {
            *kept_back += 1;
            return None;
        }
        *last = now;
        Some(std::mem::take(kept_back))
    }
}

/// Whether to speak of a trouble now, and how often it was kept back since the last time.
pub(super) fn due(trouble: &str) -> Option<u64> {
    TOLD.lock().unwrap_or_else(PoisonError::into_inner).due(trouble, SystemClock.now())
}

/// What a client says went wrong, without which client, which of its threads and how long after what.
pub(super) fn kind(message: &str) -> &str {
    let (_, text) = message.split_once("]: ").unwrap_or(("", message));
    let text = match text.split_once(": ") {
        Some((client, rest)) if client.contains('#') => rest,
        _ => text,
    };
    text.split_once(" (after ").map_or(text, |(text, _)| text)
}

/// Passes on what a client has told as an error of its own. It goes on trying; the engine says itself when it cannot go on.
pub(super) fn tell(error: &KafkaError, reason: &str) {
    // That a partition has been read to its end is no trouble.
    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
        return;
    }
    if let Some(repeated) = due(&error.to_string()) {
        tracing::warn!(target: "tidemill::kafka", %error, reason, repeated, "the client has trouble with the cluster, and goes on trying");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_the_same_whichever_client_says_it() {
        let down = |client| kind(&format!("[thrd:app]: tidemill#consumer-{client}: 2/2 brokers are down")).to_owned();
        assert_eq!((down(2), down(14)), ("2/2 brokers are down".to_owned(), "2/2 brokers are down".to_owned()));
        let refused =
            "[thrd:h:9/1]: h:9/1: Connect to ipv4#127.0.0.1:9 failed: Connection refused (after 0ms in state CONNECT)";
        assert_eq!(kind(refused), "h:9/1: Connect to ipv4#127.0.0.1:9 failed: Connection refused");
    }

    #[test]
    fn the_same_trouble_is_told_when_it_begins_and_every_ten_seconds_with_how_often_it_was() {
        let (mut told, at) = (Told(BTreeMap::new()), Timestamp::from_millis);
        assert_eq!(told.due("down", at(0)), Some(0));
        assert_eq!(told.due("refused", at(1)), Some(0), "another one is told");
        assert_eq!((told.due("down", at(2)), told.due("down", at(9_999))), (None, None));
        assert_eq!(told.due("down", at(10_000)), Some(2));
        assert_eq!(told.due("down", at(19_999)), None);
        assert_eq!(told.due("down", at(-1)), Some(1), "the clock was set back");
    }
}
