//! Settings that are refused, and secrets that nobody sees.

use std::path::PathBuf;
use std::time::Duration;

use tidemill::log::LogErrorKind;
use tidemill::log::kafka::{ClientCertificate, KafkaLog, KafkaSettings, Mechanism, Sasl, Secret, Security, Tls};

const CANARY: &str = "canary-4711";

fn secured() -> Vec<KafkaSettings> {
    let certificate = ClientCertificate {
        certificate: PathBuf::from("/nowhere/certificate.pem"),
        key: PathBuf::from("/nowhere/key.pem"),
        password: Some(Secret::new(CANARY)),
    };
    let tls = Tls::new().certificate(certificate);
    let sasl = |mechanism| Sasl { mechanism, user: "app".to_owned(), password: Secret::new(CANARY) };
    let with = |security| KafkaSettings {
        security,
        answer_within: Duration::from_millis(300),
        ..KafkaSettings::new("127.0.0.1:1")
    };
    let mut all = vec![with(Security::Tls(tls.clone())), with(Security::Tls(tls.danger_accept_any_certificate()))];
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::ScramSha512] {
        all.push(with(Security::Sasl(Tls::new(), sasl(mechanism))));
        // A zero byte is taken by no client: its own message would have the text.
        let broken = Sasl { password: Secret::new(format!("{CANARY}\0")), ..sasl(mechanism) };
        all.push(with(Security::Sasl(Tls::new(), broken)));
    }
    all
}

#[test]
fn no_message_and_no_debug_shows_a_secret() {
    for settings in secured() {
        let shown = format!("{settings:?}{settings:#?}");
        assert!(shown.contains("<secret>") && !shown.contains(CANARY), "{shown}");
        let error = KafkaLog::open(settings).expect_err("there is no such cluster");
        let mut shown = format!("{error}{error:?}");
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            shown.push_str(&format!("{error}{error:?}"));
            cause = error.source();
        }
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

#[test]
fn settings_that_cannot_be_are_refused_before_anything_is_connected() {
    let client = [("compresion.type", "lz4"), ("plugin.library.paths", "evil"), ("group.id", "g")];
    let client = client.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let error = KafkaLog::open(KafkaSettings { client, ..KafkaSettings::new("127.0.0.1:1") }).unwrap_err();
    assert_eq!(error.kind(), LogErrorKind::Invalid);
    let message = error.to_string();
    for part in ["did you mean `compression.type`?", "`plugin.library.paths` cannot be chosen", "`group.id` cannot"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_cluster_that_does_not_answer_is_named_with_the_time_that_was_given_to_it() {
    let answer_within = Duration::from_millis(300);
    let settings = KafkaSettings { answer_within, ..KafkaSettings::new("127.0.0.1:1") };
    let error = KafkaLog::open(settings).unwrap_err();
    assert_eq!(error.kind(), LogErrorKind::Unavailable);
    let message = error.to_string();
    assert!(message.contains("`127.0.0.1:1`") && message.contains("300ms"), "{message}");
}
