//! Frames of the embedded log, for the fuzz targets.

use tidemill_dsl::record::Offset;

use super::frame::{self, HEADER, Header};
use super::{body, segment};

/// Takes any bytes for a frame, a body and the records of a batch, each with checksums that fit.
pub fn frames(bytes: &[u8]) {
    if let Some(header) = bytes.first_chunk::<HEADER>().and_then(Header::decode) {
        let _ = (header.frame_len(), header.fits(&bytes[HEADER..]));
    }
    let _ = body::decode(bytes).map(|body| body.batches.len());
    let framed = frame_around(bytes, 0);
    let header = framed.first_chunk::<HEADER>().and_then(Header::decode).expect("a header was written");
    assert!(header.fits(&framed[HEADER..]), "a frame fits its own body");
    let _ = segment::check_header(bytes, 0);
    let Some((span, records)) = bytes.split_first_chunk::<4>() else { return };
    let mut stored = crc32c::crc32c(records).to_le_bytes().to_vec();
    stored.extend_from_slice(&u32::try_from(records.len()).unwrap_or(u32::MAX).to_le_bytes());
    stored.extend_from_slice(records);
    for thinned in [false, true] {
        let Ok(batch) = body::decode_records(Offset::ZERO, u32::from_le_bytes(*span), thinned, &stored) else {
            continue;
        };
        let read = batch.for_each(|_, record| {
            let _ = (record.key, record.value, record.headers().map(|headers| headers.len()));
            Ok::<_, std::convert::Infallible>(())
        });
        let Ok(()) = read;
    }
}

/// A whole frame with this number around a body.
pub fn frame_around(body: &[u8], number: u64) -> Vec<u8> {
    let mut framed = Vec::new();
    frame::begin(&mut framed);
    framed.extend_from_slice(body);
    frame::finish(&mut framed, number, 0);
    framed
}
