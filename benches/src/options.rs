//! The command line: the flags of the benchmark of Kafka Streams, so that one line of a script measures either.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde::Serialize;

use crate::data::{self, Set};

/// Measures whole tidemill applications on fixed workloads and checks what they put out.
///
/// Prints one line of JSON. The input is made of a formula and is the same on every machine; it is written to the topics before the
/// clock starts. The application runs in a process of its own, so that its CPU seconds and its memory are those of nobody else; all
/// of its threads count.
#[derive(Clone, Debug, Parser)]
#[command(name = "tidemill-bench", after_long_help = AFTER, max_term_width = 110)]
pub(crate) struct Options {
    /// What is run
    #[arg(long, value_enum, default_value_t = Workload::Passthrough, hide_possible_values = true)]
    pub(crate) workload: Workload,
    /// Input records of the main stream; both sides of stream_stream_join together
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    records: u64,
    /// Partitions of every topic
    #[arg(long, value_name = "P", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) partitions: u32,
    /// Threads that run tasks
    #[arg(long, value_name = "T", default_value_t = 1)]
    pub(crate) threads: usize,
    /// Where state is kept
    #[arg(long, value_enum, default_value_t = StoreKind::Disk)]
    pub(crate) store: StoreKind,
    /// Of an application on a cluster; the embedded log is exactly once, whatever is asked for
    #[arg(long, value_enum, default_value_t = Guarantee::ExactlyOnceV2)]
    pub(crate) guarantee: Guarantee,
    /// Record cache before downstream and changelog, in bytes; with 0 every update is put out
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) cache: u64,
    /// Milliseconds between commits
    #[arg(long, value_name = "MS", default_value_t = 100)]
    commit_interval: u64,
    /// What drives the tasks
    #[arg(long, value_enum, default_value_t = Driver::Embedded)]
    pub(crate) driver: Driver,
    /// Distinct keys, accounts, words or table rows [default: by workload]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    keys: Option<u64>,
    /// Size of binary values
    #[arg(long, value_name = "B", default_value_t = 100, value_parser = clap::value_parser!(u32).range(16..))]
    pub(crate) value_bytes: u32,
    /// Records per second of event time
    #[arg(long, value_name = "R", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    event_rate: u64,
    /// Give up after so many seconds
    #[arg(long, value_name = "S", default_value_t = 300)]
    timeout_s: u64,
    /// latency: records per second
    #[arg(long, value_name = "R", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rate: u64,
    /// latency: seconds that are measured
    #[arg(long, value_name = "S", default_value_t = 20)]
    pub(crate) seconds: u64,
    /// latency and driver: seconds before [default: latency 10, driver 6]
    #[arg(long, value_name = "S")]
    warmup_s: Option<u64>,
    /// latency and startup: the workload whose topology runs
    #[arg(long, value_enum, default_value_t = Workload::Passthrough, hide_possible_values = true)]
    inner: Workload,
    /// When the log waits for the disk
    #[arg(long, value_enum, default_value_t = Fsync::Interval)]
    pub(crate) fsync: Fsync,
    /// Milliseconds between waits for the disk, with `--fsync interval` [default: that of the commits]
    #[arg(long, value_name = "MS")]
    fsync_interval: Option<u64>,
    /// A label for the line
    #[arg(long, value_name = "NAME", default_value = "tidemill")]
    pub(crate) engine_name: String,
    /// A folder to work in; what a run makes there it removes [default: that for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// A setting of the engine; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// The measured process: a run in this folder, whose input is there.
    #[arg(long, hide = true)]
    pub(crate) engine_in: Option<PathBuf>,
    /// With `--driver broker`: a broker, `host:port`
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:19092")]
    pub(crate) bootstrap: String,
    /// With `--driver broker`: another program that is measured in place of this one, such as Kafka Streams in `benches/peers`. It gets
    /// the flags of `--app-id`
    #[arg(long, value_name = "CMD")]
    pub(crate) engine: Option<String>,
    /// With `--driver broker`: another program that is measured in turn with this one; prints a table of both
    #[arg(long, value_name = "CMD", conflicts_with = "engine")]
    pub(crate) against: Option<String>,
    /// With `--against`: what the other one is called
    #[arg(long, value_name = "NAME", default_value = "kafka-streams")]
    against_name: String,
    /// With `--against`: a setting of the other one; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    against_set: Vec<(String, String)>,
    /// With `--against`: how often each is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// With `--against`: a file that gets the lines of all runs
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Be the measured process of somebody else's judge: the application's id. It begins, says `STATE RUNNING`, and goes on until it is
    /// told to end (SIGTERM)
    #[arg(long, value_name = "ID", requires = "input")]
    pub(crate) app_id: Option<String>,
    /// The workload whose topology runs, with `--app-id`
    #[arg(long, value_enum, hide_possible_values = true)]
    topology: Option<Workload>,
    /// The topic that is read, with `--app-id`
    #[arg(long, value_name = "TOPIC")]
    pub(crate) input: Option<String>,
    /// The second one
    #[arg(long, value_name = "TOPIC", default_value = "in-table")]
    pub(crate) input2: String,
    /// The topic that is written
    #[arg(long, value_name = "TOPIC", default_value = "out")]
    pub(crate) output: String,
    /// The topic of movements of bank_account
    #[arg(long = "loop", value_name = "TOPIC", default_value = "loop")]
    pub(crate) around: String,
    /// Where state is kept, with `--app-id`
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// The run before the measured one.
    #[arg(long, hide = true)]
    pub(crate) fill: bool,
}

