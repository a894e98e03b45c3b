//! Questions to the cluster that the crate does not ask: offsets of a group, its members, the id of a topic.

use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode as Code;
use sys::rd_kafka_admin_op_t as Question;
use sys::rd_kafka_resp_err_t::{RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR_NO_ERROR};
use tidemill_dsl::record::TopicPartition;

use super::text;

/// How far a group has committed a partition.
pub(in super::super) struct Committed {
    pub(in super::super) partition: TopicPartition,
    pub(in super::super) next: u64,
    /// What was committed with it.
    pub(in super::super) metadata: String,
}

/// How far a group has committed its partitions.
#[derive(Default)]
pub(in super::super) struct Offsets {
    pub(in super::super) committed: Vec<Committed>,
    /// Partitions that a transaction commits which is open, or whose end the brokers have not written everywhere.
    pub(in super::super) pending: Vec<TopicPartition>,
}

/// A group and who is in it.
pub(in super::super) struct Group {
    /// Whether it has the protocol of KIP-848.
    pub(in super::super) is_consumer: bool,
    /// What members call themselves, and where they are.
    pub(in super::super) members: Vec<(String, String)>,
}

/// What the cluster answered.
struct Answer(NonNull<sys::rd_kafka_event_t>);

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: it came from the queue and is destroyed once.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

type Options = *mut sys::rd_kafka_AdminOptions_t;
type Queue = *mut sys::rd_kafka_queue_t;

/// Asks and waits. `send` gets the client, the options and the queue for the answer.
fn ask<C: ClientContext>(
    client: &Client<C>,
    question: Question,
    limit: Duration,
    send: impl FnOnce(*mut sys::rd_kafka_t, Options, Queue),
) -> Result<Answer, Code> {
    let millis = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: queue and options are made here, are used while the client lives, and are destroyed once. The client keeps no
    // pointer to the options, and what it puts into the queue later goes with the queue.
    let answer = unsafe {
        let queue = sys::rd_kafka_queue_new(client.native_ptr());
        let options = sys::rd_kafka_AdminOptions_new(client.native_ptr(), question);
        sys::rd_kafka_AdminOptions_set_request_timeout(options, millis, ptr::null_mut(), 0);
        send(client.native_ptr(), options, queue);
        // The client answers within the limit, if only that there was no answer.
        let answer = NonNull::new(sys::rd_kafka_queue_poll(queue, millis.saturating_add(1000)));
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_queue_destroy(queue);
        answer.map(Answer)
    };
    let answer = answer.ok_or(Code::from(RD_KAFKA_RESP_ERR__TIMED_OUT))?;
    // SAFETY: the answer lives.
    match unsafe { sys::rd_kafka_event_error(answer.0.as_ptr()) } {
        RD_KAFKA_RESP_ERR_NO_ERROR => Ok(answer),
        error => Err(error.into()),
    }
}

/// Names go to the client as C texts.
fn c_text(name: &str) -> Result<CString, Code> {
    CString::new(name).map_err(|_| Code::InvalidArgument)
}

fn checked(error: *const sys::rd_kafka_error_t) -> Result<(), Code> {
    // SAFETY: null, or an error that the answer owns.
    match unsafe { sys::rd_kafka_error_code(error) } {
        RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(code.into()),
    }
}

/// What a group has committed of all partitions. The client must be a consumer with a group, whichever: another one takes an
/// answer like "this broker is just reading what the group had committed" for one to its own group, and crashes.
pub(in super::super) fn committed(
    consumer: &BaseConsumer<impl ConsumerContext>,
    group: &str,
    limit: Duration,
) -> Result<Offsets, Code> {
    let client = consumer.client();
    debug_assert!(consumer.group_metadata().is_some(), "the consumer has a group");
    let name = c_text(group)?;
    let answer = ask(client, Question::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, limit, |client, options, queue| {
        // SAFETY: the name outlives the call, which copies it; no list of partitions means all.
        unsafe {
            let error = sys::rd_kafka_AdminOptions_set_require_stable_offsets(options, 1);
            debug_assert!(error.is_null(), "the option belongs to the question");
            let mut wanted = sys::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), ptr::null());
            sys::rd_kafka_ListConsumerGroupOffsets(client, &mut wanted, 1, options, queue);
            sys::rd_kafka_ListConsumerGroupOffsets_destroy(wanted);
        }
    })?;
    // SAFETY: the answer lives, has as many results as it says, and owns what they lead to.
    unsafe {
        let result = sys::rd_kafka_event_ListConsumerGroupOffsets_result(answer.0.as_ptr());
        let mut count = 0;
        let groups = sys::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &mut count);
        let mut all = Offsets::default();
        for at in 0..count {
            let group = *groups.add(at);
            checked(sys::rd_kafka_group_result_error(group))?;
            let list = &*sys::rd_kafka_group_result_partitions(group);
            for at in 0..usize::try_from(list.cnt).unwrap_or_default() {
                let element = &*list.elems.add(at);
                match offset_of(element) {
                    Err(Code::UnstableOffsetCommit) => all.pending.push(partition_of(element)),
                    offset => all.committed.extend(offset?),
                }
            }
        }
        Ok(all)
    }
}

/// # Safety
///
/// `of` is an element of a list that lives.
unsafe fn offset_of(of: &sys::rd_kafka_topic_partition_t) -> Result<Option<Committed>, Code> {
    if of.err != RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(of.err.into());
    }
    let Ok(next) = u64::try_from(of.offset) else { return Ok(None) };
    // SAFETY: the caller says that they live.
    let (partition, metadata) = unsafe {
        let metadata =
            (!of.metadata.is_null()).then(|| std::slice::from_raw_parts(of.metadata.cast(), of.metadata_size));
        (partition_of(of), String::from_utf8_lossy(metadata.unwrap_or_default()).into_owned())
    };
    Ok(Some(Committed { partition, next, metadata }))
}

