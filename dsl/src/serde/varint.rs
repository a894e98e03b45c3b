//! Kafka's numbers of variable length: zigzag, then seven bits a byte, the lowest first.

use super::SerdeError;

/// Appends a number.
pub(super) fn write(number: i32, out: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 31)).cast_unsigned();
    while rest >= 0x80 {
        // The lowest seven bits, and the mark that more follow.
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}

/// Takes a number from the front of `bytes`.
pub(super) fn read(bytes: &mut &[u8]) -> Result<i32, SerdeError> {
    let mut number = 0_u32;
    for place in 0..5 {
        let (byte, rest) = bytes.split_first().ok_or_else(|| SerdeError::new("a number is cut off"))?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
    }
    Err(SerdeError::new("a number has more than 5 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_kafkas_byte_utils() {
        let cases: [(i32, &[u8]); 9] = [
            (0, &[0]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (70, &[0x8c, 1]),
            (i32::MAX, &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i32::MIN, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ];
        for (number, expected) in cases {
            let mut bytes = Vec::new();
            write(number, &mut bytes);
            assert_eq!(bytes, expected, "{number}");
            let mut rest = &[expected, &[7]].concat()[..];
            assert_eq!(read(&mut rest).unwrap(), number);
            assert_eq!(rest, [7]);
        }
    }

    #[test]
    fn a_number_without_an_end_is_refused() {
        assert_eq!(read(&mut &[0x80][..]).unwrap_err().to_string(), "a number is cut off");
        assert_eq!(read(&mut &[0x80; 6][..]).unwrap_err().to_string(), "a number has more than 5 bytes");
    }
}