/// Begins the names of settings of the Kafka client.
pub(crate) const CLIENT: &str = "client.";

const AFTER: &str = "\
Workloads (all keys and values are 8-byte numbers and byte strings unless said otherwise):
  passthrough           one topic to another
  stateless             filter, map_values, flat_map_values
  count, reduce         by key
  aggregate_json        a balance by account, JSON in, JSON kept, JSON out
  wordcount             lines of ten words, split, repartitioned by word, counted
  hopping_window_count  windows of 10 s every second
  session_count         sessions with a gap of 2 s
  stream_table_join, fk_join
  stream_stream_join    records of two streams that are at most a second apart
  bank_account          operations joined with the balances that their own movements make, through a topic
  bank_step             the same decided in one stateful step
  restore               first a run of `reduce`; timed is a start without the state folder
  reopen                as `restore`, with the state folder left where it is
  startup               from the start of the process to the output of one record that waits
  latency               from the moment a record was due to the moment a subscriber has it; `--rate`, `--seconds`
  append                no topology: records into the log, committed every interval

Settings for --set:
  memory_bytes=N                what rows, caches and buffers may take together
  store_engine=NAME             `fjall`, or `rocksdb` where the program was built with that feature
  flush_rows=N                  changed rows after which a store is flushed
  stores.cache_bytes=N          blocks in memory
  stores.write_buffer_bytes=N   rows that wait to be sorted into a file
  log.recent_bytes=N            youngest records in memory
  client.NAME=VALUE             a setting of the Kafka client, on a cluster

Examples:
  tidemill-bench --workload count --records 5000000
  tidemill-bench --workload count --store memory --threads 2
  tidemill-bench --workload latency --rate 10000 --commit-interval 5
  tidemill-bench --workload wordcount --driver driver --records 100000
  tidemill-bench --driver broker --bootstrap 127.0.0.1:19092 --workload count
  cargo xtask compare --workload count --guarantee exactly_once_v2 --rounds 5

Reading the line: `cpu_s` is steadier than `wall_s` where other programs run; compare only what was measured in turn.
`records_per_s` counts input records over `wall_s`, which ends when everything is committed.

Exit codes: 0 the output is right; 4 it is not (`\"wrong\": true`); 1 an error; 2 a wrong option.";

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Workload {
    Passthrough,
    Stateless,
    Count,
    Reduce,
    AggregateJson,
    Wordcount,
    HoppingWindowCount,
    SessionCount,
    StreamTableJoin,
    StreamStreamJoin,
    FkJoin,
    BankAccount,
    BankStep,
    Restore,
    Reopen,
    Startup,
    Latency,
    Append,
}

impl Workload {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What drives the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Driver {
    /// An application on the embedded log
    Embedded,
    /// An application on a Kafka cluster (`--bootstrap`)
    Broker,
    /// The test driver of tidemill-testkit: one process, in memory, a commit after every record
    #[value(name = "driver", alias = "ttd")]
    Test,
}

/// Where state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    Memory,
    #[value(alias = "rocksdb")]
    Disk,
}

/// What Kafka Streams would be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Guarantee {
    AtLeastOnce,
    #[value(name = "exactly_once_v2")]
    ExactlyOnceV2,
}

impl Guarantee {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// When the log waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fsync {
    Never,
    Interval,
    Commit,
}

impl Options {
    pub(crate) fn records(&self) -> u64 {
        if self.workload == Workload::Startup { 1 } else { self.records }
    }

    pub(crate) fn keys(&self) -> u64 {
        self.keys.unwrap_or(match self.workload {
            Workload::SessionCount | Workload::StreamStreamJoin => 20_000,
            Workload::HoppingWindowCount => 1_000,
            Workload::Wordcount => 50_000,
            Workload::Restore | Workload::Reopen => 1_000_000,
            _ => 100_000,
        })
    }

