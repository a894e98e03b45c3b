//! Serdes that programs name.

use std::time::Duration;

use serde_json::Value;
use tidemill::event_sourcing::ReplySerde;
use tidemill::fuzzing::round_trip;
use tidemill::serde::{Serde, SerdeRef, StrictUtf8};
use tidemill::window::{SessionWindowed, TimeWindowed};
use uuid::Uuid;

/// The serdes of built-in types, each with the same bytes.
pub(crate) fn built_in(bytes: &[u8]) {
    numbers(bytes);
    round_trip::<String>(&SerdeRef::<String>::of(), bytes);
    round_trip::<String>(&StrictUtf8, bytes);
    round_trip(&SerdeRef::<Uuid>::of(), bytes);
    round_trip(&SerdeRef::<Vec<u8>>::of(), bytes);
    round_trip(&SerdeRef::<Vec<i64>>::of(), bytes);
    round_trip(&SerdeRef::<Vec<String>>::of(), bytes);
    round_trip(&SerdeRef::<Vec<Option<Uuid>>>::of(), bytes);
    round_trip(&SerdeRef::<Option<Vec<Option<String>>>>::of(), bytes);
    round_trip(&SerdeRef::<Value>::json(), bytes);
    round_trip(&SerdeRef::<(String, Option<i64>)>::json(), bytes);
}

fn numbers(bytes: &[u8]) {
    round_trip(&SerdeRef::<bool>::of(), bytes);
    round_trip(&SerdeRef::<u8>::of(), bytes);
    round_trip(&SerdeRef::<i16>::of(), bytes);
    round_trip(&SerdeRef::<i32>::of(), bytes);
    round_trip(&SerdeRef::<i64>::of(), bytes);
    round_trip(&SerdeRef::<f32>::of(), bytes);
    round_trip(&SerdeRef::<f64>::of(), bytes);
}

/// Keys with windows.
pub(crate) fn windowed_keys(bytes: &[u8]) {
    let tumbling = TimeWindowed::serde(SerdeRef::<String>::of(), Duration::from_secs(60));
    let sessions = SessionWindowed::serde(SerdeRef::<i64>::of());
    round_trip(&tumbling, bytes);
    round_trip(&sessions, bytes);
    let _ = (tumbling.placing(bytes), sessions.placing(bytes));
}

/// Replies to commands.
pub(crate) fn replies(bytes: &[u8]) {
    round_trip(&ReplySerde::new(SerdeRef::<i64>::of(), SerdeRef::<String>::of()), bytes);
    round_trip(&ReplySerde::new(SerdeRef::<Value>::json(), SerdeRef::<Value>::json()), bytes);
}
