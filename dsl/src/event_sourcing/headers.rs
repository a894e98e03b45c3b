//! What travels beside commands and events: the names of their headers, and how they are read.
//!
//! Rule: every value is a text, so that any client of the log can write it. A command's own headers end with the command: its
//! events carry who caused them under another name, so that an event which becomes a command elsewhere is a new one there.

use bytes::Bytes;

use super::Refusal;
use crate::record::Headers;

/// The id of a command, any text: a second command with the same id and key gets the first one's reply.
pub const COMMAND_ID: &str = "command-id";

/// The version that the state must have for the command to be decided, as a decimal number.
pub const EXPECTED_VERSION: &str = "expected-version";

/// The partition of the topic of answers that the reply goes to, as a decimal number.
pub const REPLY_PARTITION: &str = "reply-partition";

/// What the answer is told apart by from others in that partition, chosen by who asks; it is the answer's key. Without it that is the
/// command's id.
pub const REPLY_ID: &str = "reply-id";

/// On events, refusals and replies: the id of the command that they come of, if it had one.
pub const CAUSED_BY: &str = "caused-by";

/// On events: the version that the state has with this event, as a decimal number. The versions of a key have no gaps.
pub const EVENT_VERSION: &str = "event-version";

/// What the headers of a command say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommandHeaders<'a>(pub(crate) &'a Headers);

impl<'a> CommandHeaders<'a> {
    /// The command's id.
    pub(crate) fn id(self) -> Option<&'a [u8]> {
        self.0.last(COMMAND_ID)
    }

    /// The version that the state must have, if one is asked for.
    pub(crate) fn expected<R>(self) -> Result<Option<u64>, Refusal<R>> {
        self.number(EXPECTED_VERSION).map_err(|()| Refusal::BadHeader { header: EXPECTED_VERSION.into() })
    }

    /// The partition that waits for the reply. One that cannot be read is nobody's.
    pub(crate) fn reply_partition(self) -> Option<u32> {
        self.number(REPLY_PARTITION).ok().flatten().and_then(|partition| u32::try_from(partition).ok())
    }

    /// What the answer is called.
    pub(crate) fn reply_id(self) -> Option<&'a [u8]> {
        self.0.last(REPLY_ID)
    }

    fn number(self, name: &str) -> Result<Option<u64>, ()> {
        let Some(bytes) = self.0.last(name) else { return Ok(None) };
        std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).map(Some).ok_or(())
    }

    /// The headers of what comes of the command: those that it has, but for its own, and its id as the cause.
    pub(crate) fn of_results(self, id: Option<&[u8]>) -> Headers {
        let mut headers = self.0.clone();
        for own in [COMMAND_ID, EXPECTED_VERSION, REPLY_PARTITION, REPLY_ID, CAUSED_BY, EVENT_VERSION] {
            if headers.iter().any(|(name, _)| name == own) {
                headers.remove(own);
            }
        }
        if let Some(id) = id {
            headers.add(CAUSED_BY, Some(Bytes::copy_from_slice(id)));
        }
        headers
    }
}

/// The version that an event's headers say, if they say one.
///
/// ```
/// use tidemill_dsl::event_sourcing::headers::{EVENT_VERSION, event_version};
/// use tidemill_dsl::record::Headers;
///
/// assert_eq!(event_version(&Headers::default().with(EVENT_VERSION, "7")), Some(7));
/// assert_eq!(event_version(&Headers::NONE), None);
/// ```
pub fn event_version(headers: &Headers) -> Option<u64> {
    let bytes = headers.last(EVENT_VERSION)?;
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_of_a_command_does_not_look_like_a_command() {
        let command = Headers::default()
            .with("trace", "t")
            .with(COMMAND_ID, "c1")
            .with(EXPECTED_VERSION, "3")
            .with(REPLY_PARTITION, "0")
            .with(REPLY_ID, "7")
            .with(CAUSED_BY, "before");
        let results = CommandHeaders(&command).of_results(Some(b"c1"));
        let expected = Headers::default().with("trace", "t").with(CAUSED_BY, "c1");
        assert_eq!(results, expected);
    }

    #[test]
    fn an_expected_version_is_a_number_or_a_refusal() {
        let expected = |text: &'static str| {
            CommandHeaders(&Headers::default().with(EXPECTED_VERSION, text)).expected::<String>().map_err(|_| ())
        };
        assert_eq!([expected("0"), expected("12")], [Ok(Some(0)), Ok(Some(12))]);
        assert_eq!([expected(""), expected("-1"), expected("x")], [Err(()), Err(()), Err(())]);
        assert!(matches!(CommandHeaders(&Headers::NONE).expected::<String>(), Ok(None)));
    }
}
