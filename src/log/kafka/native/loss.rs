//! Hears from a client that it lost a broker, or that it cannot say who leads a partition.
//!
//! Rule: whoever listens is told once, from whatever thread of the client, and asks the client for nothing there.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::bindings as sys;

/// What is done when a client is lost.
pub(in super::super) type Listener = Box<dyn FnOnce() + Send>;

/// The client has no room for a value of ours that its logger could be given, so listeners are known by the client's address.
static LISTENERS: Mutex<BTreeMap<usize, Listener>> = Mutex::new(BTreeMap::new());

fn listeners() -> MutexGuard<'static, BTreeMap<usize, Listener>> {
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn address(client: *const sys::rd_kafka_t) -> usize {
    client.addr()
}

/// Listens to a client, until it is told or `forget` is called.
pub(super) fn listen(client: *const sys::rd_kafka_t, listener: Listener) {
    listeners().insert(address(client), listener);
}

/// Ends the listening. To be called before the client ends, as another one may get its address.
pub(super) fn forget(client: *const sys::rd_kafka_t) {
    listeners().remove(&address(client));
}

/// Takes in what a client says, and tells whoever listens.
pub(super) fn hear(client: *const sys::rd_kafka_t, level: i32, facility: &str, message: &str) {
    if is_loss(level, facility, message) {
        let listener = listeners().remove(&address(client));
        if let Some(listener) = listener {
            listener();
        }
    }
}

/// A connection that was up and is no more, or news about a leader that came to nothing.
fn is_loss(level: i32, facility: &str, message: &str) -> bool {
    match facility {
        "FAIL" => message.contains("in state UP"),
        "METADATAUPDATE" => level <= 4,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_was_up_is_a_loss_and_one_that_never_was_is_none() {
        let lost = "localhost:9092/1: Disconnected (after 24018ms in state UP)";
        let refused =
            "localhost:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)";
        assert!(is_loss(6, "FAIL", lost));
        assert!(!is_loss(3, "FAIL", refused));
    }

    #[test]
    fn a_leader_that_nobody_knows_is_a_loss_and_one_that_is_known_is_none() {
        assert!(is_loss(4, "METADATAUPDATE", "Partition in(AAA)[0]: new leader-1 not found in cache"));
        assert!(!is_loss(7, "METADATAUPDATE", "Partition in(AAA)[0]: updated with leader 1 and epoch 2"));
    }
}
