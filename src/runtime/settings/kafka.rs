//! The settings of applications on Kafka, with `kafka.` before their names.
//!
//! Rule: a password is taken and never shown.

use std::marker::PhantomData;
use std::path::PathBuf;

use super::notation::{Bytes, Choice, Count, Named, Notation, Time};
use super::table::{Access, Setting};
use crate::log::kafka::{
    ClientCertificate, GroupProtocol, Guarantee, KafkaSettings, Mechanism, Sasl, Secret, Security, Tls,
};

macro_rules! kafka {
    ($field:ident: $notation:ty, $effect:literal $(, kafka $kafka:literal)*) => {
        kafka!(concat!("kafka.", stringify!($field)), $notation, $effect, [$($kafka),*],
            |settings| Some(<$notation as Notation>::write(&settings.$field)),
            |settings, value| {
                settings.$field = value;
                Ok(())
            }
        )
    };
    ($name:expr, $notation:ty, $effect:literal, [$($kafka:literal),*], $get:expr, $set:expr) => {
        Setting {
            name: $name,
            unit: <$notation as Notation>::unit,
            effect: $effect,
            kafka_names: &[$($kafka),*],
            access: Access::Kafka {
                get: $get,
                set: |settings, text| {
                    let set: fn(&mut KafkaSettings, <$notation as Notation>::Value) -> Result<(), String> = $set;
                    set(settings, <$notation as Notation>::read(text)?)
                },
            },
        }
    };
}

pub(super) const KAFKA: &[Setting] = &[
    kafka!(brokers: Text<String>, "some of the cluster's brokers, `host:port`, separated by commas",
        kafka "bootstrap.servers"),
    kafka!(guarantee: Choice<Guarantee>, "what becomes of a record when something dies in the middle",
        kafka "processing.guarantee"),
    kafka!(replication: BrokersOr, "on how many brokers each partition of a created topic lies",
        kafka "replication.factor"),
    kafka!(answer_within: Time, "how long a call may wait for the cluster"),
    kafka!(transaction_timeout: Time, "how long a transaction may be open", kafka "transaction.timeout.ms"),
    kafka!(session_timeout: Time, "how long a process may be silent before others take its work",
        kafka "session.timeout.ms"),
    kafka!(poll_timeout: Time, "how long a process may go without asking for its share"),
    kafka!(group_protocol: Choice<GroupProtocol>, "how processes agree on who works on what", kafka "group.protocol"),
    kafka!(foreign_members_wait: Time, "how long a start waits for foreign members to leave the group"),
    kafka!(fetch_ahead_bytes: Bytes<usize>, "records fetched ahead of each partition"),
    kafka!(notes_topic: Text<tidemill_dsl::record::TopicName>, "the topic of notes that belong to no partition"),
    kafka!(
        "kafka.security",
        Protocol,
        "how connections are encrypted, and who the program says it is",
        ["security.protocol"],
        |settings| Some(Protocol::write(&settings.security)),
        |settings, kind| {
            // Of the same kind it keeps what it has.
            if std::mem::discriminant(&kind) != std::mem::discriminant(&settings.security) {
                settings.security = kind;
            }
            Ok(())
        }
    ),
    kafka!(
        "kafka.tls.authorities",
        File,
        "certificates of the authorities to trust, PEM, in place of the system's",
        ["ssl.ca.location"],
        |settings| settings.security.tls()?.authorities.as_ref().map(File::write),
        |settings, file| tls(settings).map(|tls| tls.authorities = Some(file))
    ),
    kafka!(
        "kafka.tls.certificate",
        File,
        "the certificate that the program shows, PEM",
        ["ssl.certificate.location"],
        |settings| settings.security.tls()?.certificate.as_ref().map(|own| File::write(&own.certificate)),
        |settings, file| own(settings).map(|own| own.certificate = file)
    ),
    kafka!(
        "kafka.tls.key",
        File,
        "the certificate's private key, PEM",
        ["ssl.key.location"],
        |settings| settings.security.tls()?.certificate.as_ref().map(|own| File::write(&own.key)),
        |settings, file| own(settings).map(|own| own.key = file)
    ),
    kafka!(
        "kafka.tls.key_password",
        Password,
        "what the file of the key is encrypted with",
        ["ssl.key.password"],
        |settings| settings.security.tls()?.certificate.as_ref()?.password.as_ref().map(Password::write),
        |settings, password| own(settings).map(|own| own.password = Some(password))
    ),
    kafka!(
        "kafka.sasl.mechanism",
        Choice<Mechanism>,
        "how the password is shown to brokers",
        ["sasl.mechanism"],
        |settings| settings.security.sasl().map(|sasl| Choice::<Mechanism>::write(&sasl.mechanism)),
        |settings, mechanism| sasl(settings).map(|sasl| sasl.mechanism = mechanism)
    ),
    kafka!(
        "kafka.sasl.user",
        Text<String>,
        "the user's name",
        ["sasl.username"],
        |settings| settings.security.sasl().map(|sasl| sasl.user.clone()),
        |settings, user| sasl(settings).map(|sasl| sasl.user = user)
    ),
    kafka!(
        "kafka.sasl.password",
        Password,
        "the user's password",
        ["sasl.password"],
        |settings| settings.security.sasl().map(|sasl| Password::write(&sasl.password)),
        |settings, password| sasl(settings).map(|sasl| sasl.password = password)
    ),
];

