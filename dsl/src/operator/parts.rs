//! Parts of records that operators hold back, one behind another: 4 bytes of length, big-endian, -1 for a part that is absent,
//! then its bytes.

use crate::serde::SerdeError;

const ABSENT: i32 = -1;

/// Appends a part.
pub(super) fn write_part(part: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
    let Some(part) = part else {
        out.extend_from_slice(&ABSENT.to_be_bytes());
        return Ok(());
    };
    write_count(part.len(), out)?;
    out.extend_from_slice(part);
    Ok(())
}

/// Appends a number of parts, or of bytes.
pub(super) fn write_count(count: usize, out: &mut Vec<u8>) -> Result<(), SerdeError> {
    let count = i32::try_from(count).map_err(|_| SerdeError::new("a part of a held record is longer than 2 GiB"))?;
    out.extend_from_slice(&count.to_be_bytes());
    Ok(())
}

/// Reads what was written, from the front.
pub(super) struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Parts(bytes)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], SerdeError> {
        let cut_off = || SerdeError::new("the bytes of a held record are cut off");
        let (head, tail) = self.0.split_at_checked(count).ok_or_else(cut_off)?;
        self.0 = tail;
        Ok(head)
    }

    /// So many bytes without a length.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], SerdeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn count(&mut self) -> Result<i32, SerdeError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(super) fn part(&mut self) -> Result<Option<&'a [u8]>, SerdeError> {
        let length = self.count()?;
        usize::try_from(length).ok().map(|length| self.take(length)).transpose()
    }

    pub(super) fn text(&mut self) -> Result<Option<&'a str>, SerdeError> {
        let text = |part| {
            std::str::from_utf8(part)
                .map_err(|error| SerdeError::new("a held record has a name that is no text").with_source(error))
        };
        self.part()?.map(text).transpose()
    }
}
