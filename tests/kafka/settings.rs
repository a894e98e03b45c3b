//! Settings that are refused, and secrets that nobody sees.

use std::path::PathBuf;
use std::time::Duration;

use tidemill::log::LogErrorKind;
use tidemill::log::kafka::{ClientCertificate, KafkaLog, KafkaSettings, Mechanism, Sasl, Secret, Security, Tls};
use tidemill::stream::StreamsBuilder;
use tidemill::{App, SettingInUse, SettingOrigin, SettingSources, SettingsInUse, Topic};

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

/// An application whose settings come from variables.
fn configured(variables: &[(&str, &str)]) -> Result<SettingsInUse, tidemill::Error> {
    let builder = StreamsBuilder::new();
    builder.stream(&Topic::<String, i64>::of("in")).for_each(|_, _| ());
    let sources = SettingSources::new().variables(variables.iter().copied());
    App::builder("app", builder.build().unwrap()).kafka("127.0.0.1:1").settings_from(sources).settings_in_use()
}

#[test]
fn variables_set_what_reaches_the_cluster_and_passwords_are_not_shown() {
    let settings = configured(&[
        ("TIDEMILL_KAFKA_BROKERS", "127.0.0.1:2"),
        ("TIDEMILL_KAFKA_SECURITY", "sasl"),
        ("TIDEMILL_KAFKA_SASL_USER", "shop"),
        ("TIDEMILL_KAFKA_SASL_PASSWORD", CANARY),
        ("TIDEMILL_KAFKA_TLS_KEY_PASSWORD", CANARY),
        ("TIDEMILL_KAFKA_CLIENT_LINGER_MS", "7"),
    ])
    .unwrap();
    let shown = format!("{settings}{settings:?}{settings:#?}");
    assert!(shown.contains("<secret>") && !shown.contains(CANARY), "{shown}");
    for (name, value) in [
        ("kafka.brokers", "127.0.0.1:2"),
        ("kafka.security", "sasl"),
        ("kafka.sasl.user", "shop"),
        ("kafka.client.linger.ms", "7"),
    ] {
        let setting = settings.get(name).unwrap();
        assert_eq!((setting.value.as_str(), setting.origin == SettingOrigin::Default), (value, false), "{name}");
    }
    assert_eq!(settings.get("kafka.guarantee").unwrap().origin, SettingOrigin::Default);
}

#[test]
fn what_is_wrong_with_settings_is_said_without_a_secret() {
    for (variables, part) in [
        (&[("TIDEMILL_KAFKA_SASL_PASSWORD", CANARY)][..], "needs `kafka.security` to be `sasl`"),
        (&[("TIDEMILL_KAFKA_SASL_PASWORD", CANARY)], "did you mean `TIDEMILL_KAFKA_SASL_PASSWORD`?"),
        (&[("TIDEMILL_SASL_PASSWORD", CANARY)], "here it is `TIDEMILL_KAFKA_SASL_PASSWORD`"),
        (&[("TIDEMILL_PROCESSING_GUARANTEE", "exactly_once_v2")], "here it is `TIDEMILL_KAFKA_GUARANTEE`"),
    ] {
        let fault = configured(variables).unwrap_err().to_string();
        assert!(fault.contains(part) && !fault.contains(CANARY), "{fault}");
    }
}

#[test]
fn the_book_has_a_row_for_each_setting_of_kafka_and_no_other() {
    let page = include_str!("../../docs/guide/settings.md");
    let table = page.split("<!-- kafka -->").nth(1).expect("the page has the table between two marks");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let plain = configured(&[]).unwrap();
    let secured = configured(&[
        ("TIDEMILL_KAFKA_SECURITY", "sasl"),
        ("TIDEMILL_KAFKA_TLS_AUTHORITIES", "ca.pem"),
        ("TIDEMILL_KAFKA_TLS_CERTIFICATE", "own.pem"),
        ("TIDEMILL_KAFKA_TLS_KEY_PASSWORD", CANARY),
    ])
    .unwrap();
    let default = |name: &str| plain.get(name).and_then(|setting| setting.default.clone());
    let row = |setting: &SettingInUse| {
        let default = default(&setting.name).map_or_else(|| "-".into(), |default| format!("`{default}`"));
        let kafka: Vec<String> = setting.kafka_names.iter().map(|name| format!("`{name}`")).collect();
        format!("| `{}` | {} | {default} | {} | {} |", setting.name, setting.unit, setting.effect, kafka.join(", "))
    };
    let of_kafka = secured.iter().filter(|setting| setting.name.starts_with("kafka."));
    let wanted: Vec<String> = of_kafka.map(row).collect();
    assert_eq!(rows, wanted, "\n{}\n", wanted.join("\n"));
}
