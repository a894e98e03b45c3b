//! Nodes with an instance per task: user processors.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use super::context::NodeHead;
use super::{
    CallEvent, CallOf, Context, DropReason, Edge, Flow, NodeContext, Nowhere, Outlet, ProcessError, Push, SideOutputs,
    SilentContext, StreamOf, TaskState,
};
use crate::record::{Record, Timestamp};
use crate::state::StoreSpec;

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
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no processor of records with key `{KIn}` and value `{VIn}` that forwards `{KOut}` and `{VOut}`",
    note = "`impl Processor<KeyIn, ValueIn, KeyOut, ValueOut>`: the first two are the stream's types, `Option`s included"
)]
pub trait Processor<KIn, VIn, KOut, VOut>: Send + 'static
where
    KIn: 'static,
    VIn: 'static,
    KOut: 'static,
    VOut: 'static,
{
    /// The stores that the processor brings along: they are added where the processor is, unless a processor before brought
    /// the same ones, and connected to it. Asked of one instance when the topology is described.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// use tidemill_dsl::processor::{Context, Flow, Processor};
    /// use tidemill_dsl::record::Record;
    /// use tidemill_dsl::state::{Store, StoreSpec};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    ///
    /// const SUMS: Store<String, i64> = Store::of("sums");
    ///
    /// struct Sum;
    ///
    /// impl Processor<String, i64, String, i64> for Sum {
    ///     fn stores(&self) -> Vec<StoreSpec> {
    ///         vec![StoreSpec::plain(&SUMS)]
    ///     }
    ///
    ///     fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
    ///         let mut sums = ctx.store(&SUMS)?;
    ///         let sum = sums.get(record.key)?.unwrap_or(&0) + record.value;
    ///         sums.put(record.key, sum, record.timestamp)?;
    ///         ctx.forward(record.with_value(&sum))
    ///     }
    /// }
    ///
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(&IN).process(|| Sum, &[]).to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 4).send("a", 5);
    /// assert_eq!(driver.output(&OUT).values(), [4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn stores(&self) -> Vec<StoreSpec> {
        Vec::new()
    }

    /// Called once when the task begins, its stores restored and no record processed yet: the place for timers. Processors
    /// begin in the order in which they were added.
    fn init(&mut self, _ctx: &mut SilentContext<'_>) -> Flow {
        Ok(())
    }

    /// Takes one record. `ctx` ends with the call: nothing can be forwarded later, or from another thread.
    fn process(&mut self, record: Record<'_, KIn, VIn>, ctx: &mut Context<'_, KOut, VOut>) -> Flow;

    /// Called when a timer fires that was set with [`schedule`](NodeContext::schedule); `time` is the stream time or the
    /// clock's time now, not the one that was due. A punctuation has no record: `ctx.address()` is `None`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use tidemill_dsl::processor::{Context, Flow, Processor, PunctuationType, SilentContext};
    /// use tidemill_dsl::record::{Record, Timestamp};
    ///
    /// /// Forwards once a second how many records there were.
    /// #[derive(Default)]
    /// struct Rate(u64);
    ///
    /// impl Processor<String, String, String, u64> for Rate {
    ///     fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
    ///         ctx.schedule("rate", Duration::from_secs(1), PunctuationType::WallClock)
    ///     }
    ///
    ///     fn process(&mut self, _: Record<'_, String, String>, _: &mut Context<'_, String, u64>) -> Flow {
    ///         self.0 += 1;
    ///         Ok(())
    ///     }
    ///
    ///     fn punctuate(&mut self, _: &str, time: Timestamp, ctx: &mut Context<'_, String, u64>) -> Flow {
    ///         let records = std::mem::take(&mut self.0);
    ///         ctx.forward(Record::new(&"records".to_owned(), &records, time))
    ///     }
    /// }
    /// ```
    fn punctuate(&mut self, timer: &str, _time: Timestamp, _ctx: &mut Context<'_, KOut, VOut>) -> Flow {
        Err(format!("timer `{timer}` fired, and the processor has no `punctuate`: implement it").into())
    }

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

/// A processor as its node sees it, whichever trait its author chose.
pub(crate) trait NodeProcessor<In: Edge, Out: Edge>: Send + 'static {
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow;
    fn process(&mut self, item: In::Item<'_>, ctx: &mut NodeContext<'_, Out>) -> Flow;
    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut NodeContext<'_, Out>) -> Flow;
    /// Called for one of the calls that it has made.
    fn called(&mut self, _call: CallOf, _event: CallEvent, ctx: &mut NodeContext<'_, Out>) -> Flow {
        Err(format!("a call of node `{}` has ended, and it makes none", ctx.node_name()).into())
    }
    fn snapshot(&self, out: &mut SnapshotBytes) -> Result<(), CannotSnapshot>;
    fn restore(&mut self, bytes: &[u8]) -> Result<(), ProcessError>;
}

impl<P, KIn, VIn, KOut, VOut> NodeProcessor<StreamOf<KIn, VIn>, StreamOf<KOut, VOut>> for P
where
    P: Processor<KIn, VIn, KOut, VOut>,
    KIn: 'static,
    VIn: 'static,
    KOut: 'static,
    VOut: 'static,
{
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        Processor::init(self, ctx)
    }

    #[inline]
    fn process(&mut self, record: Record<'_, KIn, VIn>, ctx: &mut Context<'_, KOut, VOut>) -> Flow {
        Processor::process(self, record, ctx)
    }

    fn punctuate(&mut self, timer: &str, time: Timestamp, ctx: &mut Context<'_, KOut, VOut>) -> Flow {
        Processor::punctuate(self, timer, time, ctx)
    }

    fn snapshot(&self, out: &mut SnapshotBytes) -> Result<(), CannotSnapshot> {
        Processor::snapshot(self, out)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), ProcessError> {
        Processor::restore(self, bytes)
    }
}

