//! What the tests on a real broker have in common. Nothing here goes through the engine: topics are written and read with plain
//! clients, and what should come out is computed from what went in.

mod broker;
mod child;
mod group;
mod java;
mod names;
mod produce;
mod read;
mod telling;
mod topics;
mod verify;
mod waiting;

pub(crate) use broker::{OwnBroker, brokers};
pub(crate) use child::{Child, itself};
pub(crate) use group::{Committed, Group, committed};
pub(crate) use java::{JavaApplication, JavaProcess, write_keys};
pub(crate) use names::Names;
pub(crate) use produce::{Input, Producer};
pub(crate) use read::{Output, Reader, ends, read_all};
pub(crate) use telling::tell;
pub(crate) use topics::{create_topic, topic_config, topic_names};
pub(crate) use verify::{ByKey, at_least_once, by_key, exactly_once};
pub(crate) use waiting::{LIMIT, pause, wait_until};
