//! What each answer to the calls of a transaction makes of a commit: the client's own mock cluster gives them, so no broker is
//! needed. Each cell is a request, an error, and what the session says; afterwards a new session must be able to commit.

use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey as Request, RDKafkaRespErr as Answer};
use tidemill::log::kafka::{KafkaLog, KafkaSettings};
use tidemill::log::{Append, InputProgress, Log, LogError, LogErrorKind, Notes, Progress};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};

use Answer::*;

type Outcome = Option<LogErrorKind>;

const DONE: Outcome = None;
const LOST: Outcome = Some(LogErrorKind::Lost);
const INVALID: Outcome = Some(LogErrorKind::Invalid);

const CELLS: &[(Request, Answer, Outcome)] = &[
    (Request::InitProducerId, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, DONE),
    (Request::InitProducerId, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, DONE),
    (Request::InitProducerId, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, DONE),
    (Request::InitProducerId, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, INVALID),
    (Request::InitProducerId, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, INVALID),
    (Request::AddPartitionsToTxn, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, DONE),
    (Request::AddPartitionsToTxn, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, DONE),
    (Request::AddPartitionsToTxn, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, LOST),
    (Request::AddPartitionsToTxn, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, LOST),
    (Request::AddPartitionsToTxn, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, LOST),
    (Request::AddPartitionsToTxn, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, LOST),
    (Request::AddPartitionsToTxn, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, INVALID),
    (Request::Produce, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, DONE),
    (Request::Produce, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, LOST),
    (Request::Produce, RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, LOST),
    (Request::Produce, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, INVALID),
    (Request::Produce, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, INVALID),
    (Request::AddOffsetsToTxn, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, DONE),
    (Request::AddOffsetsToTxn, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, DONE),
    (Request::AddOffsetsToTxn, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, LOST),
    (Request::AddOffsetsToTxn, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, LOST),
    (Request::AddOffsetsToTxn, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, LOST),
    (Request::AddOffsetsToTxn, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, INVALID),
    (Request::OffsetFetch, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, DONE),
    (Request::OffsetFetch, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, DONE),
    (Request::OffsetFetch, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, DONE),
    (Request::OffsetFetch, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, INVALID),
    (Request::TxnOffsetCommit, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, DONE),
    (Request::TxnOffsetCommit, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, DONE),
    (Request::TxnOffsetCommit, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, LOST),
    (Request::TxnOffsetCommit, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, LOST),
    (Request::TxnOffsetCommit, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, LOST),
    (Request::TxnOffsetCommit, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, LOST),
    (Request::TxnOffsetCommit, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, LOST),
    (Request::TxnOffsetCommit, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, INVALID),
    (Request::EndTxn, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, DONE),
    (Request::EndTxn, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, DONE),
    (Request::EndTxn, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, DONE),
    (Request::EndTxn, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, LOST),
    (Request::EndTxn, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, LOST),
    (Request::EndTxn, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, LOST),
    (Request::EndTxn, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, LOST),
];

/// A session that writes a record and commits it with a place.
fn write_and_commit(log: &KafkaLog, application: &str) -> Result<(), LogError> {
    let at = TopicPartition::new("t", 0);
    let mut batch = BatchBuilder::default();
    batch.push(Timestamp::from_millis(1), None, Some(b"v"), &Headers::NONE);
    let session = log.session(application)?;
    session.stage(Append { to: at.clone(), records: batch.finish(Offset::ZERO) })?;
    let reached = InputProgress { next: Offset::new(1), partition_time: None };
    session.commit(&Progress { inputs: [(at, reached)].into(), notes: Notes::new() })
}

fn outcome(cluster: &MockCluster<'_, DefaultProducerContext>, number: usize) -> Result<(), String> {
    let (request, answer, expected) = CELLS[number];
    let settings =
        KafkaSettings { answer_within: Duration::from_secs(10), ..KafkaSettings::new(cluster.bootstrap_servers()) };
    let log = KafkaLog::open(settings).map_err(|error| error.to_string())?;
    cluster.request_errors(request, &[answer]);
    let found = write_and_commit(&log, &format!("app-{number}"));
    cluster.clear_request_errors(request);
    let kind = found.as_ref().err().map(LogError::kind);
    if kind != expected {
        return Err(format!("{request:?} answered by {answer:?}: {found:?} instead of {expected:?}"));
    }
    let again = write_and_commit(&log, &format!("app-{number}"));
    again.map_err(|error| format!("after {request:?} answered by {answer:?} nothing can be committed: {error}"))
}

#[test]
fn every_answer_to_a_transaction_has_its_outcome() {
    let cluster = MockCluster::new(1).expect("a mock cluster can be made");
    cluster.create_topic("t", 1, 1).expect("a topic can be made");
    let wrong: Vec<String> = (0..CELLS.len()).filter_map(|number| outcome(&cluster, number).err()).collect();
    println!("answers to the calls of a transaction: {} of {} cells", CELLS.len() - wrong.len(), CELLS.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
