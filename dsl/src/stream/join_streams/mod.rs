//! Joins of two streams by key and time.

mod inner;
mod left;
mod options;
mod outer;
mod plan;

use crate::processor::ProcessError;

pub use options::StreamJoined;

/// Which sides' records come out if they meet none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pads {
    left: bool,
    right: bool,
}

impl Pads {
    /// Whether records wait.
    fn any(self) -> bool {
        self.left || self.right
    }

    /// What the join is called in messages.
    fn verb(self) -> &'static str {
        match (self.left, self.right) {
            (false, false) => "join_stream",
            (true, false) => "left_join_stream",
            (_, true) => "outer_join_stream",
        }
    }
}

/// A function that makes a result of a key and the values of both sides.
trait Joiner<K, L, R, O>: Fn(&K, Option<&L>, Option<&R>) -> Result<O, ProcessError> + Send + Sync + 'static {}

impl<K, L, R, O, F> Joiner<K, L, R, O> for F where
    F: Fn(&K, Option<&L>, Option<&R>) -> Result<O, ProcessError> + Send + Sync + 'static
{
}
