//! Nodes without state of their own.

use super::context::NodeHead;
use super::{Edge, Flow, FollowsTime, NodeContext, Outlet, ProcessError, Push, SideOutputs, TaskState};
use crate::record::Timestamp;

/// A node that keeps nothing between two calls but what lies in stores; one instance serves all tasks.
///
/// It takes items of one kind and forwards any number of another. The verbs of the builder are such operators.
pub trait Operator<In: Edge, Out: Edge>: Send + Sync + 'static {
    /// Takes one item; forwards through `ctx` and only while it runs.
    fn process(&self, item: In::Item<'_>, ctx: &mut NodeContext<'_, Out>) -> Flow;

    /// Whether [`advance`](Self::advance) is to be called. Asked once, when the topology is put together.
    fn follows_time(&self) -> bool {
        false
    }

    /// Called when record time moves on to `time` without a record, because the task's inputs are quiet (see
    /// [`TaskSettings::idle_advance`](crate::topology::TaskSettings)): hands on what waits for that time. Nodes further up
    /// are called before. Gives whether anything was forwarded or stored, so that it has to be committed.
    fn advance(&self, _time: Timestamp, _ctx: &mut NodeContext<'_, Out>) -> Result<bool, ProcessError> {
        Ok(false)
    }
}

/// An operator with its children: what parents push into.
pub(crate) struct OperatorNode<O, In: Edge, Out: Edge> {
    pub(crate) head: NodeHead,
    pub(crate) operator: O,
    pub(crate) outlet: Outlet<Out>,
    pub(crate) sides: Option<SideOutputs<In>>,
}

impl<O: Operator<In, Out>, In: Edge, Out: Edge> FollowsTime for OperatorNode<O, In, Out> {
    fn advance(&self, time: Timestamp, task: &mut TaskState) -> Result<bool, ProcessError> {
        let mut context = NodeContext::new(&self.head, &self.outlet, task);
        let advanced = self.operator.advance(time, &mut context);
        context.returned();
        advanced.or_else(|error| task.failed_in(&self.head.name, error).map(|()| true))
    }
}

impl<O: Operator<In, Out>, In: Edge, Out: Edge> Push<In> for OperatorNode<O, In, Out> {
    fn push(&self, item: In::Item<'_>, task: &mut TaskState) -> Flow {
        let mut context = NodeContext::new(&self.head, &self.outlet, task);
        let mut flow = self.operator.process(item, &mut context);
        if let (Some(reason), Some(sides), Ok(())) = (context.returned(), &self.sides, &flow) {
            flow = sides.push(reason, item, task);
        }
        flow.or_else(|error| task.failed_in(&self.head.name, error))
    }
}