/// A processor's instance in its slot, type erased.
pub(crate) trait ProcessorInstance: Any + Send {
    fn snapshot(&self, out: &mut SnapshotBytes) -> Result<(), CannotSnapshot>;
    fn restore(&mut self, bytes: &[u8]) -> Result<(), ProcessError>;
}

pub(crate) struct Instance<P, In, Out> {
    processor: P,
    edges: PhantomData<fn(In, Out)>,
}

impl<P: NodeProcessor<In, Out>, In: Edge, Out: Edge> Instance<P, In, Out> {
    pub(crate) fn boxed(processor: P) -> Box<dyn ProcessorInstance> {
        Box::new(Instance { processor, edges: PhantomData })
    }
}

impl<P: NodeProcessor<In, Out>, In: Edge, Out: Edge> ProcessorInstance for Instance<P, In, Out> {
    fn snapshot(&self, out: &mut SnapshotBytes) -> Result<(), CannotSnapshot> {
        self.processor.snapshot(out)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), ProcessError> {
        self.processor.restore(bytes)
    }
}

/// A processor's node as its task sees it, besides what parents push into it.
pub(crate) trait ProcessorRunner: Send + Sync {
    /// The node's name.
    fn name(&self) -> &Arc<str>;

    /// Lets the instance in the task's slot begin.
    fn init(&self, task: &mut TaskState) -> Flow;

    /// Calls the instance for a timer.
    fn punctuate(&self, timer: &str, time: Timestamp, task: &mut TaskState) -> Flow;

    /// Tells the instance of one of its calls.
    fn called(&self, call: CallOf, event: CallEvent, task: &mut TaskState) -> Flow;
}

/// Runs the instance that lies in the task's slot.
pub(crate) struct ProcessorNode<P, In: Edge, Out: Edge> {
    head: NodeHead,
    slot: usize,
    outlet: Outlet<Out>,
    sides: Option<SideOutputs<In>>,
    types: PhantomData<fn(P)>,
}

impl<P: NodeProcessor<In, Out>, In: Edge, Out: Edge> ProcessorNode<P, In, Out> {
    pub(crate) fn new(head: NodeHead, slot: usize, outlet: Outlet<Out>, sides: Option<SideOutputs<In>>) -> Self {
        ProcessorNode { head, slot, outlet, sides, types: PhantomData }
    }

    #[inline(always)]
    fn enter<To: Edge>(
        &self,
        outlet: &Outlet<To>,
        task: &mut TaskState,
        call: impl FnOnce(&mut P, &mut NodeContext<'_, To>) -> Flow,
    ) -> Result<Option<DropReason>, ProcessError> {
        // The instance leaves its slot while it runs, because it gets the task as well. The graph has no cycles, so
        // nobody looks for it meanwhile.
        let mut instance = task.take_instance(self.slot);
        let any: &mut dyn Any = &mut *instance;
        let typed = any.downcast_mut::<Instance<P, In, Out>>().expect("a slot keeps its type");
        let mut context = NodeContext::new(&self.head, outlet, task);
        let result = call(&mut typed.processor, &mut context);
        let dropped = context.returned();
        task.return_instance(self.slot, instance);
        result.or_else(|error| task.failed_in(&self.head.name, error))?;
        // While it ran it held its stores; what it wrote leaves a full cache now.
        self.head.stores.iter().try_for_each(|(_, slot)| task.make_room(*slot))?;
        Ok(dropped)
    }
}

impl<P: NodeProcessor<In, Out>, In: Edge, Out: Edge> Push<In> for ProcessorNode<P, In, Out> {
    fn push(&self, item: In::Item<'_>, task: &mut TaskState) -> Flow {
        let dropped = self.enter(&self.outlet, task, |processor, context| processor.process(item, context))?;
        match (dropped, &self.sides) {
            (Some(reason), Some(sides)) => sides.push(reason, item, task),
            _ => Ok(()),
        }
    }
}

impl<P: NodeProcessor<In, Out>, In: Edge, Out: Edge> ProcessorRunner for ProcessorNode<P, In, Out> {
    fn name(&self) -> &Arc<str> {
        &self.head.name
    }

    fn init(&self, task: &mut TaskState) -> Flow {
        // Without its beginning a processor is of no use, so this is never skipped.
        let init = |processor: &mut P, context: &mut NodeContext<'_, Nowhere>| {
            processor.init(context).map_err(ProcessError::never_skipped)
        };
        self.enter(&Outlet::<Nowhere>::new(Vec::new()), task, init).map(|_| ())
    }

    fn punctuate(&self, timer: &str, time: Timestamp, task: &mut TaskState) -> Flow {
        self.enter(&self.outlet, task, |processor, context| processor.punctuate(timer, time, context)).map(|_| ())
    }

    fn called(&self, call: CallOf, event: CallEvent, task: &mut TaskState) -> Flow {
        self.enter(&self.outlet, task, |processor, context| processor.called(call, event, context)).map(|_| ())
    }
}
