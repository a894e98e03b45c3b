//! Code of the application's own around every processor: for logs, measurements, checks (KIP-1112).

use std::sync::Arc;

use super::{Address, CallEvent, CallOf, Edge, Flow, ProcessorRunner, Push, TaskState};
use crate::record::Timestamp;

/// What a processor is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallReason<'a> {
    /// Its task begins.
    Begin,
    /// A record of a stream, or a change of a table.
    Item,
    /// A timer of this name.
    Timer(&'a str),
    /// One of the calls that it makes has ended, or is to be made again: `map_async`.
    Call,
}

/// A call of a processor.
#[derive(Clone, Debug)]
pub struct ProcessorCall<'a> {
    /// The node's name.
    pub node: &'a str,
    /// What it is called for.
    pub reason: CallReason<'a>,
    /// The partition number of its task.
    pub partition: u32,
    /// The record that the task processes; a timer has none.
    pub address: Option<Address>,
    /// The task's stream time.
    pub stream_time: Option<Timestamp>,
    /// The clock's time when the task took the record.
    pub now: Timestamp,
}

/// Stands around every processor of a topology, those of the verbs included: sources and sinks are none. What a processor
/// forwards is processed before its call returns, so calls lie within one another as nodes lie below one another.
pub trait ProcessorWrapper: Send + Sync + 'static {
    /// Called in place of the processor; `run` calls it. Without that it sees nothing, so a record ends here.
    fn around(&self, call: &ProcessorCall<'_>, run: &mut dyn FnMut() -> Flow) -> Flow;
}

impl<F> ProcessorWrapper for F
where
    F: Fn(&ProcessorCall<'_>, &mut dyn FnMut() -> Flow) -> Flow + Send + Sync + 'static,
{
    fn around(&self, call: &ProcessorCall<'_>, run: &mut dyn FnMut() -> Flow) -> Flow {
        self(call, run)
    }
}

/// A node, or what its task sees of it, with the wrapper around it.
pub(crate) struct Wrapped<N: ?Sized> {
    pub(crate) name: Arc<str>,
    pub(crate) wrapper: Arc<dyn ProcessorWrapper>,
    pub(crate) inner: Arc<N>,
}

impl<N: ?Sized> Wrapped<N> {
    fn call(&self, reason: CallReason<'_>, task: &mut TaskState, run: impl Fn(&N, &mut TaskState) -> Flow) -> Flow {
        let call = ProcessorCall {
            node: &self.name,
            reason,
            partition: task.partition(),
            address: task.address().cloned(),
            stream_time: task.stream_time(),
            now: task.now(),
        };
        self.wrapper.around(&call, &mut || run(&self.inner, task)).map_err(|error| error.at_node(&self.name))
    }
}

impl<E: Edge> Push<E> for Wrapped<dyn Push<E>> {
    fn push(&self, item: E::Item<'_>, task: &mut TaskState) -> Flow {
        self.call(CallReason::Item, task, |inner, task| inner.push(item, task))
    }
}

impl ProcessorRunner for Wrapped<dyn ProcessorRunner> {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn init(&self, task: &mut TaskState) -> Flow {
        self.call(CallReason::Begin, task, |inner, task| inner.init(task))
    }

    fn punctuate(&self, timer: &str, time: Timestamp, task: &mut TaskState) -> Flow {
        self.call(CallReason::Timer(timer), task, |inner, task| inner.punctuate(timer, time, task))
    }

    fn called(&self, call: CallOf, event: CallEvent, task: &mut TaskState) -> Flow {
        // It is there for the first run of what the wrapper stands around.
        let event = std::cell::Cell::new(Some(event));
        self.call(CallReason::Call, task, |inner, task| match event.take() {
            Some(event) => inner.called(call, event, task),
            None => Ok(()),
        })
    }
}
