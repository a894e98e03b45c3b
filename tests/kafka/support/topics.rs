//! Topics, made and looked at with Kafka's own administration calls.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use super::waiting::wait_until;

const TIMEOUT: Duration = Duration::from_secs(30);

fn admin(brokers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap()
}

/// Waits on a thread of its own: a test that is asynchronous itself cannot be waited in.
fn wait<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let body = || tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
    std::thread::scope(|scope| scope.spawn(body).join().unwrap())
}

/// Makes a topic; returns when clients see it.
pub(crate) fn create_topic(brokers: &str, name: &str, partitions: u32, configs: &[(&str, &str)]) {
    let (admin, count) = (admin(brokers), i32::try_from(partitions).unwrap());
    let topic = NewTopic::new(name, count, TopicReplication::Fixed(1));
    let topic = configs.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    let results = wait(admin.create_topics(&[topic], &AdminOptions::new().operation_timeout(Some(TIMEOUT)))).unwrap();
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => panic!("cannot create `{topic}`: {code}"),
        }
    }
    wait_until("the new topic", || {
        let metadata = admin.inner().fetch_metadata(Some(name), TIMEOUT).unwrap();
        let led =
            |topic: &rdkafka::metadata::MetadataTopic| topic.partitions().iter().filter(|p| p.leader() >= 0).count();
        metadata.topics().iter().any(|topic| topic.name() == name && led(topic) == partitions as usize)
    });
}

/// The topics whose names begin so, each with its number of partitions.
pub(crate) fn topic_names(brokers: &str, prefix: &str) -> BTreeMap<String, usize> {
    let metadata = admin(brokers).inner().fetch_metadata(None, TIMEOUT).unwrap();
    let topics = metadata.topics().iter().filter(|topic| topic.name().starts_with(prefix));
    topics.map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect()
}

/// What a topic is set to beside the broker's own settings.
pub(crate) fn topic_config(brokers: &str, topic: &str) -> BTreeMap<String, String> {
    let described = wait(admin(brokers).describe_configs([&ResourceSpecifier::Topic(topic)], &AdminOptions::new()));
    let mut found = BTreeMap::new();
    for resource in described.unwrap() {
        let resource = resource.unwrap();
        let own =
            resource.entries.into_iter().filter(|entry| entry.source == rdkafka::admin::ConfigSource::DynamicTopic);
        found.extend(own.map(|entry| (entry.name, entry.value.unwrap_or_default())));
    }
    found
}