fn tls(settings: &mut KafkaSettings) -> Result<&mut Tls, String> {
    settings.security.tls_mut().ok_or_else(|| "it needs `kafka.security` to be `tls` or `sasl`".into())
}

fn own(settings: &mut KafkaSettings) -> Result<&mut ClientCertificate, String> {
    let nothing = || ClientCertificate { certificate: PathBuf::new(), key: PathBuf::new(), password: None };
    tls(settings).map(|tls| tls.certificate.get_or_insert_with(nothing))
}

fn sasl(settings: &mut KafkaSettings) -> Result<&mut Sasl, String> {
    settings.security.sasl_mut().ok_or_else(|| "it needs `kafka.security` to be `sasl`".into())
}

impl Named for Guarantee {
    const NAMES: &'static [(&'static str, Guarantee)] =
        &[("exactly_once", Guarantee::ExactlyOnce), ("at_least_once", Guarantee::AtLeastOnce)];
}

impl Named for GroupProtocol {
    const NAMES: &'static [(&'static str, GroupProtocol)] =
        &[("auto", GroupProtocol::Auto), ("consumer", GroupProtocol::Consumer), ("classic", GroupProtocol::Classic)];
}

impl Named for Mechanism {
    const NAMES: &'static [(&'static str, Mechanism)] = &[
        ("plain", Mechanism::Plain),
        ("scram_sha_256", Mechanism::ScramSha256),
        ("scram_sha_512", Mechanism::ScramSha512),
    ];
}

/// A number, or what the brokers say.
struct BrokersOr;

impl Notation for BrokersOr {
    type Value = Option<u16>;

    fn unit() -> String {
        "a number, or `brokers` for what they say".into()
    }

    fn read(text: &str) -> Result<Option<u16>, String> {
        let fault = |fault| format!("{fault}; or write `brokers`");
        if text == "brokers" { Ok(None) } else { Count::read(text).map(Some).map_err(fault) }
    }

    fn write(value: &Option<u16>) -> String {
        value.as_ref().map_or_else(|| "brokers".into(), Count::write)
    }
}

/// The kind of security; what belongs to it has settings of its own.
struct Protocol;

impl Notation for Protocol {
    type Value = Security;

    fn unit() -> String {
        "`plaintext`, `tls` or `sasl`".into()
    }

    fn read(text: &str) -> Result<Security, String> {
        let nobody =
            || Sasl { mechanism: Mechanism::ScramSha512, user: String::new(), password: Secret::new(String::new()) };
        match text {
            "plaintext" => Ok(Security::Plaintext),
            "tls" => Ok(Security::Tls(Tls::default())),
            "sasl" => Ok(Security::Sasl(Tls::default(), nobody())),
            _ => Err(format!("`{text}` is none of its values: write {}", Self::unit())),
        }
    }

