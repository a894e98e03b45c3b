//! The rules that every log keeps.

use tidemill::log::Log;
use tidemill::log::kafka::{KafkaLog, KafkaSettings};

use crate::prefixed::Prefixed;

fn open(prefix: &str) -> Box<dyn Log> {
    let notes_topic = format!("{prefix}notes").into();
    let settings = KafkaSettings { notes_topic, ..KafkaSettings::new(crate::brokers()) };
    Box::new(Prefixed::new(KafkaLog::open(settings).expect("the broker can be reached"), prefix))
}

tidemill_testkit::log_conformance!(|| (open(&crate::prefix()), ()));

tidemill_testkit::durable_log_conformance!(|| {
    let prefix = crate::prefix();
    move || open(&prefix)
});
