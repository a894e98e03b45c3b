//! What every client of the cluster is made with.
//!
//! Rule: no value of a setting is in a message, because it may be a secret; the names say enough.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::util::get_rdkafka_version;
use rdkafka::{ClientConfig, TopicPartitionList};

use super::super::{LogError, LogErrorKind, Member};
use super::settings::{GroupProtocol, Guarantee, KafkaSettings};
use super::{choice, native, trouble};

/// Older ones lose records or hang, see the client's own list of changes.
const OLDEST_CLIENT: (i32, &str) = (0x020c_0100, "2.12.1");

/// How members of a group begin to call themselves, which tells them from foreign ones.
pub(super) const MEMBER_NAME: &str = "tidemill-member-";

/// How often it is looked whether a client ends by itself, and how long each look takes.
const ENDS_IN_LOOKS: u32 = 40;
const A_LOOK: Duration = Duration::from_millis(5);

/// What the brokers want of a member.
pub(super) enum Rebalance {
    /// It gets these partitions.
    Assign(TopicPartitionList),
    /// It is to give these back, or has lost them.
    Revoke(TopicPartitionList),
}

/// A context that passes the client's own words on to `tracing`, and keeps what the brokers want until somebody asks.
#[derive(Default)]
pub(super) struct Quiet {
    rebalances: Mutex<VecDeque<Rebalance>>,
    /// Nobody asks any more: what the brokers want is done at once.
    is_closing: AtomicBool,
}

impl Quiet {
    /// Answers everything from now on, because a consumer that is closed waits for the answers.
    pub(super) fn close(&self, consumer: &BaseConsumer<Quiet>) {
        self.is_closing.store(true, Ordering::SeqCst);
        while let Some(wanted) = self.next_rebalance() {
            comply(consumer, &wanted);
        }
        // Whatever it was, this answers it.
        if let Err(error) = give_all_back(consumer) {
            tracing::debug!(target: "tidemill::kafka", %error, "there was nothing to give back");
        }
    }

    /// What the brokers want next.
    pub(super) fn next_rebalance(&self) -> Option<Rebalance> {
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        native::trace(level as i32, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        trouble::tell(&error, reason);
    }
}

impl ConsumerContext for Quiet {
    /// Answers nothing before the end: partitions are taken and given back elsewhere.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let list = partitions.clone();
        let wanted = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(list),
            _ => Rebalance::Revoke(list),
        };
        if self.is_closing.load(Ordering::SeqCst) {
            if !ends_by_itself(consumer) {
                comply(consumer, &wanted);
            }
            return;
        }
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push_back(wanted);
    }
}

/// Whether a client that is being closed ends although it has just asked something: one that has lost its share does, and whoever
/// answers it then waits for ever, since nobody in it listens any more.
fn ends_by_itself(consumer: &BaseConsumer<Quiet>) -> bool {
    for _ in 0..ENDS_IN_LOOKS {
        if consumer.closed() {
            return true;
        }
        thread::park_timeout(A_LOOK);
    }
    consumer.closed()
}

/// Does what the brokers want of a member that ends: it waits for nobody, and until it has answered it does not end.
fn comply(consumer: &BaseConsumer<Quiet>, wanted: &Rebalance) {
    let done = match (wanted, consumer.rebalance_protocol()) {
        (Rebalance::Assign(list), RebalanceProtocol::Cooperative) => consumer.incremental_assign(list),
        (Rebalance::Assign(list), _) => consumer.assign(list),
        (Rebalance::Revoke(_), _) => give_all_back(consumer),
    };
    if let Err(error) = done {
        tracing::debug!(target: "tidemill::kafka", %error, "a member that ends could not answer");
    }
}

/// Gives back whatever the member holds.
fn give_all_back(consumer: &BaseConsumer<Quiet>) -> Result<(), KafkaError> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(&consumer.assignment()?),
        _ => consumer.unassign(),
    }
}

/// Refuses a client library that is too old, and settings that the engine cannot have.
pub(super) fn check(settings: &KafkaSettings) -> Result<(), LogError> {
    let (number, version) = get_rdkafka_version();
    if number < OLDEST_CLIENT.0 {
        let message = format!(
            "the program was linked with librdkafka {version}, and only {} and later keep what is promised: build with the \
             bundled one, or install a newer one",
            OLDEST_CLIENT.1
        );
        return Err(LogError::new(LogErrorKind::Invalid, message));
    }
    choice::check(&settings.client)
}

