//! Replies as bytes, made of the serdes that events and refusals have: remembered replies and answers travel so.
//!
//! Numbers are little-endian. First a byte: 0 accepted, 1 refused by rule, 2 conflict, 3 too late, 4 bad header. Accepted:
//! version (8 bytes), then for each event a byte 1, its size (4 bytes) and its bytes, or a byte 0 for a null. Rule: the same
//! once. Conflict: expected and actual version (8 bytes each). Bad header: its name, to the end.

use super::{Refusal, Reply};
use crate::record::{CutOff, Decoder, Encoder};
use crate::serde::{Serde, SerdeError, SerdeRef};

const ACCEPTED: u8 = 0;
const RULE: u8 = 1;
const CONFLICT: u8 = 2;
const TOO_LATE: u8 = 3;
const BAD_HEADER: u8 = 4;

/// Writes replies with the serdes of events and of refusals.
pub struct ReplySerde<E: 'static, R: 'static> {
    events: SerdeRef<E>,
    rules: SerdeRef<R>,
}

impl<E, R> ReplySerde<E, R> {
    /// Replies of these events and refusals.
    pub fn new(events: SerdeRef<E>, rules: SerdeRef<R>) -> Self {
        ReplySerde { events, rules }
    }
}

impl<E, R> Clone for ReplySerde<E, R> {
    fn clone(&self) -> Self {
        ReplySerde { events: self.events.clone(), rules: self.rules.clone() }
    }
}

impl<E: 'static, R: 'static> Serde<Reply<E, R>> for ReplySerde<E, R> {
    fn write(&self, reply: &Reply<E, R>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        match reply {
            Reply::Accepted { version, events } => {
                out.push(ACCEPTED);
                Encoder(out).number(*version);
                events.iter().try_for_each(|event| write_part(&self.events, event, out))
            }
            Reply::Refused(Refusal::Rule(reason)) => {
                out.push(RULE);
                write_part(&self.rules, reason, out)
            }
            Reply::Refused(Refusal::Conflict { expected, actual }) => {
                out.push(CONFLICT);
                let mut out = Encoder(out);
                out.number(*expected);
                out.number(*actual);
                Ok(())
            }
            Reply::Refused(Refusal::TooLate) => {
                out.push(TOO_LATE);
                Ok(())
            }
            Reply::Refused(Refusal::BadHeader { header }) => {
                out.push(BAD_HEADER);
                out.extend_from_slice(header.as_bytes());
                Ok(())
            }
        }
    }

    fn read(&self, bytes: &[u8]) -> Result<Reply<E, R>, SerdeError> {
        let (kind, rest) = bytes.split_first().ok_or_else(|| cut_off(CutOff))?;
        let mut rest = Decoder::new(rest);
        let reply = match *kind {
            ACCEPTED => {
                let version = rest.number().map_err(cut_off)?;
                let mut events = Vec::new();
                while !rest.is_at_end() {
                    events.push(read_part(&self.events, &mut rest)?);
                }
                Reply::Accepted { version, events }
            }
            RULE => Reply::Refused(Refusal::Rule(read_part(&self.rules, &mut rest)?)),
            CONFLICT => {
                let (expected, actual) = (rest.number().map_err(cut_off)?, rest.number().map_err(cut_off)?);
                Reply::Refused(Refusal::Conflict { expected, actual })
            }
            TOO_LATE => Reply::Refused(Refusal::TooLate),
            BAD_HEADER => {
                let header = String::from_utf8_lossy(rest.rest()).into_owned();
                return Ok(Reply::Refused(Refusal::BadHeader { header }));
            }
            other => return Err(SerdeError::new(format!("a reply cannot begin with the byte {other}"))),
        };
        if rest.is_at_end() { Ok(reply) } else { Err(SerdeError::new("a reply is longer than what it says")) }
    }

    fn name(&self) -> String {
        format!("reply<{}, {}>", self.events.name(), self.rules.name())
    }
}

fn write_part<T>(serde: &SerdeRef<T>, part: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
    if serde.is_null(part) {
        out.push(0);
        return Ok(());
    }
    out.push(1);
    Encoder(out).filled(|out| serde.write(part, out))
}

fn read_part<T>(serde: &SerdeRef<T>, bytes: &mut Decoder<'_>) -> Result<T, SerdeError> {
    serde.read_nullable(bytes.option(Decoder::bytes).map_err(cut_off)?)
}

fn cut_off(cause: CutOff) -> SerdeError {
    SerdeError::new("a reply is cut off").with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Replies = Reply<String, Option<i64>>;

    fn serde() -> ReplySerde<String, Option<i64>> {
        ReplySerde::new(SerdeRef::of(), SerdeRef::of())
    }

    fn all() -> Vec<Replies> {
        vec![
            Reply::Accepted { version: 0, events: vec![] },
            Reply::Accepted { version: 7, events: vec!["a".into(), String::new()] },
            Reply::Refused(Refusal::Rule(Some(-3))),
            Reply::Refused(Refusal::Rule(None)),
            Reply::Refused(Refusal::Conflict { expected: 1, actual: u64::MAX }),
            Reply::Refused(Refusal::TooLate),
            Reply::Refused(Refusal::BadHeader { header: "expected-version".into() }),
        ]
    }

    #[test]
    fn every_reply_is_read_as_it_was_written() {
        for reply in all() {
            let mut bytes = Vec::new();
            serde().write(&reply, &mut bytes).unwrap();
            assert_eq!(serde().read(&bytes).unwrap(), reply);
        }
    }

    #[test]
    fn the_bytes_are_those_that_are_written_down() {
        let mut bytes = Vec::new();
        serde().write(&Reply::Accepted { version: 2, events: vec!["ab".into()] }, &mut bytes).unwrap();
        assert_eq!(bytes, [0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, b'a', b'b']);
    }

    #[test]
    fn bytes_that_are_no_reply_are_an_error() {
        for reply in &all()[..5] {
            let mut bytes = Vec::new();
            serde().write(reply, &mut bytes).unwrap();
            bytes.pop();
            assert!(serde().read(&bytes).is_err(), "{reply:?} without its last byte");
            bytes.extend([9, 9, 9]);
            assert!(serde().read(&bytes).is_err(), "{reply:?} with others behind");
        }
        assert!(serde().read(&[]).is_err() && serde().read(&[5]).is_err());
        assert!(serde().read(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255]).is_err(), "a size beyond the end");
    }
}
