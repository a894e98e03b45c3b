//! Reads a value with a resolution's steps and writes it as the reader's schema says.

use super::step::{Part, RecordStep, Step, StepId};
use crate::error::AvroError;
use crate::input::{Input, put_long, put_sized};

/// How much may be written beside what was read: defaults, for each of many records.
const EXTRA_FREE: usize = 1 << 24;
const EXTRA_PER_BYTE: usize = 64;

/// Where the reader's bytes go; nowhere while something is skipped.
struct Output<'a> {
    bytes: Option<&'a mut Vec<u8>>,
    length_max: usize,
}

impl Output<'_> {
    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(bytes) = &mut self.bytes {
            write(bytes);
        }
    }

    fn check(&self) -> Result<(), AvroError> {
        match &self.bytes {
            Some(bytes) if bytes.len() > self.length_max => {
                Err(AvroError::malformed(format!("a value becomes more than {} bytes", self.length_max)))
            }
            _ => Ok(()),
        }
    }
}

/// Appends a value to `out` as the reader wants it. `None`: it is checked only.
pub(super) fn run(
    steps: &[Step],
    input: &mut Input<'_>,
    length: usize,
    out: Option<&mut Vec<u8>>,
) -> Result<(), AvroError> {
    let before = out.as_ref().map_or(0, |out| out.len());
    let length_max = before + EXTRA_FREE + length.saturating_mul(EXTRA_PER_BYTE);
    Runner { steps }.step(StepId(0), input, &mut Output { bytes: out, length_max })
}

struct Runner<'a> {
    steps: &'a [Step],
}

impl Runner<'_> {
    fn step(&self, id: StepId, input: &mut Input<'_>, out: &mut Output<'_>) -> Result<(), AvroError> {
        input.step()?;
        match &self.steps[id.0 as usize] {
            Step::Null => {}
            Step::Boolean => {
                let value = input.boolean()?;
                out.put(|bytes| bytes.push(u8::from(value)));
            }
            Step::Int => {
                let value = input.int()?;
                out.put(|bytes| put_long(i64::from(value), bytes));
            }
            Step::Long => {
                let value = input.long()?;
                out.put(|bytes| put_long(value, bytes));
            }
            Step::Float => copy(input.bytes(4)?, out),
            Step::Double => copy(input.bytes(8)?, out),
            Step::Fixed(size) => copy(input.bytes(*size)?, out),
            Step::Bytes => {
                let value = input.sized()?;
                out.put(|bytes| put_sized(value, bytes));
            }
            Step::String => {
                let value = input.string()?;
                out.put(|bytes| put_sized(value.as_bytes(), bytes));
            }
            Step::Enum(symbols) => {
                let symbol = &symbols[input.index(symbols.len(), "an enum")?];
                let symbol = *symbol.as_ref().map_err(|message| AvroError::mismatch(message.as_str()))?;
                put_index(symbol, out);
            }
            Step::Union(members) => {
                let member = members[input.index(members.len(), "a union")?];
                self.step(member, input, out)?;
            }
            Step::Member(index, inner) => {
                put_index(*index, out);
                self.step(*inner, input, out)?;
            }
            Step::Array(items) => self.blocks(input, out, |input, out| self.step(*items, input, out))?,
            Step::Map(values) => self.blocks(input, out, |input, out| {
                let key = input.string()?;
                out.put(|bytes| put_sized(key.as_bytes(), bytes));
                self.step(*values, input, out)
            })?,
            Step::Record(record) => self.record(record, input, out)?,
            Step::Refuse(message) => return Err(AvroError::mismatch(message.as_str())),
            widened => widen(widened, input, out)?,
        }
        Ok(())
    }

    fn blocks(
        &self,
        input: &mut Input<'_>,
        out: &mut Output<'_>,
        item: impl Fn(&mut Input<'_>, &mut Output<'_>) -> Result<(), AvroError>,
    ) -> Result<(), AvroError> {
        input.enter()?;
        while let Some(count) = input.block()? {
            // A count of 2^63 is a negative one in Avro's own numbers: it is refused here, as its items would be.
            let number =
                i64::try_from(count).map_err(|_| AvroError::malformed(format!("a block has {count} items")))?;
            out.put(|bytes| put_long(number, bytes));
            for _ in 0..count {
                item(input, out)?;
                out.check()?;
            }
        }
        out.put(|bytes| bytes.push(0));
        input.leave();
        Ok(())
    }

    fn record(&self, record: &RecordStep, input: &mut Input<'_>, out: &mut Output<'_>) -> Result<(), AvroError> {
        input.enter()?;
        if record.in_order || out.bytes.is_none() {
            let skipped = &mut Output { bytes: None, length_max: 0 };
            for (step, is_wanted) in &record.fields {
                self.step(*step, input, if *is_wanted { &mut *out } else { &mut *skipped })?;
            }
            for part in &record.result {
                if let Part::Default(default) = part {
                    copy(default, out);
                }
            }
            input.leave();
            return out.check();
        }
        let mut fields: Vec<Vec<u8>> = Vec::with_capacity(record.fields.len());
        for (step, is_wanted) in &record.fields {
            let mut bytes = Vec::new();
            let wanted = is_wanted.then_some(&mut bytes);
            self.step(*step, input, &mut Output { bytes: wanted, length_max: out.length_max })?;
            fields.push(bytes);
        }
        for part in &record.result {
            match part {
                Part::Written(at) => copy(&fields[*at], out),
                Part::Default(default) => copy(default, out),
            }
        }
        input.leave();
        out.check()
    }
}

fn copy(value: &[u8], out: &mut Output<'_>) {
    out.put(|bytes| bytes.extend_from_slice(value));
}

fn put_index(index: usize, out: &mut Output<'_>) {
    out.put(|bytes| put_long(i64::try_from(index).unwrap_or(i64::MAX), bytes));
}

/// Numbers that become others: as Java converts them, to the nearest.
#[expect(clippy::cast_precision_loss, reason = "Avro widens long to float and double so")]
fn widen(step: &Step, input: &mut Input<'_>, out: &mut Output<'_>) -> Result<(), AvroError> {
    match step {
        Step::IntToFloat => copy(&(input.int()? as f32).to_le_bytes(), out),
        Step::IntToDouble => copy(&f64::from(input.int()?).to_le_bytes(), out),
        Step::LongToFloat => copy(&(input.long()? as f32).to_le_bytes(), out),
        Step::LongToDouble => copy(&(input.long()? as f64).to_le_bytes(), out),
        _ => copy(&f64::from(f32::from_le_bytes(input.array()?)).to_le_bytes(), out),
    }
    Ok(())
}