    fn write(value: &Security) -> String {
        match value {
            Security::Plaintext => "plaintext".into(),
            Security::Tls(_) => "tls".into(),
            Security::Sasl(..) => "sasl".into(),
        }
    }
}

/// Any text.
struct Text<T>(PhantomData<T>);

impl<T: for<'a> From<&'a str> + AsRef<str>> Notation for Text<T> {
    type Value = T;

    fn unit() -> String {
        "text".into()
    }

    fn read(text: &str) -> Result<T, String> {
        Ok(text.into())
    }

    fn write(value: &T) -> String {
        value.as_ref().to_owned()
    }
}

/// The path of a file.
struct File;

impl Notation for File {
    type Value = PathBuf;

    fn unit() -> String {
        "a path".into()
    }

    fn read(text: &str) -> Result<PathBuf, String> {
        if text.is_empty() { Err("a path is missing".into()) } else { Ok(text.into()) }
    }

    fn write(value: &PathBuf) -> String {
        value.display().to_string()
    }
}

/// Text that is never shown.
struct Password;

impl Notation for Password {
    type Value = Secret;

    fn unit() -> String {
        "text, never shown".into()
    }

    fn read(text: &str) -> Result<Secret, String> {
        Ok(Secret::new(text))
    }

    fn write(value: &Secret) -> String {
        format!("{value:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Configuration, Settings, table};
    use super::*;

    const CANARY: &str = "canary-4711";

    fn on_kafka() -> Configuration {
        Configuration { settings: Settings::default(), kafka: Some(KafkaSettings::new("localhost:9092")) }
    }

    fn set(configuration: &mut Configuration, name: &str, text: &str) -> Result<(), String> {
        table::all().find(|setting| setting.name == name).expect(name).set(configuration, text)
    }

    #[test]
    fn every_field_of_kafkas_settings_is_in_the_table() {
        let debug = format!("{:#?}", KafkaSettings::new("localhost:9092"));
        let depth = |line: &&str| line.len() - line.trim_start().len() == 4;
        for line in debug.lines().filter(depth) {
            let Some((field, _)) = line.trim().split_once(": ") else { continue };
            let name = format!("kafka.{field}");
            // The client's own settings have names of their own.
            assert!(field == "client" || KAFKA.iter().any(|setting| setting.name == name), "{name}");
        }
    }

    #[test]
    fn what_is_shown_can_be_set_and_is_shown_again() {
        let mut configuration = on_kafka();
        for (name, text) in [
            ("kafka.security", "sasl"),
            ("kafka.tls.authorities", "ca.pem"),
            ("kafka.tls.certificate", "own.pem"),
            ("kafka.tls.key", "own.key"),
            ("kafka.tls.key_password", CANARY),
            ("kafka.sasl.user", "shop"),
            ("kafka.sasl.password", CANARY),
            ("kafka.replication", "3"),
        ] {
            set(&mut configuration, name, text).unwrap();
        }
        for setting in KAFKA {
            let shown = setting.get(&configuration).unwrap_or_else(|| panic!("{} is not shown", setting.name));
            assert!(!shown.contains(CANARY), "{}", setting.name);
            if !setting.name.contains("password") {
                setting.set(&mut configuration, &shown).unwrap();
            }
            assert_eq!(setting.get(&configuration).unwrap(), shown, "{}", setting.name);
        }
        let Some(Security::Sasl(_, sasl)) = configuration.kafka.map(|kafka| kafka.security) else { panic!("no SASL") };
        assert_eq!((sasl.user.as_str(), sasl.password == Secret::new(CANARY)), ("shop", true));
    }

    #[test]
    fn what_belongs_to_another_kind_of_security_is_refused() {
        let mut configuration = on_kafka();
        assert!(set(&mut configuration, "kafka.sasl.user", "shop").unwrap_err().contains("`kafka.security`"));
        set(&mut configuration, "kafka.security", "tls").unwrap();
        assert!(set(&mut configuration, "kafka.sasl.password", CANARY).unwrap_err().contains("`sasl`"));
    }
}
