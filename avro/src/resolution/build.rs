//! Compares two schemas once, so that values need not.
//!
//! Rule: no recursion. Each pair of types is met once and waits in a list, so schemas of any shape end, and need no stack.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::matching::{Matching, counterpart};
use super::step::{Part, RecordStep, Step, StepId};
use crate::error::AvroError;
use crate::json;
use crate::schema::{Field, Names, Node, NodeId, Schema};

/// More pairs of types are refused: a schema that needs them was made to need them.
const STEPS_MAX: usize = 1 << 17;

/// The steps from a writer's schema to a reader's; the first one is that of the root.
pub(super) fn build(writer: &Schema, reader: &Schema) -> Result<Vec<Step>, AvroError> {
    let mut builder = Builder {
        writer,
        reader,
        matching: Matching::new(writer, reader),
        steps: Vec::new(),
        known: HashMap::new(),
        waiting: VecDeque::new(),
    };
    builder.step(writer.root(), Some(reader.root()))?;
    while let Some((id, written, read)) = builder.waiting.pop_front() {
        let step = match read {
            Some(read) => builder.resolved(written, read)?,
            None => builder.same(written)?,
        };
        builder.steps[id.0 as usize] = step;
    }
    Ok(builder.steps)
}

/// A writer's type with the reader's type that it becomes; none: it is read as it is, or skipped.
type Pair = (NodeId, Option<NodeId>);

struct Builder<'a> {
    writer: &'a Schema,
    reader: &'a Schema,
    matching: Matching<'a>,
    steps: Vec<Step>,
    known: HashMap<Pair, StepId>,
    waiting: VecDeque<(StepId, NodeId, Option<NodeId>)>,
}