/// # Safety
///
/// `of` is an element of a list that lives.
unsafe fn partition_of(of: &sys::rd_kafka_topic_partition_t) -> TopicPartition {
    // SAFETY: the caller says that it lives.
    let topic = unsafe { text(of.topic) };
    TopicPartition::new(topic, u32::try_from(of.partition).unwrap_or_default())
}

/// Lets a group forget what it has committed of these partitions.
pub(in super::super) fn forget<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    partitions: &TopicPartitionList,
    limit: Duration,
) -> Result<(), Code> {
    let name = c_text(group)?;
    let answer =
        ask(client, Question::RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS, limit, |client, options, queue| {
            // SAFETY: name and list outlive the calls, which copy them; the request is destroyed once.
            unsafe {
                let mut wanted = sys::rd_kafka_DeleteConsumerGroupOffsets_new(name.as_ptr(), partitions.ptr());
                sys::rd_kafka_DeleteConsumerGroupOffsets(client, &mut wanted, 1, options, queue);
                sys::rd_kafka_DeleteConsumerGroupOffsets_destroy(wanted);
            }
        })?;
    // SAFETY: the answer lives, has as many groups and partitions as it says, and owns what they lead to.
    unsafe {
        let result = sys::rd_kafka_event_DeleteConsumerGroupOffsets_result(answer.0.as_ptr());
        let mut count = 0;
        let groups = sys::rd_kafka_DeleteConsumerGroupOffsets_result_groups(result, &mut count);
        for at in 0..count {
            checked(sys::rd_kafka_group_result_error(*groups.add(at)))?;
            let list = &*sys::rd_kafka_group_result_partitions(*groups.add(at));
            for at in 0..usize::try_from(list.cnt).unwrap_or_default() {
                match (*list.elems.add(at)).err {
                    RD_KAFKA_RESP_ERR_NO_ERROR => {}
                    error => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// Who is in a group; nobody in one that does not exist.
pub(in super::super) fn group<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    limit: Duration,
) -> Result<Group, Code> {
    let name = c_text(group)?;
    let answer = ask(client, Question::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, limit, |client, options, queue| {
        let mut names = [name.as_ptr()];
        // SAFETY: the list and the name outlive the call, which copies them.
        unsafe { sys::rd_kafka_DescribeConsumerGroups(client, names.as_mut_ptr(), 1, options, queue) };
    })?;
    // SAFETY: the answer lives, has as many groups and members as it says, and owns what they lead to.
    unsafe {
        let result = sys::rd_kafka_event_DescribeConsumerGroups_result(answer.0.as_ptr());
        let mut count = 0;
        let groups = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
        let mut found = Group { is_consumer: false, members: Vec::new() };
        for at in 0..count {
            let group = *groups.add(at);
            match checked(sys::rd_kafka_ConsumerGroupDescription_error(group)) {
                Err(Code::GroupIdNotFound) => continue,
                other => other?,
            }
            let kind = sys::rd_kafka_ConsumerGroupDescription_type(group);
            found.is_consumer = kind == sys::rd_kafka_consumer_group_type_t::RD_KAFKA_CONSUMER_GROUP_TYPE_CONSUMER;
            for at in 0..sys::rd_kafka_ConsumerGroupDescription_member_count(group) {
                let member = sys::rd_kafka_ConsumerGroupDescription_member(group, at);
                let client = text(sys::rd_kafka_MemberDescription_client_id(member));
                found.members.push((client, text(sys::rd_kafka_MemberDescription_host(member))));
            }
        }
        Ok(found)
    }
}

/// Whether the group of a consumer of the classic protocol has let it in.
pub(in super::super) fn has_joined<C: ClientContext>(client: &Client<C>) -> bool {
    // SAFETY: the client lives; the text is ours, and given back once.
    unsafe {
        let id = sys::rd_kafka_memberid(client.native_ptr());
        let has_joined = !text(id).is_empty();
        if !id.is_null() {
            sys::rd_kafka_mem_free(client.native_ptr(), id.cast());
        }
        has_joined
    }
}

/// The id of the topic that has this name now; `None` where there is none.
pub(in super::super) fn topic_id<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    limit: Duration,
) -> Result<Option<u128>, Code> {
    let name = c_text(topic)?;
    let answer = ask(client, Question::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, limit, |client, options, queue| {
        let mut names = [name.as_ptr()];
        // SAFETY: the list and the name outlive the calls, which copy them; the collection is destroyed once.
        unsafe {
            let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1);
            sys::rd_kafka_DescribeTopics(client, topics, options, queue);
            sys::rd_kafka_TopicCollection_destroy(topics);
        }
    })?;
    // SAFETY: the answer lives, has as many topics as it says, and owns what they lead to.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(answer.0.as_ptr());
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        let Some(topic) = (count > 0).then(|| *topics) else { return Ok(None) };
        match checked(sys::rd_kafka_TopicDescription_error(topic)) {
            Err(Code::UnknownTopicOrPartition | Code::InvalidTopic) => return Ok(None),
            other => other?,
        }
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        let (high, low) = (sys::rd_kafka_Uuid_most_significant_bits(id), sys::rd_kafka_Uuid_least_significant_bits(id));
        Ok(Some(u128::from(high.cast_unsigned()) << 64 | u128::from(low.cast_unsigned())))
    }
}
