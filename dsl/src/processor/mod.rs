//! What runs between the nodes of a topology: operators, processors and what they may do.
//!
//! Rule: the compiled program is immutable and shared by all tasks; everything that changes lies in [`TaskState`].
//! An [`Operator`] is a node that keeps nothing of its own; a [`Processor`] is a node with an instance per task. The
//! builder's verbs are operators, and nothing that they use is hidden from yours.

mod advance;
mod caches;
mod calls;
mod context;
mod dead_letter;
mod dropped;
mod edge;
mod error;
mod fixed_key;
mod globals;
mod handler;
mod instance;
mod journal;
mod operator;
mod operator_time;
mod outlet;
mod outputs;
mod row_context;
mod side;
mod task_state;
mod timers;
mod wrapper;

pub(crate) use advance::FollowsTime;
pub use calls::{Answer, Call, CallChanges, CallId, Work};
pub(crate) use calls::{CallEvent, CallOf, Calls, Waited};
pub(crate) use context::NodeHead;
pub use context::{Context, NodeContext, SilentContext};
pub use dead_letter::{ERROR_CAUSES, ERROR_MESSAGE, ERROR_OFFSET, ERROR_PARTITION, ERROR_TOPIC, ERROR_TYPE};
pub use dropped::{DropCounts, DropReason};
pub use edge::{Edge, NoItem, Nowhere, StreamOf, TableOf};
pub use error::{BoxError, FiredTimer, Flow, ProcessError};
pub use fixed_key::{FixedKeyContext, FixedKeyOf, FixedKeyProcessor, FixedKeyRecord};
pub use globals::{GlobalStores, HeldStores};
pub use handler::{ErrorHandler, ErrorSettings, FailedRecord, PartialEffects, Stage, Verdict};
pub use instance::{CannotSnapshot, Processor, SnapshotBytes};
pub(crate) use instance::{Instance, NodeProcessor, ProcessorInstance, ProcessorNode, ProcessorRunner};
use journal::Journal;
pub use journal::{Attempt, Origin};
pub use operator::Operator;
pub(crate) use operator::OperatorNode;
pub(crate) use operator_time::OperatorTime;
pub use outlet::{Outlet, Push};
pub(crate) use outputs::PlacedBy;
pub use outputs::{Outputs, PartitionCounts, Transferred};
pub use row_context::RowContext;
pub(crate) use side::{SideOutputs, Takes};
pub use task_state::{Address, SnapshotError, TaskState};
pub(crate) use task_state::{HeadRecord, TaskParts};
pub use timers::{PunctuationType, TimerView};
pub(crate) use timers::{Schedule, Timers};
pub(crate) use wrapper::Wrapped;
pub use wrapper::{CallReason, ProcessorCall, ProcessorWrapper};
