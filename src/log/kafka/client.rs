//! What every client of the cluster is made with.
//!
//! Rule: no value of a setting is in a message, because it may be a secret; the names say enough.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::util::get_rdkafka_version;

use super::super::{LogError, LogErrorKind};
use super::settings::{Guarantee, KafkaSettings};
use super::{choice, native};

/// Older ones lose records or hang, see the client's own list of changes.
const OLDEST_CLIENT: (i32, &str) = (0x020c_01_00, "2.12.1");

/// A context that passes the client's own words on to `tracing`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        native::trace(level as i32, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(target: "tidemill::kafka", %error, reason, "the client has trouble with the cluster, and goes on trying");
    }
}

impl ConsumerContext for Quiet {}

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
        .set("queued.max.messages.kbytes", "16384");
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
        .set("queue.buffering.max.messages", "500000");
    if !settings.client.contains_key("linger.ms") {
        config.set("linger.ms", "10");
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
