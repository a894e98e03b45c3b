//! The first entries of a group, read from its store.

use super::Candidate;

/// Entries in the order of their ranks, their keys one after another in one buffer: without the group's part.
#[derive(Default)]
pub(super) struct First {
    keys: Vec<u8>,
    /// For each entry the end of its key.
    entries: Vec<(usize, Candidate)>,
}

impl First {
    pub(super) fn push(&mut self, key: &[u8], candidate: Candidate) {
        self.keys.extend_from_slice(key);
        self.entries.push((self.keys.len(), candidate));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Candidate)> {
        let mut start = 0;
        self.entries.iter().map(move |(end, candidate)| {
            let key = &self.keys[start..*end];
            start = *end;
            (key, *candidate)
        })
    }

    /// How many entries these are, with those that are alike.
    pub(super) fn count(&self) -> usize {
        self.entries.iter().map(|(_, candidate)| candidate.count as usize).sum()
    }

    /// The key of the last one.
    pub(super) fn last(&self) -> Option<&[u8]> {
        self.iter().last().map(|(key, _)| key)
    }

    /// Whether the first `n` of these entries and of those are alike.
    pub(super) fn is_like(&self, other: &First, n: usize) -> bool {
        fn cut(entries: &First, n: usize) -> impl Iterator<Item = (&[u8], usize)> {
            entries.iter().scan(n, |left, (key, candidate)| {
                let count = (*left).min(candidate.count as usize);
                *left -= count;
                Some((key, count))
            })
        }
        cut(self, n).eq(cut(other, n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(entries: &[(&[u8], u32)]) -> First {
        let mut first = First::default();
        entries.iter().for_each(|(key, count)| first.push(key, Candidate { rank: 1, count: *count }));
        first
    }

    #[test]
    fn entries_are_alike_if_as_many_of_them_count() {
        let three = first(&[(b"a", 1), (b"bc", 2)]);
        assert_eq!((three.count(), three.last()), (3, Some(&b"bc"[..])));
        assert!(three.is_like(&first(&[(b"a", 1), (b"bc", 7)]), 3));
        assert!(!three.is_like(&first(&[(b"a", 1), (b"bc", 7)]), 4));
        assert!(!three.is_like(&first(&[(b"ab", 1), (b"c", 2)]), 3));
        assert!(!three.is_like(&first(&[(b"a", 1)]), 3));
        assert_eq!(First::default().last(), None);
    }
}
