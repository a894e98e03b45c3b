//! What a schema is called on the wire: the CRC-64-AVRO of its canonical form.

use std::fmt;

/// Of the empty text, and the polynomial that the table is made of.
const EMPTY: u64 = 0xc15d_213a_a4d7_a795;

const TABLE: [u64; 256] = table();

const fn table() -> [u64; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut entry = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            entry = (entry >> 1) ^ (EMPTY & (entry & 1).wrapping_neg());
            bit += 1;
        }
        table[byte] = entry;
        byte += 1;
    }
    table
}

/// The id of a schema: the CRC-64-AVRO fingerprint of its canonical form. Schemas that differ only in documentation, defaults, aliases
/// or logical types have one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaId(i64);

impl SchemaId {
    /// An id by its number.
    pub const fn new(id: i64) -> Self {
        SchemaId(id)
    }

    /// The number, as registries show it.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The fingerprint of a text in canonical form.
    pub(crate) fn of(canonical: &str) -> Self {
        let crc =
            canonical.bytes().fold(EMPTY, |crc, byte| (crc >> 8) ^ TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)]);
        SchemaId(crc.cast_signed())
    }

    /// As in the header of a value: little-endian.
    pub const fn to_le_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }

    /// From the header of a value.
    pub const fn from_le_bytes(bytes: [u8; 8]) -> Self {
        SchemaId(i64::from_le_bytes(bytes))
    }

    /// As the key of a record of the registry's topic: big-endian.
    pub const fn to_be_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// From the key of a record of the registry's topic.
    pub const fn from_be_bytes(bytes: [u8; 8]) -> Self {
        SchemaId(i64::from_be_bytes(bytes))
    }
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's own values.
    #[test]
    fn fingerprints_are_those_of_the_specification() {
        for (text, id) in [
            ("\"int\"", 0x7275_d51a_3f39_5c8f_u64),
            ("\"string\"", 0x8f01_4872_6345_03c7),
            ("\"long\"", 0xd054_e144_93f4_1db7),
            ("\"null\"", 0x63dd_24e7_cc25_8f8a),
        ] {
            assert_eq!(SchemaId::of(text), SchemaId::new(id.cast_signed()), "{text}");
        }
    }

    #[test]
    fn an_id_has_one_order_in_headers_and_another_in_keys() {
        let id = SchemaId::new(0x0102_0304_0506_0708);
        assert_eq!(id.to_le_bytes(), [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(id.to_be_bytes(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((SchemaId::from_le_bytes(id.to_le_bytes()), SchemaId::from_be_bytes(id.to_be_bytes())), (id, id));
    }
}
