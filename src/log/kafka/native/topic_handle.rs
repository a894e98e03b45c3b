//! A topic that a client knows as long as somebody holds on to it.

use std::ffi::CString;
use std::ptr::{self, NonNull};

use rdkafka::bindings as sys;

/// A handle of a topic. It is given back before its client is dropped.
pub(in super::super) struct TopicHandle(NonNull<sys::rd_kafka_topic_t>);

// SAFETY: the client's topics may be used by any thread.
unsafe impl Send for TopicHandle {}

impl TopicHandle {
    /// `None` for a name that no topic can have. The client lives.
    pub(super) fn new(client: *mut sys::rd_kafka_t, topic: &str) -> Option<TopicHandle> {
        let name = CString::new(topic).ok()?;
        // SAFETY: the client lives, and copies the name; without a configuration the topic has the client's.
        NonNull::new(unsafe { sys::rd_kafka_topic_new(client, name.as_ptr(), ptr::null_mut()) }).map(TopicHandle)
    }

    /// What the client calls it by.
    pub(super) fn native(&self) -> NonNull<sys::rd_kafka_topic_t> {
        self.0
    }
}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        // SAFETY: it came from `rd_kafka_topic_new`, and is given back once.
        unsafe { sys::rd_kafka_topic_destroy(self.0.as_ptr()) };
    }
}
