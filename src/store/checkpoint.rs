//! How a checkpoint is written beside a store's rows.
//!
//! ```text
//! v2   02 | changelog offset u64 | time i64      big-endian; the time is in milliseconds since 1970
//! v1   01 | changelog offset u64                 nobody knows when: it counts as of 1970
//! ```

use tidemill_dsl::record::{Offset, Timestamp};

use super::Checkpoint;

const LAYOUT: u8 = 2;
const WITHOUT_TIME: u8 = 1;

pub(super) fn encode(checkpoint: Checkpoint) -> [u8; 17] {
    let mut stored = [LAYOUT; 17];
    stored[1..9].copy_from_slice(&checkpoint.next.get().to_be_bytes());
    stored[9..].copy_from_slice(&checkpoint.at.as_millis().to_be_bytes());
    stored
}

/// `None` for bytes in no known layout.
pub(super) fn decode(stored: &[u8]) -> Option<Checkpoint> {
    let (layout, rest) = stored.split_first()?;
    let (next, time) = rest.split_first_chunk()?;
    let at = match (*layout, time) {
        (LAYOUT, time) => Timestamp::from_millis(i64::from_be_bytes(time.try_into().ok()?)),
        (WITHOUT_TIME, []) => Timestamp::ZERO,
        _ => return None,
    };
    Some(Checkpoint { next: Offset::new(u64::from_be_bytes(*next)), at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_comes_back_and_no_beginning_of_one_does() {
        let checkpoint = Checkpoint { next: Offset::new(7), at: Timestamp::from_millis(-3) };
        let stored = encode(checkpoint);
        assert_eq!(decode(&stored), Some(checkpoint));
        assert!((0..stored.len()).all(|length| decode(&stored[..length]).is_none()));
    }

    #[test]
    fn one_without_a_time_is_as_old_as_can_be() {
        let stored = [1, 0, 0, 0, 0, 0, 0, 1, 2];
        assert_eq!(decode(&stored), Some(Checkpoint { next: Offset::new(258), at: Timestamp::ZERO }));
    }
}
