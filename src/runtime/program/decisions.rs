//! What a program says about the state that an earlier one left.

use std::collections::{BTreeMap, BTreeSet};

/// Names of stores, or of repartition topics in full. A decision about something that fits has nothing to do, so it may stay in the
/// program after it was carried out; and each process of an application carries it out for what lies in its own folder.
#[derive(Clone, Debug, Default)]
pub(in crate::runtime) struct Decisions {
    /// Stores whose bytes are read as the program declares them now.
    pub(in crate::runtime) adopted: BTreeSet<String>,
    /// What is deleted if it does not fit.
    pub(in crate::runtime) dropped: BTreeSet<String>,
    /// New names of stores, by their old ones.
    pub(in crate::runtime) renamed: BTreeMap<String, String>,
}

impl Decisions {
    /// Names whose rows may be deleted where the program has no such store.
    pub(in crate::runtime) fn given_up(&self) -> BTreeSet<&str> {
        self.dropped.iter().chain(self.renamed.keys()).map(String::as_str).collect()
    }
}

/// The kind of a shape: what stands before the serdes, and whether there are headers. Stores of one kind have rows of one form around
/// the bytes of the serdes.
fn kind(shape: &str) -> Option<(&str, bool)> {
    let (before, value) = shape.split_once(" -> ")?;
    Some((before.rsplit_once(' ')?.0, value.ends_with(" with headers")))
}

/// Whether bytes written as one shape may be read as another.
pub(in crate::runtime) fn may_adopt(was: &str, is: &str) -> bool {
    kind(was).is_some_and(|was| Some(was) == kind(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serdes_may_be_adopted_and_kinds_may_not() {
        let plain = "plain key-value string -> json";
        assert!(may_adopt(plain, "plain key-value string -> avro"));
        assert!(may_adopt("window of 5 ms string -> i64", "window of 5 ms string -> json"));
        for other in [
            "timestamped key-value string -> json",
            "plain key-value string -> json with headers",
            "window of 5 ms string -> json",
            "something else",
        ] {
            assert!(!may_adopt(plain, other) && !may_adopt(other, plain), "{other}");
        }
        assert!(!may_adopt("window of 5 ms string -> i64", "window of 6 ms string -> i64"));
        assert!(!may_adopt("something else", "something else"), "what cannot be understood is not adopted");
    }
}
