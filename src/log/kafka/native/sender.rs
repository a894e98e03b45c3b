//! Gives records to a producer by handles of its topics: by their names the client would look each record's topic up, and the Rust
//! crate copies the name for each.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, PoisonError};

use rdkafka::bindings as sys;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use tidemill_dsl::record::{Headers, StoredRecord, TopicName, TopicPartition};

use super::topic_handle::TopicHandle;

/// Handles of the topics that a producer has written to.
///
/// Rule: a handle is given back before its producer is dropped, so this is a part of the value that owns the producer, and stands before
/// it.
#[derive(Default)]
pub(in super::super) struct TopicHandles(Mutex<BTreeMap<TopicName, TopicHandle>>);

/// A partition that a producer writes to.
pub(in super::super) struct Sender<'a> {
    producer: *mut sys::rd_kafka_t,
    topic: NonNull<sys::rd_kafka_topic_t>,
    partition: i32,
    /// What is sent as one of this number is told so when it is delivered.
    number: usize,
    // The producer and the handle live as long as this does.
    of: PhantomData<&'a TopicHandles>,
}

impl TopicHandles {
    /// What sends to a partition; each delivery is told as one of `number`. `None` for a name that no topic can have.
    pub(in super::super) fn sender<'a, C: ProducerContext<DeliveryOpaque = usize>>(
        &'a self,
        producer: &'a BaseProducer<C>,
        to: &TopicPartition,
        number: usize,
    ) -> Option<Sender<'a>> {
        let producer = producer.client().native_ptr();
        let mut handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = match handles.get(&*to.topic) {
            Some(handle) => handle.native(),
            None => {
                let handle = TopicHandle::new(producer, &to.topic)?;
                let topic = handle.native();
                handles.insert(to.topic.clone(), handle);
                topic
            }
        };
        let partition = i32::try_from(to.partition).unwrap_or(i32::MAX);
        Some(Sender { producer, topic, partition, number, of: PhantomData })
    }
}

impl Sender<'_> {
    /// Copies a record into the producer's queue. `millis` is its time; the client takes 0 for the present.
    pub(in super::super) fn send(
        &self,
        record: &StoredRecord<'_>,
        millis: i64,
        headers: &Headers,
    ) -> Result<(), RDKafkaErrorCode> {
        let headers = NativeHeaders::of(headers);
        let (value, value_length) = start_of(record.value);
        let (key, key_length) = start_of(record.key);
        // SAFETY: the producer and the topic live; after each tag stand the values that it says, in C's own types, and the list ends
        // with its end. What the pointers lead to is copied before the call returns.
        let answer = unsafe {
            sys::rd_kafka_producev(
                self.producer,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                self.topic.as_ptr(),
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
                self.partition,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                sys::RD_KAFKA_MSG_F_COPY,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                value,
                value_length,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
                key,
                key_length,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE,
                self.number as *mut c_void,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
                millis,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                headers.0,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            )
        };
        if answer != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(answer.into());
        }
        // They are the client's now.
        std::mem::forget(headers);
        Ok(())
    }
}

/// Headers in the client's form; null for none.
struct NativeHeaders(*mut sys::rd_kafka_headers_t);

impl NativeHeaders {
    fn of(headers: &Headers) -> NativeHeaders {
        let count = headers.iter().count();
        if count == 0 {
            return NativeHeaders(ptr::null_mut());
        }
        // SAFETY: what is made is ours.
        let native = NativeHeaders(unsafe { sys::rd_kafka_headers_new(count) });
        for (name, value) in headers.iter() {
            let (start, length) = start_of(value);
            // SAFETY: the headers live, and copy what they are given: a name of so many bytes, and a value of so many.
            unsafe {
                sys::rd_kafka_header_add(
                    native.0,
                    name.as_ptr().cast(),
                    name.len().cast_signed(),
                    start,
                    length.cast_signed(),
                )
            };
        }
        native
    }
}

impl Drop for NativeHeaders {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: they are still ours.
            unsafe { sys::rd_kafka_headers_destroy(self.0) };
        }
    }
}

/// Where bytes begin, and how many they are; null for none.
fn start_of(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((ptr::null_mut(), 0), |bytes| (bytes.as_ptr().cast_mut().cast(), bytes.len()))
}
