//! Decides to which partitions a record goes; by default, that of its key's bytes, as Kafka's producers do.

use smallvec::SmallVec;

const SEED: u32 = 0x9747_b28c;
const MIX: u32 = 0x5bd1_e995;

/// The partition of a key: equal bytes go to the same partition, in every program and in every client of Kafka.
///
/// `partitions` is the topic's number of partitions; the answer is below it.
///
/// # Panics
///
/// When `partitions` is 0.
///
/// ```
/// use tidemill_dsl::record::partition_of;
///
/// assert_eq!(partition_of(b"foobar", 10), 6);
/// assert_eq!(partition_of(b"foobar", 1), 0);
/// ```
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions
}

/// The partition of a record that no partitioner decides about: that of its key.
///
/// Kafka's producers scatter records without a key; here their value decides, so that every run places them alike.
pub fn partition_of_record(key: Option<&[u8]>, value: Option<&[u8]>, partitions: u32) -> u32 {
    partition_of(key.or(value).unwrap_or_default(), partitions)
}

/// Kafka's 32-bit murmur2 of `bytes`, with Kafka's seed.
///
/// Not for choosing a partition: Kafka drops the sign bit first, as [`partition_of`] does.
pub fn murmur2(bytes: &[u8]) -> u32 {
    let (words, tail) = bytes.as_chunks::<4>();
    // Kafka counts in 32 bits, and no key is as long as to overflow them.
    let mut hash = SEED ^ bytes.len() as u32;
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(MIX);
        word ^= word >> 24;
        hash = hash.wrapping_mul(MIX) ^ word.wrapping_mul(MIX);
    }
    if !tail.is_empty() {
        let last = tail.iter().rev().fold(0, |last, byte| last << 8 | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(MIX);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MIX);
    hash ^ (hash >> 15)
}

/// Where a record goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partitions {
    /// To the partition of its key, or, without a key, of its value: see [`partition_of_record`].
    Default,
    /// To each of these, lowest first.
    These(PartitionSet),
    /// Nowhere. The record is dropped and counted.
    Drop,
}

impl Partitions {
    /// To one partition.
    pub fn one(partition: u32) -> Self {
        Partitions::These(PartitionSet(SmallVec::from_slice(&[partition])))
    }

    /// To several partitions, once to each; nowhere when there is none.
    ///
    /// ```
    /// use tidemill_dsl::record::Partitions;
    ///
    /// let Partitions::These(all) = Partitions::each([2, 0, 2]) else { panic!("two partitions") };
    /// assert_eq!(all.as_slice(), [0, 2]);
    /// assert_eq!(Partitions::each([]), Partitions::Drop);
    /// ```
    pub fn each(partitions: impl IntoIterator<Item = u32>) -> Self {
        let mut set: SmallVec<[u32; 4]> = partitions.into_iter().collect();
        set.sort_unstable();
        set.dedup();
        if set.is_empty() { Partitions::Drop } else { Partitions::These(PartitionSet(set)) }
    }
}

/// At least one partition, each once, lowest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionSet(SmallVec<[u32; 4]>);

impl PartitionSet {
    /// The partitions, lowest first.
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }

    /// The highest of them, to be compared with the topic's number of partitions.
    pub fn highest(&self) -> u32 {
        *self.0.last().expect("a set of partitions is never empty")
    }
}

/// Chooses the partitions of a topic's records, in place of [`partition_of`]. A closure is one.
///
/// Equal records must get equal answers, or a record that is processed twice goes to two places.
///
/// ```
/// use tidemill_dsl::record::{Partitioner, Partitions};
///
/// // Refunds go to everybody, blank keys to nobody, and the rest by key.
/// fn route(_bytes: Option<&[u8]>, key: &String, amount: &i64, partitions: u32) -> Partitions {
///     match (key.as_str(), *amount) {
///         ("", _) => Partitions::Drop,
///         (_, ..0) => Partitions::each(0..partitions),
///         _ => Partitions::Default,
///     }
/// }
///
/// let partitioner: Box<dyn Partitioner<String, i64>> = Box::new(route);
/// assert_eq!(partitioner.partitions(Some(b"a"), &"a".into(), &-1, 2), Partitions::each([0, 1]));
/// assert_eq!(partitioner.partitions(Some(b"a"), &"a".into(), &1, 2), Partitions::Default);
/// ```
pub trait Partitioner<K, V>: Send + Sync + 'static {
    /// The partitions of one record, whose key has the bytes `key_bytes`, in a topic with `partitions` partitions.
    fn partitions(&self, key_bytes: Option<&[u8]>, key: &K, value: &V, partitions: u32) -> Partitions;
}

impl<K, V, F> Partitioner<K, V> for F
where
    F: Fn(Option<&[u8]>, &K, &V, u32) -> Partitions + Send + Sync + 'static,
{
    fn partitions(&self, key_bytes: Option<&[u8]>, key: &K, value: &V, partitions: u32) -> Partitions {
        self(key_bytes, key, value, partitions)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Hash and partition of ten, as Kafka 4.3 gives them; most are vectors of its own tests.
    const KEYS: [(&[u8], i32, u32); 12] = [
        (b"", 275_646_681, 1),
        (b"a", -1_563_381_124, 4),
        (b"ab", 316_155_434, 4),
        (b"abc", 479_470_107, 7),
        (b"21", -973_932_308, 0),
        (b"foobar", -790_332_482, 6),
        (b"a-little-bit-long-string", -985_981_536, 2),
        (b"a-little-bit-longer-string", -1_486_304_829, 9),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971, 7),
        ("zażółć".as_bytes(), 2_056_704, 4),
        (&[0xff, 0x80, 0, 0xfe, 0xff], 39_874_303, 3),
        (&[0xff; 3], 1_548_199_422, 2),
    ];

    #[test]
    fn hash_and_partition_are_kafkas() {
        for (key, hash, partition) in KEYS {
            assert_eq!(murmur2(key).cast_signed(), hash, "hash of {key:?}");
            assert_eq!(partition_of(key, 10), partition, "partition of {key:?}");
            assert_eq!(partition_of_record(Some(key), None, 10), partition);
        }
    }

    #[test]
    fn a_record_without_a_key_has_no_partition_of_its_own() {
        assert_eq!(partition_of_record(None, Some(b"foobar"), 10), partition_of(b"foobar", 10));
        assert_eq!(partition_of_record(Some(b""), Some(b"foobar"), 10), 1, "an empty key is a key");
    }

    #[test]
    fn several_partitions_are_a_set_and_none_is_a_drop() {
        let Partitions::These(set) = Partitions::each([3, 1, 3]) else { panic!("two partitions") };
        assert_eq!((set.as_slice(), set.highest()), (&[1, 3][..], 3));
        assert_eq!(Partitions::each([7]), Partitions::one(7));
        assert_eq!(Partitions::each([]), Partitions::Drop);
    }

    proptest! {
        #[test]
        fn a_partition_is_one_of_the_topics(key: Vec<u8>, partitions in 1_u32..) {
            prop_assert!(partition_of(&key, partitions) < partitions);
        }
    }
}
