//! Keys as the ordered index has them: compared as bytes, and without a call where they are short.
//!
//! A way down through the index compares a dozen keys, so what a comparison costs is what a row in the index costs. Keys of
//! windows, of records that wait and of subscriptions lie in the index itself: to look elsewhere for each would cost many
//! times as much.

use std::cmp::Ordering;

use smallvec::SmallVec;

/// The bytes of a key in the ordered index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OrderedKey(SmallVec<[u8; 32]>);

impl OrderedKey {
    pub(super) fn new(key: &[u8]) -> Self {
        OrderedKey(SmallVec::from_slice(key))
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Ord for OrderedKey {
    /// As slices of bytes are compared, eight at a time.
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut one, mut other) = (self.as_slice(), other.as_slice());
        while let (Some((a, one_rest)), Some((b, other_rest))) = (one.split_first_chunk(), other.split_first_chunk()) {
            match u64::from_be_bytes(*a).cmp(&u64::from_be_bytes(*b)) {
                Ordering::Equal => (one, other) = (one_rest, other_rest),
                unequal => return unequal,
            }
        }
        one.cmp(other)
    }
}

impl PartialOrd for OrderedKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0, 1, 255_u8]), 0..40)
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_their_bytes(one in any_key(), other in any_key(), alike in 0..40_usize) {
            let mut close = one.clone();
            close.truncate(alike);
            close.extend_from_slice(&other);
            for other in [&other, &close, &one] {
                prop_assert_eq!(OrderedKey::new(&one).cmp(&OrderedKey::new(other)), one.cmp(other));
            }
        }
    }
}
