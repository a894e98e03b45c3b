//! Topics of a run: the input, which stays for the next one, and those that go with it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::data::Set;

const LIMIT: Duration = Duration::from_secs(60);
const A_MOMENT: Duration = Duration::from_millis(20);

/// A cluster that a benchmark may use as it likes.
pub(super) struct Cluster {
    bootstrap: String,
    admin: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
}

impl Cluster {
    pub(super) fn new(bootstrap: &str) -> Result<Cluster> {
        let admin: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", bootstrap).create()?;
        let next = "start one with `cargo xtask broker start`, or name another with `--bootstrap`";
        let reached = admin.inner().fetch_metadata(None, Duration::from_secs(10));
        reached.with_context(|| format!("no broker answers at {bootstrap}: {next}"))?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Cluster { bootstrap: bootstrap.to_owned(), admin, runtime })
    }

    /// Makes a topic that keeps everything.
    pub(super) fn create(&self, name: &str, partitions: u32) -> Result<()> {
        let count = i32::try_from(partitions)?;
        let topic = NewTopic::new(name, count, TopicReplication::Fixed(1)).set("retention.ms", "-1");
        let options = AdminOptions::new().operation_timeout(Some(LIMIT));
        for result in self.runtime.block_on(self.admin.create_topics([&topic], &options))? {
            result.map_err(|(name, code)| anyhow::anyhow!("topic `{name}` cannot be made: {code}"))?;
        }
        self.until(&format!("topic `{name}` was not made"), || Ok(self.partitions(name)? == partitions as usize))
    }

    /// Removes the topics whose names begin so.
    pub(super) fn remove(&self, begin: &str) -> Result<()> {
        let metadata = self.admin.inner().fetch_metadata(None, LIMIT)?;
        let names: Vec<&str> =
            metadata.topics().iter().map(|topic| topic.name()).filter(|name| name.starts_with(begin)).collect();
        if !names.is_empty() {
            self.runtime.block_on(self.admin.delete_topics(&names, &AdminOptions::new()))?;
        }
        Ok(())
    }

    /// The topic of a set, which is written unless it is there. Gives its name.
    pub(super) fn provide(&self, set: &Set, partitions: u32) -> Result<String> {
        let Set { topic, kind, size, keys, value_bytes, rate } = set;
        let kind: String = format!("{kind:?}").chars().filter(char::is_ascii_alphanumeric).collect();
        let name = format!("bench-{topic}-{kind}-n{size}-p{partitions}-k{keys}-b{value_bytes}-r{rate}");
        if self.partitions(&name)? == partitions as usize && self.records(&name, partitions)? == *size {
            return Ok(name);
        }
        self.remove(&name)?;
        self.until(&format!("topic `{name}` was not removed"), || Ok(self.partitions(&name)? == 0))?;
        self.create(&name, partitions)?;
        eprintln!("writing {size} records to `{name}`");
        self.write(set, &name)?;
        Ok(name)
    }

    fn write(&self, set: &Set, name: &str) -> Result<()> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("enable.idempotence", "true")
            // As Kafka's own clients place them.
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "20")
            .create()?;
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for i in 0..set.size {
            key.clear();
            value.clear();
            set.key(i, &mut key);
            set.value(i, &mut value);
            let mut record = BaseRecord::to(name).key(&key).payload(&value).timestamp(set.time(i));
            loop {
                match producer.send(record) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                        record = again;
                        producer.poll(A_MOMENT);
                    }
                    Err((error, _)) => return Err(error).context("the input cannot be written"),
                }
            }
            producer.poll(Duration::ZERO);
        }
        producer.flush(LIMIT).context("the input was not written")
    }

    /// How many partitions a topic has; 0 where there is none.
    fn partitions(&self, name: &str) -> Result<usize> {
        let metadata = self.admin.inner().fetch_metadata(None, LIMIT)?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == name);
        Ok(topic.map_or(0, |topic| topic.partitions().iter().filter(|partition| partition.leader() >= 0).count()))
    }

    fn records(&self, name: &str, partitions: u32) -> Result<u64> {
        let mut all = 0;
        for partition in 0..i32::try_from(partitions)? {
            let (start, end) = self.admin.inner().fetch_watermarks(name, partition, LIMIT)?;
            all += u64::try_from(end - start)?;
        }
        Ok(all)
    }

    fn until(&self, otherwise: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
        let deadline = std::time::Instant::now() + LIMIT;
        while !is_so()? {
            if std::time::Instant::now() > deadline {
                bail!("{otherwise} within {LIMIT:?}");
            }
            std::thread::sleep(A_MOMENT);
        }
        Ok(())
    }
}
