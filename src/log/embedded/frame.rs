//! A frame: one commit as bytes, with everything that is needed to see whether it is whole.
//!
//! ```text
//! frame v1   magic "TMfr" | body_len u32 | number u64 | synced u64 | body_crc u32 | header_crc u32 | body
//! ```
//! Little-endian. `number` counts all frames of a log from 0. Every frame with a number below `synced` was durable
//! before this one was written. `header_crc` is the CRC-32C of the 28 bytes before it, `body_crc` that of the body.
//!
//! Why `synced`: after a loss of power, writes that were not yet synced may be missing while later ones are there. A
//! broken frame is the expected end of the log, unless a whole frame behind it says that the broken one was durable:
//! then stored bytes were damaged, and nothing may be cut off.

/// The length of a frame's header in bytes.
pub(super) const HEADER: usize = 32;
const MAGIC: [u8; 4] = *b"TMfr";

/// What stands before a frame's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) body_len: u32,
    pub(super) number: u64,
    pub(super) synced: u64,
    body_crc: u32,
}

impl Header {
    /// The header in these bytes, if they are one.
    pub(super) fn decode(bytes: &[u8; HEADER]) -> Option<Header> {
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | (u64::from(u32_at(at + 4)) << 32);
        if bytes[..4] != MAGIC || u32_at(28) != crc32c::crc32c(&bytes[..28]) {
            return None;
        }
        Some(Header { body_len: u32_at(4), number: u64_at(8), synced: u64_at(16), body_crc: u32_at(24) })
    }

    /// Whether these bytes are the body that the header belongs to.
    pub(super) fn fits(&self, body: &[u8]) -> bool {
        body.len() == self.body_len as usize && crc32c::crc32c(body) == self.body_crc
    }

    /// How many bytes the whole frame has.
    pub(super) fn frame_len(&self) -> u64 {
        HEADER as u64 + u64::from(self.body_len)
    }
}

/// Begins a frame: leaves room for its header. The caller appends the body, then calls [`finish`].
pub(super) fn begin(out: &mut Vec<u8>) {
    out.clear();
    out.resize(HEADER, 0);
}

/// Writes the header before the body that stands in `frame`.
pub(super) fn finish(frame: &mut [u8], number: u64, synced: u64) {
    let (header, body) = frame.split_at_mut(HEADER);
    let body_len = u32::try_from(body.len()).expect("a change is limited to far less than 4 GiB");
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&body_len.to_le_bytes());
    header[8..16].copy_from_slice(&number.to_le_bytes());
    header[16..24].copy_from_slice(&synced.to_le_bytes());
    header[24..28].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
    let crc = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
}

/// Where in these bytes the next header may begin.
pub(super) fn find_magic(bytes: &[u8]) -> Option<usize> {
    bytes.windows(MAGIC.len()).position(|window| window == MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        begin(&mut frame);
        frame.extend_from_slice(body);
        finish(&mut frame, 7, 3);
        frame
    }

    #[test]
    fn a_frame_comes_back_as_it_was_written() {
        let frame = frame(b"body");
        let header = Header::decode(frame[..HEADER].try_into().unwrap()).unwrap();
        assert_eq!((header.number, header.synced, header.frame_len()), (7, 3, 36));
        assert!(header.fits(b"body"));
    }

    #[test]
    fn no_byte_of_a_frame_can_change_unnoticed() {
        let good = frame(b"some body");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let header = Header::decode(bad[..HEADER].try_into().unwrap());
            assert!(!header.is_some_and(|header| header.fits(&bad[HEADER..])), "byte {at}");
        }
    }
}