    /// Whether the input has each key once.
    pub(crate) fn once_by_key(&self) -> bool {
        matches!(self.workload, Workload::Restore | Workload::Reopen)
    }

    /// The workload whose topology runs.
    pub(crate) fn topology(&self) -> Workload {
        if let Some(topology) = self.topology {
            return topology;
        }
        match self.workload {
            Workload::Latency | Workload::Startup => self.inner,
            Workload::Restore | Workload::Reopen => Workload::Reduce,
            workload => workload,
        }
    }

    pub(crate) fn sets(&self) -> Vec<Set> {
        let (workload, topology) = (self.workload.name(), self.topology().name());
        let workload = if self.once_by_key() { "restore".to_owned() } else { workload };
        data::sets(&workload, &topology, (self.records(), self.keys()), self.value_bytes as usize, self.event_rate)
    }

    pub(crate) fn commit_interval(&self) -> Duration {
        Duration::from_millis(self.commit_interval)
    }

    pub(crate) fn fsync_interval(&self) -> Duration {
        Duration::from_millis(self.fsync_interval.unwrap_or(self.commit_interval))
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }

    /// What `--set client.NAME=VALUE` tells the Kafka client.
    #[cfg(feature = "kafka")]
    pub(crate) fn client_settings(&self) -> std::collections::BTreeMap<String, String> {
        let named = |(key, value): &(String, String)| Some((key.strip_prefix(CLIENT)?.to_owned(), value.clone()));
        self.set.iter().filter_map(named).collect()
    }

    /// The same for the program of `--against`.
    #[cfg(feature = "kafka")]
    pub(crate) fn of_other(&self) -> Options {
        Options { engine_name: self.against_name.clone(), set: self.against_set.clone(), ..self.clone() }
    }

    pub(crate) fn warmup(&self) -> Duration {
        let standard = if self.driver == Driver::Test { 6 } else { 10 };
        Duration::from_secs(self.warmup_s.unwrap_or(standard))
    }

    /// What heads the line.
    pub(crate) fn head(&self) -> Head {
        let (workload, topology) = (self.workload.name(), self.topology().name());
        Head {
            engine: self.engine_name.clone(),
            topology: (topology != workload).then_some(topology),
            workload,
            driver: self.driver.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default(),
            partitions: self.partitions,
            threads: self.threads,
            store: self.store.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default(),
            guarantee: self.guarantee.name(),
            cache: self.cache,
            commit_interval_ms: self.commit_interval,
            fsync: match self.fsync {
                Fsync::Never => "never".into(),
                Fsync::Interval => format!("every {} ms", self.fsync_interval().as_millis()),
                Fsync::Commit => "every commit".into(),
            },
            keys: self.keys(),
            value_bytes: self.value_bytes,
            set: self.set.iter().cloned().collect(),
        }
    }
}

/// What was asked for, as the line repeats it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Head {
    engine: String,
    workload: String,
    driver: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    topology: Option<String>,
    partitions: u32,
    threads: usize,
    store: String,
    guarantee: String,
    cache: u64,
    commit_interval_ms: u64,
    fsync: String,
    keys: u64,
    value_bytes: u32,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    set: std::collections::BTreeMap<String, String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as `key=value`")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_of_the_peer_are_understood() {
        Options::command().debug_assert();
        let line = "tidemill-bench --workload restore --records 5 --partitions 2 --threads 2 --store rocksdb --guarantee at_least_once \
                    --cache 0 --commit-interval 1000 --keys 7 --value-bytes 20 --event-rate 1000 --set flush_rows=5 --timeout-s 9 \
                    --driver embedded";
        let options = Options::try_parse_from(line.split_whitespace()).unwrap();
        assert_eq!((options.store, options.topology(), options.keys()), (StoreKind::Disk, Workload::Reduce, 7));
        assert_eq!(options.sets()[0].size, 7);
        assert_eq!(options.set, [("flush_rows".to_owned(), "5".to_owned())]);
        assert!(Options::try_parse_from(["tidemill-bench", "--workload", "no-such"]).is_err());
    }

    #[test]
    fn the_number_of_keys_follows_the_workload() {
        let keys = |workload: &str| Options::try_parse_from(["tidemill-bench", "--workload", workload]).unwrap().keys();
        assert_eq!(
            ["count", "wordcount", "restore", "stream_stream_join"].map(keys),
            [100_000, 50_000, 1_000_000, 20_000]
        );
    }
}
