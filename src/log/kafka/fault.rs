//! What the client's errors mean for the caller.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::super::{LogError, LogErrorKind};

/// An error of the client, as one of the log: `what` could not be done.
pub(super) fn fault(what: &str, error: &KafkaError) -> LogError {
    match (error, error.rdkafka_error_code()) {
        // Its text has the value, which may be a secret.
        (KafkaError::ClientConfig(_, _, name, _), _) => {
            LogError::new(LogErrorKind::Invalid, format!("{what}: the client does not take the value of `{name}`"))
        }
        (KafkaError::Nul(_), _) => {
            LogError::new(LogErrorKind::Invalid, format!("{what}: a name or a setting has a zero byte in it"))
        }
        (_, Some(code)) => coded(what, code),
        (KafkaError::ClientCreation(reason), _) => LogError::new(LogErrorKind::Invalid, format!("{what}: {reason}")),
        _ => LogError::new(LogErrorKind::Unavailable, format!("{what}: {error}")),
    }
}

/// An error of the cluster.
pub(super) fn coded(what: &str, code: Code) -> LogError {
    LogError::new(kind(code), format!("{what}: {code}{}", next_step(code)))
}

/// Nobody answered in time.
pub(super) fn late(what: &str, brokers: &str, limit: Duration) -> LogError {
    let message = format!(
        "{what}: no answer from the brokers `{brokers}` within {limit:?}; see that they run and can be reached from here"
    );
    LogError::new(LogErrorKind::Unavailable, message)
}

/// Whether the same question to a group may be answered in a moment: its broker is starting, or another one takes its place.
pub(super) fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::BrokerTransportFailure
    )
}

fn kind(code: Code) -> LogErrorKind {
    match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => LogErrorKind::UnknownTopic,
        Code::OffsetOutOfRange | Code::AutoOffsetReset => LogErrorKind::OutOfRange,
        Code::Fatal
        | Code::Fenced
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::FencedInstanceId
        | Code::FencedMemberEpoch
        | Code::StaleMemberEpoch
        | Code::UnknownMemberId
        | Code::IllegalGeneration => LogErrorKind::Lost,
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication
        | Code::InvalidTopic
        | Code::InvalidTimestamp
        | Code::InvalidRecord
        | Code::InvalidConfig
        | Code::InvalidPartitions
        | Code::InvalidReplicationFactor
        | Code::PolicyViolation
        | Code::MessageSizeTooLarge
        | Code::InvalidTransactionTimeout
        | Code::UnsupportedVersion
        | Code::UnsupportedFeature => LogErrorKind::Invalid,
        Code::InvalidMessage | Code::BadMessage => LogErrorKind::Corrupt,
        _ => LogErrorKind::Unavailable,
    }
}

fn next_step(code: Code) -> &'static str {
    match code {
        Code::TopicAuthorizationFailed => "; the program's user needs the right to read, write or describe it",
        Code::GroupAuthorizationFailed => "; the program's user needs the right to read the group",
        Code::TransactionalIdAuthorizationFailed => "; the program's user needs the right to write and describe the id",
        Code::ClusterAuthorizationFailed => "; the program's user needs the right on the cluster",
        Code::UnsupportedVersion | Code::UnsupportedFeature => {
            "; the brokers are too old: Kafka 2.5 at least is needed"
        }
        Code::InvalidTransactionTimeout => {
            "; the brokers allow less (`transaction.max.timeout.ms`): lower `KafkaSettings::transaction_timeout`"
        }
        Code::InvalidTimestamp | Code::InvalidRecord => {
            "; a record has a time that is further from the present than the topic allows (`message.timestamp.after.max.ms`), or no \
             key in a compacted topic"
        }
        Code::MessageSizeTooLarge => "; a record is longer than the topic allows (`max.message.bytes`)",
        Code::AllBrokersDown | Code::BrokerTransportFailure | Code::OperationTimedOut | Code::Resolve => {
            "; see that the brokers run and can be reached from here"
        }
        _ => "",
    }
}
