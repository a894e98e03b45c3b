//! The parts that worlds are made of.
//!
//! Rule: equal parts lie in memory once, whatever led to them, and are hashed once. There are far fewer parts than worlds: two
//! partitions with a hundred contents each make ten thousand worlds.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use tidemill::task::Fingerprint;

/// A part of a world, shared until it changes.
#[derive(Debug, Default)]
pub(super) struct Part<T>(Arc<Body<T>>);

#[derive(Clone, Debug, Default)]
struct Body<T> {
    value: T,
    /// Of a part that has not changed since it was hashed.
    hash: Option<Fingerprint>,
}

/// Writes down what two values have to agree in to be equal.
pub(super) trait Canonical {
    fn write(&self, out: &mut Vec<u8>);
}

impl<T> Clone for Part<T> {
    fn clone(&self) -> Self {
        Part(self.0.clone())
    }
}

impl<T> Deref for Part<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: Clone> Part<T> {
    pub(super) fn new(value: T) -> Self {
        Part(Arc::new(Body { value, hash: None }))
    }

    /// The value, to be changed here and in no other world.
    pub(super) fn change(&mut self) -> &mut T {
        let body = Arc::make_mut(&mut self.0);
        body.hash = None;
        &mut body.value
    }
}

/// All parts of a kind that a search has seen.
pub(super) struct Pool<T>(ByFingerprint<Part<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Pool(ByFingerprint::default())
    }
}

impl<T: Canonical + Clone> Pool<T> {
    /// Puts the part that was there first in the place of one that is equal. Gives its hash.
    pub(super) fn share(&mut self, part: &mut Part<T>, buffer: &mut Vec<u8>) -> Fingerprint {
        if let Some(hash) = part.0.hash {
            return hash;
        }
        buffer.clear();
        part.write(buffer);
        let hash = Fingerprint::of(buffer);
        let known = self.0.entry(key(hash)).or_insert_with(|| {
            Arc::make_mut(&mut part.0).hash = Some(hash);
            part.clone()
        });
        part.clone_from(known);
        hash
    }
}

/// A map by fingerprints, which are good hashes already.
pub(super) type ByFingerprint<T> = HashMap<[u64; 2], T, BuildHasherDefault<AsItIs>>;

/// A fingerprint as a key: two halves take less room than one number that has to be aligned.
pub(super) fn key(Fingerprint(bits): Fingerprint) -> [u64; 2] {
    [(bits >> 64) as u64, bits as u64]
}

#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for half in bytes.chunks_exact(8) {
            self.0 ^= u64::from_le_bytes(half.try_into().expect("8 bytes"));
        }
    }

    fn write_u64(&mut self, half: u64) {
        self.0 ^= half;
    }

    // The length of an array is the same for all.
    fn write_usize(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Canonical for String {
        fn write(&self, out: &mut Vec<u8>) {
            out.extend(self.as_bytes());
        }
    }

    #[test]
    fn equal_parts_lie_in_memory_once_until_one_changes() {
        let (mut pool, mut buffer) = (Pool::default(), Vec::new());
        let [mut one, mut other] = ["same", "same"].map(|text| Part::new(text.to_owned()));
        let hash = pool.share(&mut one, &mut buffer);
        assert_eq!(pool.share(&mut other, &mut buffer), hash);
        assert!(Arc::ptr_eq(&one.0, &other.0));

        other.change().push('!');
        assert_eq!((&**one, &**other), ("same", "same!"));
        assert_ne!(pool.share(&mut other, &mut buffer), hash, "what has changed is hashed again");
    }

    #[test]
    fn fingerprints_that_differ_in_either_half_fall_into_different_places() {
        let hash = |bits| {
            let mut hasher = AsItIs::default();
            std::hash::Hash::hash(&key(Fingerprint(bits)), &mut hasher);
            hasher.finish()
        };
        assert_eq!(hash(1 << 64 | 2), 3);
        assert_ne!(hash(5 << 64 | 2), hash(5 << 64 | 3));
    }
}
