//! Foreign-key join: rows of a left table, each pointing to a key of a right one.
//!
//! Rule: the two tables lie in different tasks, so they talk. A left row *subscribes* to the right key that it points to; the
//! right side keeps subscriptions and *answers* each of them, when it comes and whenever the right row changes. An answer
//! carries the hash of the left row that it was asked for: if that is another one by now, a newer answer is on its way, and
//! this one is dropped.

mod answer;
mod keep;
mod notify;
mod resolve;
mod subscribe;

pub(crate) use answer::AnswerSubscription;
pub(crate) use keep::KeepSubscription;
pub(crate) use notify::NotifySubscribers;
pub(crate) use resolve::{Resolve, ToLeftRow};
pub(crate) use subscribe::Subscribe;

use crate::processor::ProcessError;
use crate::record::murmur3;
use crate::serde::{SerdeRef, Subscription};
use crate::state::KeyValueState;

/// The subscriptions to the right rows of a task, by the bytes of right and left key.
pub(crate) type Subscriptions = KeyValueState<Vec<u8>, Subscription>;

/// What a left row is known by.
fn row_hash<V: 'static>(serde: &SerdeRef<V>, row: &V) -> Result<u128, ProcessError> {
    Ok(murmur3(&bytes_of(serde, row)?))
}

/// Room for a key or a row of the usual size, so that a buffer need not grow.
const USUAL: usize = 32;

fn bytes_of<T: 'static>(serde: &SerdeRef<T>, value: &T) -> Result<Vec<u8>, ProcessError> {
    let mut bytes = Vec::with_capacity(USUAL);
    serde.write(value, &mut bytes)?;
    Ok(bytes)
}
