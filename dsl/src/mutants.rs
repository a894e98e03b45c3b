//! Faults that are planted on purpose, to see whether the explorer finds them: negative controls.
//!
//! Rule: without `--cfg tidemill_mutants` nothing can be planted, and what asks for it costs nothing.

/// A fault that others have shipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A restore stops before the last record of a changelog (KAFKA-12951).
    RestoreStopsEarly,
    /// A commit leaves out what changed in stores.
    ChangesForgotten,
    /// A commit leaves out what lies in record caches.
    CachesForgotten,
    /// A restart forgets the times of operators, so that late records are taken (KAFKA-7994).
    TimesForgotten,
    /// A commit stores how far was fetched, not how far was processed (KAFKA-9623).
    FetchedCommitted,
    /// A foreign-key join takes an answer for a row that is another one by now (KAFKA-18713).
    OldAnswerTaken,
    /// Positions are committed before outputs have arrived.
    PositionsFirst,
    /// A former owner of tasks may still commit its transaction (KAFKA-12693).
    ZombieCommits,
    /// What a store on disk has of a transaction that a crash ended is kept (KAFKA-7192).
    DirtyStoreKept,
    /// A store says that it has a record of its changelog more than was written down (KAFKA-10151).
    CheckpointAhead,
}

#[cfg(tidemill_mutants)]
static PLANTED: std::sync::Mutex<Option<Mutant>> = std::sync::Mutex::new(None);

/// Plants a fault in place of the one before, or none.
#[cfg(tidemill_mutants)]
pub fn plant(mutant: Option<Mutant>) {
    *PLANTED.lock().expect("nobody panics while holding it") = mutant;
}

/// Whether a fault is planted.
#[cfg(tidemill_mutants)]
pub fn is_planted(mutant: Mutant) -> bool {
    *PLANTED.lock().expect("nobody panics while holding it") == Some(mutant)
}

/// Whether a fault is planted: never.
#[cfg(not(tidemill_mutants))]
#[inline(always)]
pub const fn is_planted(_: Mutant) -> bool {
    false
}