/// What all clients have in common.
fn common(settings: &KafkaSettings) -> Result<ClientConfig, LogError> {
    let mut config = ClientConfig::new();
    config.set("client.id", "tidemill").set("log.connection.close", "false");
    // The engine waits for brokers itself, so the client reconnects at once and says what it finds.
    config.set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "1000");
    for (name, value) in &settings.client {
        config.set(name, value);
    }
    config.set("bootstrap.servers", &settings.brokers).set("allow.auto.create.topics", "false");
    for (name, value) in settings.security.client_settings()? {
        config.set(name, value);
    }
    Ok(config)
}

/// A client that administers topics and groups.
pub(super) fn admin(settings: &KafkaSettings) -> Result<ClientConfig, LogError> {
    let mut config = common(settings)?;
    // It asks for the ends of what was written, not of what was committed.
    config.set("isolation.level", "read_uncommitted");
    Ok(config)
}

/// A consumer of partitions that it is told, for `group`, whose member it is not.
pub(super) fn reader(settings: &KafkaSettings, group: &str, patience: Duration) -> Result<ClientConfig, LogError> {
    let mut config = common(settings)?;
    let isolation = match settings.guarantee {
        Guarantee::AtLeastOnce => "read_uncommitted",
        Guarantee::ExactlyOnce => "read_committed",
    };
    config
        .set("group.id", group)
        .set("group.protocol", "classic")
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        // A partition that is added meanwhile waits for the answer to the last fetch.
        .set("fetch.wait.max.ms", patience.as_millis().to_string())
        // Unless told, an idle consumer sleeps for a second before it fetches again.
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.message.max.bytes", "1048576")
        .set("queued.min.messages", "100000")
        .set("queued.max.messages.kbytes", "16384")
        // So that the loss of a connection is heard of; of idle ones it is nothing.
        .set("log.connection.close", "true")
        .set_log_level(RDKafkaLogLevel::Info);
    Ok(config)
}

/// The member of an application's group. It is known by its name, so that its share is the same after a restart.
pub(super) fn member(
    settings: &KafkaSettings,
    member: &Member,
    protocol: GroupProtocol,
) -> Result<ClientConfig, LogError> {
    let mut config = common(settings)?;
    let millis = |time: Duration| time.as_millis().to_string();
    config
        .set("client.id", format!("{MEMBER_NAME}{}", member.instance))
        .set("group.id", &member.application)
        .set("group.instance.id", &member.instance)
        .set("max.poll.interval.ms", millis(settings.poll_timeout))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error");
    match protocol {
        GroupProtocol::Classic => config
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "range")
            .set("session.timeout.ms", millis(settings.session_timeout))
            .set("heartbeat.interval.ms", millis(settings.session_timeout / 15)),
        // Here the brokers say how long a member may be silent.
        _ => config.set("group.protocol", "consumer").set("group.remote.assignor", "range"),
    };
    Ok(config)
}

/// A producer that writes each record once, in order.
pub(super) fn producer(settings: &KafkaSettings) -> Result<ClientConfig, LogError> {
    let mut config = common(settings)?;
    let timeout = delivery_timeout(settings).as_millis().to_string();
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("message.timeout.ms", timeout)
        // What waits for the brokers, with some 300 bytes beside each record: whoever writes faster waits.
        .set("queue.buffering.max.messages", "100000");
    if !settings.client.contains_key("linger.ms") {
        // Kafka Streams waits 100; a commit does not wait, and a tenth of the CPU is between this and 10.
        config.set("linger.ms", "25");
    }
    Ok(config)
}

/// A producer whose transactions replace those of every earlier one of the same id.
pub(super) fn transactions(settings: &KafkaSettings, id: &str) -> Result<ClientConfig, LogError> {
    let mut config = producer(settings)?;
    config.set("transactional.id", id);
    config.set("transaction.timeout.ms", settings.transaction_timeout.as_millis().to_string());
    Ok(config)
}

/// How long a record may be on its way: less than its transaction, whose end needs time too.
fn delivery_timeout(settings: &KafkaSettings) -> Duration {
    (settings.transaction_timeout * 4 / 5).max(Duration::from_secs(1))
}
