//! What the client library can do and its Rust crate does not offer.
//!
//! Rule: nothing outside of this folder calls a foreign function. Every pointer here belongs to a value that frees it once, and
//! what a pointer leads to is lent no longer than that value lives.
#![allow(unsafe_code, reason = "the client library is written in C; each block says why it is sound")]

mod admin;
mod loss;
mod queue;
mod sender;
mod topic_handle;

use std::ffi::{CStr, c_char, c_int};
use std::ptr::NonNull;

use rdkafka::bindings as sys;

use super::trouble;

pub(super) use admin::{Committed, Group, Offsets, committed, forget, group, has_joined, topic_id};
pub(super) use queue::{Fetched, Fetcher, Taken};
pub(super) use sender::{Sender, TopicHandles};

/// The names of all settings that the client knows.
pub(super) fn setting_names() -> Vec<String> {
    let mut names = Vec::new();
    // SAFETY: both objects are new, are looked at while they live, and are freed once, as are the lists made of them.
    unsafe {
        let mut count = 0;
        let general = sys::rd_kafka_conf_new();
        let pairs = sys::rd_kafka_conf_dump(general, &mut count);
        names.extend(every_other(pairs, count));
        sys::rd_kafka_conf_dump_free(pairs, count);
        sys::rd_kafka_conf_destroy(general);
        let topic = sys::rd_kafka_topic_conf_new();
        let pairs = sys::rd_kafka_topic_conf_dump(topic, &mut count);
        names.extend(every_other(pairs, count));
        sys::rd_kafka_conf_dump_free(pairs, count);
        sys::rd_kafka_topic_conf_destroy(topic);
    }
    names.sort();
    names.dedup();
    names
}

/// The names in a list of names and values.
///
/// # Safety
///
/// `pairs` has `count` texts.
unsafe fn every_other(pairs: *mut *const c_char, count: usize) -> Vec<String> {
    // SAFETY: the caller says that there are as many.
    (0..count).step_by(2).map(|at| unsafe { text(*pairs.add(at)) }).collect()
}

/// A copy of a C text; empty for none.
///
/// # Safety
///
/// `text` is null or ends with a zero byte.
unsafe fn text(text: *const c_char) -> String {
    let text = NonNull::new(text.cast_mut());
    // SAFETY: not null, and the caller says that it ends.
    text.map_or(String::new(), |text| unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned())
}

/// Passes the client's own words on: what is trouble elsewhere is a warning here, because the engine says itself when it
/// cannot go on.
pub(super) fn trace(level: i32, facility: &str, message: &str) {
    match level {
        // A setting of the program that is for producers, told to a consumer, or the other way round.
        _ if facility == "CONFWARN" => tracing::debug!(target: "tidemill::kafka", facility, "{message}"),
        // Connections that fail or are lost, in the words of each client.
        ..=6 if matches!(facility, "FAIL" | "ERROR") => {
            if let Some(repeated) = trouble::due(trouble::kind(message)) {
                tracing::warn!(target: "tidemill::kafka", facility, repeated, "{message}");
            }
        }
        ..=4 => tracing::warn!(target: "tidemill::kafka", facility, "{message}"),
        5..=6 => tracing::info!(target: "tidemill::kafka", facility, "{message}"),
        _ => tracing::debug!(target: "tidemill::kafka", facility, "{message}"),
    }
}

/// As [`trace`], called by the client.
unsafe extern "C" fn trace_native(
    client: *const sys::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    message: *const c_char,
) {
    // SAFETY: the client passes texts that live as long as the call.
    let (facility, message) = unsafe { (text(facility), text(message)) };
    trace(level, &facility, &message);
    loss::hear(client, level, &facility, &message);
}
