//! An entry of a ranking as it is stored: everything that it is compared by is in its key.
//!
//! The key: size of the group's key (4 bytes, big-endian), the group's key, the rank with all bits turned over, so that the
//! greatest stands first, the value. The row: size of the rank (4), how many entries are alike (4).

use crate::serde::{Serde, SerdeError};

/// What is kept of entries that are alike, besides their key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// How many bytes the rank has.
    pub(super) rank: u32,
    pub(super) count: u32,
}

pub(crate) struct CandidateSerde;

impl Serde<Candidate> for CandidateSerde {
    fn write(&self, candidate: &Candidate, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(&candidate.rank.to_be_bytes());
        out.extend_from_slice(&candidate.count.to_be_bytes());
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<Candidate, SerdeError> {
        let bytes: [u8; 8] = bytes.try_into().map_err(|_| SerdeError::new("an entry of a ranking has 8 bytes"))?;
        let [rank, count] =
            [0, 4].map(|at| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
        Ok(Candidate { rank, count })
    }

    fn name(&self) -> String {
        "candidate".into()
    }
}
