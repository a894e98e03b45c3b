//! Nodes with an instance per task: user processors.

use std::any::Any;
use std::marker::PhantomData;

use super::context::NodeHead;
use super::{Context, Flow, NodeContext, Outlet, ProcessError, Push, StreamOf, TaskState};
use crate::record::Record;

/// Bytes that a processor writes its own state into.
pub type SnapshotBytes = Vec<u8>;

/// A processor has state outside its stores and does not say how to copy it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotSnapshot;

/// A node with an instance per task: it may keep state in its fields, but only what is in stores survives a restart.
///
/// ```
/// use tidemill_dsl::processor::{Context, Flow, Processor};
/// use tidemill_dsl::record::Record;
///
/// /// Forwards each value with the number of the record.
/// struct Numbered(u64);
///
/// impl Processor<String, String, String, String> for Numbered {
///     fn process(&mut self, record: Record<'_, String, String>, ctx: &mut Context<'_, String, String>) -> Flow {
///         self.0 += 1;
///         let value = format!("{} {}", self.0, record.value);
///         ctx.forward(record.with_value(&value))
///     }
/// }
/// ```
pub trait Processor<KIn, VIn, KOut, VOut>: Send + 'static
where
    KIn: 'static,
    VIn: 'static,
    KOut: 'static,
    VOut: 'static,
{
    /// Takes one record. `ctx` ends with the call: nothing can be forwarded later, or from another thread.
    fn process(&mut self, record: Record<'_, KIn, VIn>, ctx: &mut Context<'_, KOut, VOut>) -> Flow;

    /// Appends the fields to `out`, so that the task can be copied (the explorer does it at every step), and so that they
    /// can be set back when a record fails that is left out.
    ///
    /// A processor without fields need not implement it; one with fields that does not can run, but not be explored, and
    /// its fields keep what a failing record did to them.
    fn snapshot(&self, _out: &mut SnapshotBytes) -> Result<(), CannotSnapshot>
    where
        Self: Sized,
    {
        if size_of::<Self>() == 0 { Ok(()) } else { Err(CannotSnapshot) }
    }

    /// Sets the fields from what `snapshot` wrote.
    fn restore(&mut self, _bytes: &[u8]) -> Result<(), ProcessError> {
        Ok(())
    }
}

/// A processor's instance in its slot, type erased.
pub(crate) trait ProcessorInstance: Any + Send {
    fn snapshot(&self, out: &mut SnapshotBytes) -> Result<(), CannotSnapshot>;
    fn restore(&mut self, bytes: &[u8]) -> Result<(), ProcessError>;
}

pub(crate) struct Instance<P, KIn, VIn, KOut, VOut> {
    pub(crate) processor: P,
    pub(crate) types: PhantomData<fn(KIn, VIn, KOut, VOut)>,
}

impl<P, KIn, VIn, KOut, VOut> ProcessorInstance for Instance<P, KIn, VIn, KOut, VOut>
where
    P: Processor<KIn, VIn, KOut, VOut>,
    KIn: 'static,
    VIn: 'static,
    KOut: 'static,
    VOut: 'static,
{
    fn snapshot(&self, out: &mut SnapshotBytes) -> Result<(), CannotSnapshot> {
        self.processor.snapshot(out)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), ProcessError> {
        self.processor.restore(bytes)
    }
}

/// Runs the instance that lies in the task's slot.
pub(crate) struct ProcessorNode<P, KIn, VIn, KOut: 'static, VOut: 'static> {
    pub(crate) head: NodeHead,
    pub(crate) slot: usize,
    pub(crate) outlet: Outlet<StreamOf<KOut, VOut>>,
    pub(crate) types: PhantomData<fn(P, KIn, VIn)>,
}

impl<P, KIn, VIn, KOut, VOut> Push<StreamOf<KIn, VIn>> for ProcessorNode<P, KIn, VIn, KOut, VOut>
where
    P: Processor<KIn, VIn, KOut, VOut>,
    KIn: 'static,
    VIn: 'static,
    KOut: 'static,
    VOut: 'static,
{
    fn push(&self, record: Record<'_, KIn, VIn>, task: &mut TaskState) -> Flow {
        // The instance leaves its slot while it runs, because it gets the task as well. The graph has no cycles, so
        // nobody looks for it meanwhile.
        let mut instance = task.take_instance(self.slot);
        let any: &mut dyn Any = &mut *instance;
        let typed = any.downcast_mut::<Instance<P, KIn, VIn, KOut, VOut>>().expect("a slot keeps its type");
        let mut context = NodeContext::new(&self.head, &self.outlet, task);
        let result = typed.processor.process(record, &mut context);
        context.returned();
        task.return_instance(self.slot, instance);
        result.or_else(|error| task.failed_in(&self.head.name, error))
    }
}
