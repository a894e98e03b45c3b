//! What came of a command, on its way from the node that decides to those that hand it on.

use std::cell::Cell;

use crate::event_sourcing::{Aggregate, Reply};

/// A reply, as its aggregate gives it.
pub(crate) type ReplyOf<A> = Reply<<A as Aggregate>::Event, <A as Aggregate>::Refusal>;

/// A command that was decided.
pub(crate) struct Decided<A: Aggregate> {
    pub(crate) reply: ReplyOf<A>,
    /// Whether it is an earlier command's reply, given again: then nothing else comes of it.
    pub(crate) repeated: bool,
    /// The state after it, if that is another; taken by the node that keeps states.
    pub(crate) state: Cell<Option<NewState<A>>>,
    /// Who waits for the reply: a partition of the topic of answers, and what the answer is called.
    pub(crate) asked_by: Option<(u32, Vec<u8>)>,
}

/// A state that takes the place of another; without value, it is gone.
pub(crate) struct NewState<A>(pub(crate) Option<A>);
