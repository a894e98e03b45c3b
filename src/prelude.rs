//! The names that most programs need, to be imported together: `use tidemill::prelude::*;`.
//!
//! It has what a topology is described with, what runs it, and the types in their signatures. Errors other than those of a
//! build are left out, since `Error` means something else in every program: write `tidemill::Error`.

pub use crate::{App, Settings};

pub use tidemill_dsl::Topic;
pub use tidemill_dsl::event_sourcing::{Aggregate, CommandContext, Commands, Refusal, Reply};
pub use tidemill_dsl::processor::{
    Context, ErrorHandler, ErrorSettings, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Flow, ProcessError,
    Processor, PunctuationType, SilentContext,
};
pub use tidemill_dsl::record::{Headers, Record, Timestamp};
pub use tidemill_dsl::serde::{Data, SerdeRef};
pub use tidemill_dsl::state::{Changelog, Direction, SessionStore, Store, StoreSpec, WindowStore};
pub use tidemill_dsl::stream::{
    Consumed, EventSourced, Grouped, GroupedStream, Materialized, Naming, Produced, Repartitioned, Stream,
    StreamJoined, StreamsBuilder, Table,
};
pub use tidemill_dsl::topology::{TimestampExtractor, Topology, TopologyErrors};
pub use tidemill_dsl::window::{
    EmitStrategy, Hopping, JoinWindows, Session, Sliding, TimeWindowed, Tumbling, Window, Windowed,
};