impl Builder<'_> {
    /// The step of a pair, which is made later.
    fn step(&mut self, written: NodeId, read: Option<NodeId>) -> Result<StepId, AvroError> {
        if let Some(id) = self.known.get(&(written, read)) {
            return Ok(*id);
        }
        let id = self.place(Step::Null)?;
        self.known.insert((written, read), id);
        self.waiting.push_back((id, written, read));
        Ok(id)
    }

    fn place(&mut self, step: Step) -> Result<StepId, AvroError> {
        if self.steps.len() >= STEPS_MAX {
            return Err(AvroError::schema(format!("two schemas meet in more than {STEPS_MAX} ways")));
        }
        let id = StepId(u32::try_from(self.steps.len()).unwrap_or(u32::MAX));
        self.steps.push(step);
        Ok(id)
    }

    /// Takes a value as it was written.
    fn same(&mut self, written: NodeId) -> Result<Step, AvroError> {
        let writer = self.writer;
        Ok(match writer.node(written) {
            Node::Open | Node::Null => Step::Null,
            Node::Boolean => Step::Boolean,
            Node::Int => Step::Int,
            Node::Long => Step::Long,
            Node::Float => Step::Float,
            Node::Double => Step::Double,
            Node::Bytes => Step::Bytes,
            Node::String => Step::String,
            Node::Fixed { size, .. } => Step::Fixed(*size),
            Node::Enum { symbols, .. } => Step::Enum((0..symbols.len()).map(Ok).collect()),
            Node::Array(items) => Step::Array(self.step(*items, None)?),
            Node::Map(values) => Step::Map(self.step(*values, None)?),
            Node::Union(members) => {
                let mut steps = Vec::with_capacity(members.len());
                for (index, member) in members.iter().enumerate() {
                    let inner = self.step(*member, None)?;
                    steps.push(self.place(Step::Member(index, inner))?);
                }
                Step::Union(steps)
            }
            Node::Record { fields, .. } => {
                let mut record = RecordStep { in_order: true, ..RecordStep::default() };
                for (index, field) in fields.iter().enumerate() {
                    record.fields.push((self.step(field.node, None)?, true));
                    record.result.push(Part::Written(index));
                }
                Step::Record(record)
            }
        })
    }

    /// Turns a writer's type into a reader's.
    fn resolved(&mut self, written: NodeId, read: NodeId) -> Result<Step, AvroError> {
        let (writer, reader) = (self.writer, self.reader);
        let (from, to) = (writer.node(written), reader.node(read));
        Ok(match (from, to) {
            (Node::Union(members), _) => {
                let steps: Result<Vec<StepId>, AvroError> =
                    members.iter().map(|member| self.step(*member, Some(read))).collect();
                Step::Union(steps?)
            }
            (_, Node::Union(members)) => match self.matching.member(written, members) {
                Some(index) => Step::Member(index, self.step(written, Some(members[index]))?),
                None => Step::Refuse(format!("a `{}` is none of the reader's union", from.label())),
            },
            (Node::Record { names, fields: written, .. }, Node::Record { fields, .. }) => {
                self.record(names, written, fields)?
            }
            (Node::Enum { names, symbols, .. }, Node::Enum { names: to, symbols: wanted, default }) => {
                if to.are(&names.full) { enumeration(to, symbols, wanted, *default) } else { differ(from, &to.full) }
            }
            (Node::Fixed { names, size }, Node::Fixed { names: to, size: wanted }) => {
                if !to.are(&names.full) {
                    differ(from, &to.full)
                } else if size == wanted {
                    Step::Fixed(*size)
                } else {
                    Step::Refuse(format!("`{}` has {size} bytes, and its reader wants {wanted}", names.full))
                }
            }
            (Node::Array(items), Node::Array(wanted)) => Step::Array(self.step(*items, Some(*wanted))?),
            (Node::Map(values), Node::Map(wanted)) => Step::Map(self.step(*values, Some(*wanted))?),
            (Node::Null, Node::Null) => Step::Null,
            (Node::Boolean, Node::Boolean) => Step::Boolean,
            (Node::Int, Node::Int | Node::Long) => Step::Int,
            (Node::Long, Node::Long) => Step::Long,
            (Node::Float, Node::Float) => Step::Float,
            (Node::Double, Node::Double) => Step::Double,
            (Node::Bytes, Node::Bytes) => Step::Bytes,
            (Node::String, Node::String | Node::Bytes) | (Node::Bytes, Node::String) => Step::String,
            (Node::Int, Node::Float) => Step::IntToFloat,
            (Node::Int, Node::Double) => Step::IntToDouble,
            (Node::Long, Node::Float) => Step::LongToFloat,
            (Node::Long, Node::Double) => Step::LongToDouble,
            (Node::Float, Node::Double) => Step::FloatToDouble,
            (from, to) => differ(from, to.label()),
        })
    }

    fn record(&mut self, names: &Names, written: &[Field], wanted: &[Field]) -> Result<Step, AvroError> {
        let mut targets: Vec<Option<NodeId>> = vec![None; written.len()];
        let mut result = Vec::with_capacity(wanted.len());
        for field in wanted {
            if let Some(at) = counterpart(written, field) {
                targets[at] = Some(field.node);
                result.push(Part::Written(at));
                continue;
            }
            let Some(default) = &field.default else {
                let message = format!(
                    "`{}` was written without `{}`, which its reader wants: give the field a default",
                    names.full, field.name
                );
                return Ok(Step::Refuse(message));
            };
            let mut bytes = Vec::new();
            json::write_default(self.reader, field.node, default, &mut bytes).map_err(|error| {
                AvroError::schema(format!("the default of `{}` does not fit its type: {error}", field.name))
            })?;
            result.push(Part::Default(bytes));
        }
        let mut fields = Vec::with_capacity(written.len());
        for (field, target) in written.iter().zip(targets) {
            fields.push((self.step(field.node, target)?, target.is_some()));
        }
        let in_order = comes_in_order(&result);
        Ok(Step::Record(RecordStep { fields, result, in_order }))
    }
}

/// Whether the reader's fields can be written while the writer's are read.
fn comes_in_order(result: &[Part]) -> bool {
    let written = result.iter().map_while(|part| match part {
        Part::Written(at) => Some(*at),
        Part::Default(_) => None,
    });
    let written: Vec<usize> = written.collect();
    let only_defaults_follow = result[written.len()..].iter().all(|part| matches!(part, Part::Default(_)));
    only_defaults_follow && written.is_sorted_by(|a, b| a < b)
}

fn enumeration(names: &Names, written: &[String], wanted: &[String], default: Option<usize>) -> Step {
    let target = |symbol: &String| {
        let found = wanted.iter().position(|known| known == symbol).or(default);
        found.ok_or_else(|| format!("`{}` has no symbol `{symbol}` here, and no default", names.full))
    };
    Step::Enum(written.iter().map(target).collect())
}

fn differ(from: &Node, to: &str) -> Step {
    Step::Refuse(format!("a `{}` was written, and its reader wants a `{to}`", from.label()))
}
