//! Takes fetched records from a consumer in batches: a call each would cost more than the records.

use std::ffi::CStr;
use std::ptr::NonNull;
use std::slice;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use tidemill_dsl::record::{BatchBuilder, Headers, Timestamp};

use super::super::client::Quiet;
use super::loss::{self, Listener};
use super::topic_handle::TopicHandle;
use super::{text, trace_native};

/// The most messages that one call takes: few enough that they are still near the processor when they are read and given back.
const TAKE_MAX: usize = 512;

/// A consumer whose records are taken in batches, and in no other way. It is no member of a group, so its queue holds records,
/// ends and errors only: the batch call would answer a rebalance by dropping the assignment.
pub(in super::super) struct Fetcher {
    queue: NonNull<sys::rd_kafka_queue_t>,
    taken: Mutex<Buffer>,
    // Dropped after the queue's handle, which must not be used without it.
    consumer: BaseConsumer<Quiet>,
}

/// Messages that were taken and not given back; empty between two calls.
struct Buffer(Vec<NonNull<sys::rd_kafka_message_t>>);

// SAFETY: the client's queues and messages may be used by any thread; the mutex lets one at a time.
unsafe impl Send for Buffer {}
// SAFETY: as above: `rd_kafka_queue_yield` may be called at any time, and the batch call is behind the mutex.
unsafe impl Send for Fetcher {}
// SAFETY: as above.
unsafe impl Sync for Fetcher {}

impl Fetcher {
    /// Takes over a consumer that has a group's name (and so a queue of its own) and never subscribes.
    pub(in super::super) fn new(consumer: BaseConsumer<Quiet>) -> Option<Fetcher> {
        // SAFETY: the client lives, and what is returned is ours to destroy.
        let queue = NonNull::new(unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) })?;
        // SAFETY: the function may be called by any thread at any time. Without it, what the client says while batches are taken
        // would be printed.
        unsafe { sys::rd_kafka_set_logger(consumer.client().native_ptr(), Some(trace_native)) };
        Some(Fetcher { queue, taken: Mutex::new(Buffer(Vec::with_capacity(TAKE_MAX))), consumer })
    }

    /// Has `listener` called once when the client has lost a broker, or does not know who leads a partition.
    pub(in super::super) fn on_loss(&self, listener: Listener) {
        loss::listen(self.consumer.client().native_ptr(), listener);
    }

    /// What partitions are assigned, paused and asked with; polling it would take records away.
    pub(in super::super) fn consumer(&self) -> &BaseConsumer<Quiet> {
        &self.consumer
    }

    /// Makes a topic known to the client, which then asks at once who leads its partitions; of a topic that it is only told to read
    /// it asks up to a second later. It may forget the topic when the handle goes and it does not read it.
    pub(in super::super) fn know(&self, topic: &str) -> Option<TopicHandle> {
        TopicHandle::new(self.consumer.client().native_ptr(), topic)
    }

    /// Takes what is there; waits for the first message, at most for `wait`. One thread at a time: see `Turns`.
    pub(in super::super) fn take(&self, wait: Duration) -> Taken<'_> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        self.take_into(&mut taken.0, Duration::ZERO, TAKE_MAX);
        if taken.0.is_empty() && !wait.is_zero() {
            // The call returns when it has all that it was asked for or the time is over: so it waits for one message.
            self.take_into(&mut taken.0, wait, 1);
            self.take_into(&mut taken.0, Duration::ZERO, TAKE_MAX - 1);
        }
        Taken(taken)
    }

    fn take_into(&self, into: &mut Vec<NonNull<sys::rd_kafka_message_t>>, wait: Duration, count: usize) {
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        into.reserve(count);
        let free = into.spare_capacity_mut();
        // SAFETY: there is room for `count` pointers, a pointer that is never null has the layout of `NonNull`, and the queue
        // lives as long as `self`. One thread is here at a time.
        let got =
            unsafe { sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), wait, free.as_mut_ptr().cast(), count) };
        let got = usize::try_from(got).unwrap_or(0).min(count);
        // SAFETY: as many were written.
        unsafe { into.set_len(into.len() + got) };
    }

    /// Ends the wait of whoever takes, or the next one.
    pub(in super::super) fn wake(&self) {
        // SAFETY: the queue lives as long as `self`.
        unsafe { sys::rd_kafka_queue_yield(self.queue.as_ptr()) };
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        loss::forget(self.consumer.client().native_ptr());
        // SAFETY: it came from `rd_kafka_queue_get_consumer`, is not used again, and the client still lives.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// Messages that were taken; dropping gives them back.
pub(in super::super) struct Taken<'a>(MutexGuard<'a, Buffer>);

