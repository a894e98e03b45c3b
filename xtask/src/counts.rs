//! Counts tests in what `cargo test` prints.

use std::ops::AddAssign;

/// How many tests ran, by their result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// The counts of a line such as `test result: ok. 3 passed; 1 failed; 0 ignored; ..`; `None` for any other line.
    pub(crate) fn of_line(line: &str) -> Option<Counts> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let count = |what| counts.split("; ").find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok());
        Some(Counts { passed: count("passed")?, failed: count("failed")? })
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_counted_and_no_others() {
        let good = "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        assert_eq!(Counts::of_line(good), Some(Counts { passed: 12, failed: 0 }));
        let bad = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(Counts::of_line(bad), Some(Counts { passed: 1, failed: 2 }));
        for line in
            ["test a ... ok", "running 3 tests", "test result: unknown", "golden: 3 passed, 0 failed, 1 missing"]
        {
            assert_eq!(Counts::of_line(line), None, "{line}");
        }
    }

    #[test]
    fn counts_add_up() {
        let mut sum = Counts { passed: 1, failed: 2 };
        sum += Counts { passed: 10, failed: 20 };
        assert_eq!(sum, Counts { passed: 11, failed: 22 });
    }
}
