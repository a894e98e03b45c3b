//! Every metric that there is: its name, kind, unit and labels.
//!
//! Rule: names are Kafka Streams' where the meaning is the same, in the letters that Prometheus allows, behind `tidemill_`; each has
//! the label `application` besides its own. The page `docs/guide/operating.md` has the same list, and a test holds them together.

use metrics::Unit;

/// A count that grows, or a value that comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// What is known of a metric.
#[derive(Clone, Copy, Debug)]
pub(super) struct Info {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

const fn counter(name: &'static str, unit: Unit, labels: &'static [&'static str], help: &'static str) -> Info {
    Info { name, kind: Kind::Counter, unit, labels, help }
}

const fn gauge(name: &'static str, unit: Unit, labels: &'static [&'static str], help: &'static str) -> Info {
    Info { name, kind: Kind::Gauge, unit, labels, help }
}

macro_rules! catalogue {
    ($($id:ident = $make:ident($name:literal, $unit:ident, [$($label:literal),*], $help:literal);)*) => {
        $(pub(super) const $id: Info = $make(concat!("tidemill_", $name), Unit::$unit, &[$($label),*], $help);)*
        /// All of them.
        pub(super) const ALL: &[Info] = &[$($id),*];
    };
}

catalogue! {
    INFO = gauge("info", Count, ["version", "instance"], "1, with the version and the process as labels");
    CLIENT_STATE = gauge("client_state", Count, ["state"], "1 for the state that the application is in, 0 for the others");
    ALIVE_STREAM_THREADS = gauge("alive_stream_threads", Count, [], "worker threads that run");
    REBALANCE_TOTAL = counter("rebalance_total", Count, [], "how often tasks came or went after the start");
    MEMORY_LIMIT = gauge("memory_limit_bytes", Bytes, [], "what the application may take");
    MEMORY = gauge("memory_bytes", Bytes, ["component"], "what it holds");
    TASKS = gauge("tasks", Count, ["state"], "tasks that run, are restored, or are kept on standby here");
    ACTIVITY = counter("thread_activity_ms_total", Milliseconds, ["worker", "activity"], "where a worker's time goes");
    COMMIT_TOTAL = counter("commit_total", Count, ["worker"], "commits");
    COMMIT_AVG = gauge("commit_latency_avg_ms", Milliseconds, ["worker"], "how long recent commits took on average");
    COMMIT_MAX = gauge("commit_latency_max_ms", Milliseconds, ["worker"], "how long the longest recent commit took");
    PROCESS_TOTAL = counter("process_total", Count, ["task"], "records that were processed");
    PROCESS_TIME = counter("process_ms_total", Milliseconds, ["task"], "how long that took");
    PUNCTUATE_TOTAL = counter("punctuate_total", Count, ["task"], "timers that fired");
    PUNCTUATE_TIME = counter("punctuate_ms_total", Milliseconds, ["task"], "how long those of the clock took");
    DROPPED = counter("dropped_records_total", Count, ["task", "reason"], "records that were dropped");
    E2E_AVG = gauge("record_e2e_latency_avg_ms", Milliseconds, ["task"], "age of recent records when processed, on average");
    E2E_MIN = gauge("record_e2e_latency_min_ms", Milliseconds, ["task"], "age of the youngest recent record when processed");
    E2E_MAX = gauge("record_e2e_latency_max_ms", Milliseconds, ["task"], "age of the oldest recent record when processed");
    BUFFERED = gauge("input_buffer_records", Count, ["task"], "records that were fetched and wait");
    OPEN_CALLS = gauge("open_calls", Count, ["task"], "calls of map_async that are open");
    LAG = gauge("records_lag", Count, ["task", "topic", "partition"], "records that are there and were not processed");
    CONSUMED = counter("records_consumed_total", Count, ["task", "topic", "partition"], "records that were read");
    CONSUMED_BYTES = counter("bytes_consumed_total", Bytes, ["task", "topic", "partition"], "their bytes");
    PRODUCED = counter("records_produced_total", Count, ["task", "topic"], "records that were written");
    PRODUCED_BYTES = counter("bytes_produced_total", Bytes, ["task", "topic"], "their bytes");
    RESTORE_TOTAL = counter("restore_total", Count, [], "records that restores have read");
    RESTORE_REMAINING = gauge("restore_remaining_records", Count, ["task"], "records that a restore has left to read");
    STANDBY_LAG = gauge("standby_lag_records", Count, ["task", "store"], "changes that a store on standby lacks");
    STORE_MEMORY = gauge("store_memory_bytes", Bytes, ["task", "store"], "rows of a store in memory");
    CACHE = gauge("cache_size_bytes", Bytes, ["task", "store"], "what the record cache of a store holds");
    UNFLUSHED = gauge("store_unflushed_rows", Count, ["task", "store"], "changed rows that are not in the store's files yet");
}
