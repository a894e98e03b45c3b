//! Chance from a seed that is printed: the same seed gives the same run, as far as processes can be repeated.

/// The variable that names another seed.
pub(crate) const SEED: &str = "TIDEMILL_CRASH_SEED";

/// Steele and Vigna's splitmix64.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Chance(seed)
    }

    /// The seed that the environment names, or 1.
    pub(crate) fn seed() -> u64 {
        std::env::var(SEED).map_or(1, |seed| seed.parse().expect("the seed is a number"))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