impl Taken<'_> {
    /// The messages, in order.
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = Fetched<'_>> {
        // SAFETY: each is alive until `self` is dropped.
        self.0.0.iter().map(|message| Fetched(unsafe { message.as_ref() }))
    }

    /// Whether there are none.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // SAFETY: each came from the batch call and is given back once.
        self.0.0.drain(..).for_each(|message| unsafe { sys::rd_kafka_message_destroy(message.as_ptr()) });
    }
}

/// A record, or what happened instead.
#[derive(Clone, Copy)]
pub(in super::super) struct Fetched<'a>(&'a sys::rd_kafka_message_t);

impl Fetched<'_> {
    /// The topic; empty where something happened to no topic.
    pub(in super::super) fn topic(&self) -> &str {
        if self.0.rkt.is_null() {
            return "";
        }
        // SAFETY: the name lives as long as the topic's handle, which the message holds.
        let name = unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(self.0.rkt)) };
        name.to_str().unwrap_or_default()
    }

    /// The partition's number.
    pub(in super::super) fn partition(&self) -> u32 {
        u32::try_from(self.0.partition).unwrap_or_default()
    }

    /// Whether both are of one partition.
    pub(in super::super) fn is_beside(&self, other: &Fetched<'_>) -> bool {
        self.0.rkt == other.0.rkt && self.0.partition == other.0.partition
    }

    /// The record's offset; at the end of a partition, where that is.
    pub(in super::super) fn offset(&self) -> u64 {
        u64::try_from(self.0.offset).unwrap_or_default()
    }

    /// What happened, if this is no record.
    pub(in super::super) fn error(&self) -> Option<RDKafkaErrorCode> {
        let code = self.0.err;
        (code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
    }

    /// Whether this is the end of a partition.
    pub(in super::super) fn is_end(&self) -> bool {
        self.0.err == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF
    }

    /// Adds the record to a batch.
    pub(in super::super) fn push_to(&self, batch: &mut BatchBuilder) {
        let message: *const sys::rd_kafka_message_t = self.0;
        // SAFETY: the message lives, and nobody asks for the kind of time.
        let millis = unsafe { sys::rd_kafka_message_timestamp(message, std::ptr::null_mut()) };
        // SAFETY: both lie in the message, which lives as long as they are lent.
        let (key, value) = unsafe { (bytes(self.0.key, self.0.key_len), bytes(self.0.payload, self.0.len)) };
        batch.push(Timestamp::from_millis(millis), key, value, &self.headers());
    }

    fn headers(&self) -> Headers {
        let mut all = std::ptr::null_mut();
        // SAFETY: the message lives, and keeps the headers.
        let found = unsafe { sys::rd_kafka_message_headers(self.0, &mut all) };
        if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Headers::NONE;
        }
        let mut headers = Headers::default();
        for at in 0.. {
            let (mut name, mut value, mut length) = (std::ptr::null(), std::ptr::null(), 0);
            // SAFETY: the headers live as long as the message; the places for the answer are ours.
            let found = unsafe { sys::rd_kafka_header_get_all(all, at, &mut name, &mut value, &mut length) };
            if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                break;
            }
            // SAFETY: both lie in the message, which lives as long as they are lent.
            let (name, value) = unsafe { (text(name), bytes(value, length)) };
            headers.add(&name, value.map(bytes::Bytes::copy_from_slice));
        }
        headers
    }
}

/// Bytes of a message; none where there is no pointer.
///
/// # Safety
///
/// `start` is null or the first of `length` bytes that live as long as the result.
unsafe fn bytes<'a>(start: *const std::ffi::c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: not null, and the caller says the rest.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast(), length) })
}
