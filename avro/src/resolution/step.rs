//! What is done with the bytes of a writer's type to get those of a reader's.

/// The number of a step within its resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StepId(pub(super) u32);

/// One type of a value.
#[derive(Debug)]
pub(super) enum Step {
    Null,
    Boolean,
    /// An int is a long of the same bytes.
    Int,
    Long,
    Float,
    Double,
    /// A string is bytes of the same bytes.
    Bytes,
    /// So are bytes a string, where they are UTF-8.
    String,
    Fixed(usize),
    IntToFloat,
    IntToDouble,
    LongToFloat,
    LongToDouble,
    FloatToDouble,
    /// What the reader calls each of the writer's symbols.
    Enum(Vec<Result<usize, String>>),
    Array(StepId),
    Map(StepId),
    Record(RecordStep),
    /// What becomes of each of the writer's members.
    Union(Vec<StepId>),
    /// A member of the reader's union.
    Member(usize, StepId),
    /// There is nothing to read it as.
    Refuse(String),
}

/// How a record is read.
#[derive(Debug, Default)]
pub(super) struct RecordStep {
    /// The writer's fields, in its order: what becomes of their bytes, and whether the reader wants them.
    pub(super) fields: Vec<(StepId, bool)>,
    /// The reader's fields, in its order.
    pub(super) result: Vec<Part>,
    /// Whether the fields that the reader wants come in the reader's order, and none is made up before the last of them.
    pub(super) in_order: bool,
}

/// Where a reader's field comes from.
#[derive(Debug)]
pub(super) enum Part {
    /// The writer's field of this number.
    Written(usize),
    /// The default, as it is written.
    Default(Vec<u8>),
}
