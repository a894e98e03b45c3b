//! Which of the client's settings a program may choose.
//!
//! Rule: every name is known, none is the engine's own, and none loads code.

use std::collections::BTreeMap;

use super::super::{LogError, LogErrorKind};
use super::native;
use crate::nearest::nearest;

/// Names, or their beginnings, that are set elsewhere or not at all, and why.
const REFUSED: &[(&str, &str)] = &[
    ("bootstrap.servers", "`KafkaSettings::brokers` says it"),
    ("metadata.broker.list", "`KafkaSettings::brokers` says it"),
    ("client.id", "it tells the engine's processes from foreign ones"),
    ("security.protocol", "`KafkaSettings::security` says it"),
    ("sasl.", "`KafkaSettings::security` says it, and keeps secrets out of messages"),
    ("ssl.engine", "it loads code into the program"),
    ("ssl.providers", "it loads code into the program"),
    ("plugin.", "it loads code into the program"),
    ("enable.ssl.certificate.verification", "only `Tls::danger_accept_any_certificate` turns it off"),
    ("ssl.", "`KafkaSettings::security` says it, and keeps secrets out of messages"),
    ("https.", "`KafkaSettings::security` says it, and keeps secrets out of messages"),
    ("group.", "the engine is the member of its application's group"),
    ("partition.assignment.strategy", "tasks need equal partitions of their topics in one place, which `range` gives"),
    ("session.timeout.ms", "`KafkaSettings::session_timeout` says it"),
    ("heartbeat.interval.ms", "it follows from `KafkaSettings::session_timeout`"),
    ("max.poll.interval.ms", "`KafkaSettings::poll_timeout` says it"),
    ("enable.auto.commit", "the engine commits what was processed, with its effects"),
    ("auto.commit", "the engine commits what was processed, with its effects"),
    ("enable.auto.offset.store", "the engine commits what was processed, with its effects"),
    ("offset.store", "the engine commits what was processed, with its effects"),
    ("auto.offset.reset", "each source of the topology says where it begins"),
    ("isolation.level", "`KafkaSettings::guarantee` says it"),
    ("enable.partition.eof", "the engine needs to know where partitions end"),
    ("transactional.id", "it tells the engine's workers from one another"),
    ("transaction.timeout.ms", "`KafkaSettings::transaction_timeout` says it"),
    ("message.timeout.ms", "it follows from `KafkaSettings::transaction_timeout`"),
    ("delivery.timeout.ms", "it follows from `KafkaSettings::transaction_timeout`"),
    ("enable.idempotence", "records would be lost or written twice"),
    ("enable.gapless.guarantee", "records would be lost or written twice"),
    ("acks", "records would be lost or written twice"),
    ("request.required.acks", "records would be lost or written twice"),
    ("retries", "records would be lost or written twice"),
    ("message.send.max.retries", "records would be lost or written twice"),
    ("max.in.flight", "records would be lost or written twice"),
    ("partitioner", "records would go elsewhere than those of Kafka's other clients"),
    ("allow.auto.create.topics", "the engine creates topics with the partitions that they need"),
    ("queuing.strategy", "records would come in another order"),
    ("consume.callback", "the engine takes records in batches"),
    ("test.mock", "there would be no cluster"),
    ("builtin.features", "it says what the client can do"),
    ("enabled_events", "the engine listens to the client itself"),
    ("log.queue", "the engine listens to the client itself"),
    ("opaque", "the engine listens to the client itself"),
    ("api.version", "the client asks the brokers what they can do"),
    ("broker.version", "the client asks the brokers what they can do"),
];

/// Other names of settings, which the client does not list.
const ALIASES: [&str; 7] =
    ["acks", "compression.type", "delivery.timeout.ms", "linger.ms", "max.in.flight", "retries", "sasl.mechanism"];

/// An error that has all that is wrong with the settings.
pub(super) fn check(chosen: &BTreeMap<String, String>) -> Result<(), LogError> {
    if chosen.is_empty() {
        return Ok(());
    }
    let mut known = native::setting_names();
    known.extend(ALIASES.map(str::to_owned));
    let faults: Vec<String> = chosen.keys().filter_map(|name| fault(name, &known)).collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(LogError::new(LogErrorKind::Invalid, format!("settings of the Kafka client: {}", faults.join("; "))))
}

fn fault(name: &str, known: &[String]) -> Option<String> {
    let is_callback = name.ends_with("_cb");
    let refused = REFUSED.iter().find(|(begin, _)| name.starts_with(begin));
    if let Some((_, reason)) = refused {
        return Some(format!("`{name}` cannot be chosen: {reason}"));
    }
    if is_callback {
        return Some(format!("`{name}` cannot be chosen: the engine listens to the client itself"));
    }
    if known.iter().any(|known| known == name) {
        return None;
    }
    let nearest = nearest(name, known.iter().map(String::as_str));
    let hint = nearest.map_or(String::new(), |nearest| format!(": did you mean `{nearest}`?"));
    Some(format!("`{name}` is not known{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        check(&BTreeMap::from([(name.to_owned(), "canary".to_owned())])).expect_err(name).to_string()
    }

    #[test]
    fn settings_of_the_client_pass_and_others_are_refused_with_the_reason() {
        for name in ["compression.type", "linger.ms", "socket.keepalive.enable", "client.rack", "debug"] {
            check(&BTreeMap::from([(name.to_owned(), "x".to_owned())])).expect(name);
        }
        for (name, reason) in [
            ("enable.auto.commit", "the engine commits"),
            ("plugin.library.paths", "loads code"),
            ("ssl.engine.location", "loads code"),
            ("enable.ssl.certificate.verification", "danger_accept_any_certificate"),
            ("sasl.password", "KafkaSettings::security"),
            ("ssl.key.pem", "KafkaSettings::security"),
            ("error_cb", "listens"),
            ("partitioner", "other clients"),
        ] {
            let message = refusal(name);
            assert!(message.contains(&format!("`{name}` cannot be chosen")) && message.contains(reason), "{message}");
            assert!(!message.contains("canary"), "{message}");
        }
    }

    #[test]
    fn a_misspelt_setting_is_refused_with_the_nearest_name() {
        assert!(
            refusal("compresion.type").contains("`compresion.type` is not known: did you mean `compression.type`?")
        );
        assert!(refusal("fetch.min.byte").contains("did you mean `fetch.min.bytes`?"));
        let two = BTreeMap::from([("lingr.ms".to_owned(), String::new()), ("acks".to_owned(), String::new())]);
        let message = check(&two).unwrap_err().to_string();
        assert!(message.contains("`lingr.ms`") && message.contains("`acks`"), "all faults at once: {message}");
    }
}
