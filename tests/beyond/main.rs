//! Operators that Kafka Streams does not have: their rules, out of order, over several partitions, over copies and restarts.

#[path = "../common/tasks.rs"]
mod tasks;

mod calendar;
mod deduplicate;
mod expire;
mod idle;
mod map_async;
mod support;
mod top_n;
