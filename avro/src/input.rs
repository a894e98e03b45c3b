//! Takes Avro's primitives off bytes that anybody may have written.
//!
//! Rule: nothing is allocated and nothing repeated because a length says so; what is not there is an error.

use crate::error::AvroError;

/// How deep records, arrays and maps may nest: as JSON may.
pub(crate) const DEPTH_MAX: u32 = 128;
/// What a value may take of its reader's time beyond what its bytes pay for: items that have no bytes, for instance.
const STEPS_FREE: u64 = 1 << 16;
const STEPS_PER_BYTE: u64 = 64;

/// What is left of some bytes, and of the time that may be spent on them.
pub(crate) struct Input<'a> {
    rest: &'a [u8],
    length: usize,
    steps: u64,
    depth: u32,
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let steps = STEPS_FREE + STEPS_PER_BYTE * bytes.len() as u64;
        Input { rest: bytes, length: bytes.len(), steps, depth: 0 }
    }

    /// How many bytes were taken.
    pub(crate) fn taken(&self) -> usize {
        self.length - self.rest.len()
    }

    /// Pays for one type of a value.
    pub(crate) fn step(&mut self) -> Result<(), AvroError> {
        self.steps = self.steps.checked_sub(1).ok_or_else(|| {
            AvroError::malformed(format!("{} bytes stand for more than a reader may make of them", self.length))
        })?;
        Ok(())
    }

    /// Goes into a record, an array or a map; [`leave`](Self::leave) goes back.
    pub(crate) fn enter(&mut self) -> Result<(), AvroError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(AvroError::malformed(format!("a value nests deeper than {DEPTH_MAX} levels")));
        }
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// The next `count` bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], AvroError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(count) else {
            let message = format!("a value ends after {} bytes, and {count} more were to come", self.rest.len());
            return Err(AvroError::malformed(message));
        };
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], AvroError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    pub(crate) fn boolean(&mut self) -> Result<bool, AvroError> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(AvroError::malformed(format!("a boolean is 0 or 1, and this is {other}"))),
        }
    }

    pub(crate) fn long(&mut self) -> Result<i64, AvroError> {
        let mut bits = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            // Of the tenth byte one bit is left.
            if shift == 63 && byte > 1 {
                break;
            }
            bits |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed());
            }
        }
        Err(AvroError::malformed("a number has more than 64 bits"))
    }

    pub(crate) fn int(&mut self) -> Result<i32, AvroError> {
        let long = self.long()?;
        i32::try_from(long).map_err(|_| AvroError::malformed(format!("an int has 32 bits, and {long} has more")))
    }

    /// The number of a union's member or an enum's symbol.
    pub(crate) fn index(&mut self, count: usize, of: &str) -> Result<usize, AvroError> {
        let index = self.long()?;
        let known = usize::try_from(index).ok().filter(|index| *index < count);
        known.ok_or_else(|| AvroError::malformed(format!("{of} has no number {index}, only {count} from 0 on")))
    }

    /// Bytes with their length before them.
    pub(crate) fn sized(&mut self) -> Result<&'a [u8], AvroError> {
        let length = self.long()?;
        let count =
            usize::try_from(length).map_err(|_| AvroError::malformed(format!("a length of {length} bytes is none")))?;
        self.bytes(count)
    }

    pub(crate) fn string(&mut self) -> Result<&'a str, AvroError> {
        let bytes = self.sized()?;
        std::str::from_utf8(bytes).map_err(|error| AvroError::malformed("a string is not UTF-8").with_source(error))
    }

    /// How many items the next block of an array or map has; none: it has ended.
    pub(crate) fn block(&mut self) -> Result<Option<u64>, AvroError> {
        let count = self.long()?;
        if count < 0 {
            // Its size in bytes, for those who skip it.
            self.long()?;
        }
        Ok((count != 0).then_some(count.unsigned_abs()))
    }
}

/// Appends a number as Avro writes it.
pub(crate) fn put_long(number: i64, out: &mut Vec<u8>) {
    let mut bits = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while bits >= 0x80 {
        out.push(bits.to_le_bytes()[0] | 0x80);
        bits >>= 7;
    }
    out.push(bits.to_le_bytes()[0]);
}

/// Appends bytes with their length before them.
pub(crate) fn put_sized(bytes: &[u8], out: &mut Vec<u8>) {
    // A slice is never longer than an `i64` says.
    put_long(i64::try_from(bytes.len()).unwrap_or(i64::MAX), out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_beyond_64_bits_and_bytes_that_are_missing_are_errors() {
        assert_eq!(
            Input::new(&[0xff; 9]).long().unwrap_err().to_string(),
            "a value ends after 0 bytes, and 1 more were to come"
        );
        let mut most = [0xff; 10];
        assert!(Input::new(&most).long().is_err());
        most[9] = 1;
        assert_eq!(Input::new(&most).long().unwrap(), i64::MIN);
        assert!(Input::new(&[0x80, 0x80, 0x80, 0x80, 0x20]).int().is_err(), "33 bits");
    }

    #[test]
    fn lengths_cost_nothing_before_their_bytes_are_there() {
        let mut huge = Vec::new();
        put_long(i64::MAX, &mut huge);
        assert!(Input::new(&huge).sized().unwrap_err().to_string().contains("more were to come"));
        assert!(Input::new(&[1]).sized().is_err(), "-1");
        assert!(Input::new(&[4, 0xc3, 0x28]).string().is_err());
    }

    proptest! {
        #[test]
        fn numbers_come_back(number: i64) {
            let mut bytes = Vec::new();
            put_long(number, &mut bytes);
            let mut input = Input::new(&bytes);
            prop_assert_eq!(input.long().unwrap(), number);
            prop_assert_eq!(input.taken(), bytes.len());
        }
    }
}
