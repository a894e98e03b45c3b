//! Kafka Streams' hash of a row's bytes: murmur3 of 128 bits for 64-bit machines, with Kafka's seed.
//!
//! It tells whether a row is still the one that a message was sent for. It is no protection against anybody who looks for
//! two rows of one hash.

const SEED: u64 = 104_729;
const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// The hash of some bytes.
pub(crate) fn murmur3(bytes: &[u8]) -> u128 {
    let (mut low, mut high) = (SEED, SEED);
    let mut blocks = bytes.chunks_exact(16);
    for block in &mut blocks {
        let (first, second) = halves(block);
        low = (low ^ mix_first(first)).rotate_left(27).wrapping_add(high);
        low = low.wrapping_mul(5).wrapping_add(0x52dc_e729);
        high = (high ^ mix_second(second)).rotate_left(31).wrapping_add(low);
        high = high.wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    // What is left, filled up with zeros: these change nothing.
    let (first, second) = halves(blocks.remainder());
    low ^= mix_first(first);
    high ^= mix_second(second);
    let length = bytes.len() as u64;
    (low, high) = (low ^ length, high ^ length);
    low = low.wrapping_add(high);
    high = high.wrapping_add(low);
    (low, high) = (finish(low), finish(high));
    low = low.wrapping_add(high);
    high = high.wrapping_add(low);
    u128::from(low) << 64 | u128::from(high)
}

/// Up to 16 bytes as two little-endian numbers.
fn halves(bytes: &[u8]) -> (u64, u64) {
    let mut block = [0; 16];
    block[..bytes.len()].copy_from_slice(bytes);
    let both = u128::from_le_bytes(block);
    // The lower half first.
    ((both & u128::from(u64::MAX)) as u64, (both >> 64) as u64)
}

fn mix_first(number: u64) -> u64 {
    number.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

fn mix_second(number: u64) -> u64 {
    number.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

fn finish(mut number: u64) -> u64 {
    number ^= number >> 33;
    number = number.wrapping_mul(0xff51_afd7_ed55_8ccd);
    number ^= number >> 33;
    number = number.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ number >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    // What `Murmur3.hash128` of Kafka Streams 4.3 gives for bytes that begin with 200 and grow by 37.
    const KNOWN: [(usize, u128); 19] = [
        (0, 0x9d2764a018e32942_8c3cf3b035938518),
        (1, 0xbff2166f25d4e3ca_ad76f90042c32eb7),
        (2, 0xbcd4482b54b21ae4_ff522487ce044fc6),
        (3, 0xb02c9dcb0b188cb7_261d276514956649),
        (5, 0x70bec6468243fd7e_05fcff0ec098b7ba),
        (7, 0xe2c12aaa37615c8d_78e8fff449acd2e3),
        (8, 0x5376fe5d8752a480_2bcfb922970c534c),
        (9, 0xb79cc91e67eb164f_7285936d18b5c4c8),
        (12, 0x77cb9c85e6102be4_97b3ef548224d05b),
        (15, 0x8541440932df88a8_133781906f758397),
        (16, 0x3b1ca826ba2a8ab1_00ff368af7e15570),
        (17, 0x14606ec89b0c68c7_20e38f08a941bbdf),
        (24, 0x51113554edd27de7_5501bcf9acda8270),
        (31, 0x0fc8bff6b4d635a2_db8b6c0ce90a3cd8),
        (32, 0x271fc7adca25c66d_69f499a2c53fd088),
        (33, 0xc811ac0257c06b43_de4815d1c281354e),
        (47, 0x0b9da06555e89063_c3433b8caf3e944b),
        (48, 0x0ff73ab34583fb9b_153c6890e77384a1),
        (100, 0xac5e6f34f01858a4_773258770366c397),
    ];

    #[test]
    fn hashes_are_those_of_kafka_streams() {
        for (length, hash) in KNOWN {
            let bytes: Vec<u8> = (0..length).map(|place| (place * 37 + 200).to_le_bytes()[0]).collect();
            assert_eq!(murmur3(&bytes), hash, "{length} bytes");
        }
        assert_eq!(murmur3(b"apple"), 0x482adb330ca479e9_84cb038747aa0ac8);
    }
}
