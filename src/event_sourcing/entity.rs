//! An aggregate in memory: what is stored of it, and what was added since.

use tidemill_dsl::event_sourcing::{Aggregate, evolved};

pub(super) struct Entity<A: Aggregate> {
    /// The state that the stored events make; `None`: it is gone.
    pub(super) stored: Option<A>,
    /// How many events are stored.
    pub(super) version: u64,
    /// The state with what was added.
    pub(super) state: Option<A>,
    /// Events that are not stored yet.
    pub(super) added: Vec<A::Event>,
    /// How many of them are in doubt, and the id that they were sent with.
    pub(super) in_doubt: Option<(String, usize)>,
}

impl<A: Aggregate> Entity<A> {
    /// One that has this state at this version.
    pub(super) fn at(state: Option<A>, version: u64) -> Self {
        Entity { stored: state.clone(), version, state, added: Vec::new(), in_doubt: None }
    }

    pub(super) fn add(&mut self, event: A::Event) {
        self.state = evolved(self.state.take().unwrap_or_default(), [&event]);
        self.added.push(event);
    }

    /// Takes an event that is stored.
    pub(super) fn replay(&mut self, event: &A::Event) {
        self.stored = evolved(self.stored.take().unwrap_or_default(), [event]);
        self.version += 1;
        self.restate();
    }

    /// The first `count` of what was added is stored now.
    pub(super) fn keep(&mut self, count: usize) {
        let kept: Vec<A::Event> = self.added.drain(..count).collect();
        if !kept.is_empty() {
            self.stored = evolved(self.stored.take().unwrap_or_default(), &kept);
        }
        self.version += kept.len() as u64;
        self.in_doubt = None;
    }

    /// Forgets what was added.
    pub(super) fn discard(&mut self) {
        self.added.clear();
        self.in_doubt = None;
        self.restate();
    }

    fn restate(&mut self) {
        self.state = match &*self.added {
            [] => self.stored.clone(),
            added => evolved(self.stored.clone().unwrap_or_default(), added),
        };
    }
}
