//! The order in which Java's `HashMap<String, _>` walks its keys.
//!
//! `describe` must be equal to Kafka Streams' text to the last byte, and there the order of a node's successors depends on
//! the order in which a `HashMap` of node names was walked while sizes were still being added up. So that order is made
//! here, from the published contract of `String.hashCode` and the table's index, `(h ^ h >>> 16) & (capacity - 1)`.

/// Puts names into the order in which a `HashMap` gives them back that they were put into in this order.
pub(super) fn hash_map_order<'a>(names: &[&'a str]) -> Vec<&'a str> {
    // The table doubles when it is more than three quarters full; splitting a bucket keeps the order within it.
    let capacity = (names.len() * 4).div_ceil(3).next_power_of_two().max(16);
    let bucket = |name: &str| {
        let hash = hash_code(name);
        ((hash ^ (hash >> 16)) as usize) & (capacity - 1)
    };
    let mut ordered = names.to_vec();
    ordered.sort_by_key(|name| bucket(name));
    ordered
}

fn hash_code(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_codes_are_those_of_java() {
        assert_eq!(hash_code(""), 0);
        assert_eq!(hash_code("hello"), 99_162_322);
        assert_eq!(hash_code("KSTREAM-SOURCE-0000000000").cast_signed(), java("KSTREAM-SOURCE-0000000000"));
    }

    /// The definition: s[0]*31^(n-1) + ... + s[n-1].
    fn java(text: &str) -> i32 {
        let bytes = text.as_bytes();
        let power = |n: usize| (0..n).fold(1i32, |p, _| p.wrapping_mul(31));
        bytes
            .iter()
            .enumerate()
            .fold(0i32, |sum, (i, b)| sum.wrapping_add(i32::from(*b).wrapping_mul(power(bytes.len() - 1 - i))))
    }
}
