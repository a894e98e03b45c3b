//! From the bytes of whoever wrote a value to those of whoever reads it.
//!
//! Rule: what comes out is a value of the reader's schema, whatever came in, or an error; and the work is bounded by the bytes that came
//! in. What reads it afterwards need not be careful any more.

mod build;
mod matching;
mod run;
mod step;

use std::borrow::Cow;

use crate::error::AvroError;
use crate::input::Input;
use crate::schema::Schema;
use step::Step;

/// How values of a writer's schema are read with a reader's: compared once, used for each value.
///
/// Fields are found by name, or by an alias of the reader's; those that only the writer has are skipped, those that only the reader has
/// get their default. Numbers widen, strings and bytes are exchanged. Of unions the value decides. Where Avro's Java library is laxer than
/// the specification, so is this: names of records that meet outside of unions are not compared, and within a union a record that is not
/// found by its name becomes the first member that it can fill.
///
/// ```
/// use tidemill_avro::{Resolution, Schema};
///
/// let old: Schema = r#"{"type":"record","name":"User","fields":[{"name":"name","type":"string"}]}"#.parse()?;
/// let new: Schema = r#"{"type":"record","name":"User","fields":[
///     {"name":"name","type":"string"}, {"name":"age","type":"int","default":25}]}"#.parse()?;
///
/// let reading = Resolution::new(&old, &new)?;
/// assert_eq!(reading.resolve(&[6, b'f', b'o', b'o'])?.0[..], [6, b'f', b'o', b'o', 50]);
/// # Ok::<(), tidemill_avro::AvroError>(())
/// ```
#[derive(Debug)]
pub struct Resolution {
    steps: Vec<Step>,
    is_same: bool,
}

impl Resolution {
    /// Compares two schemas.
    ///
    /// # Errors
    ///
    /// When a default of the reader's does not fit its type, or the schemas are made to meet in too many ways. What cannot be read is an
    /// error of the value that has it: others may be fine.
    pub fn new(writer: &Schema, reader: &Schema) -> Result<Resolution, AvroError> {
        Ok(Resolution { steps: build::build(writer, reader)?, is_same: writer == reader })
    }

    /// The value at the start of `body` as the reader's schema has it, and how many bytes it took; the same bytes where both schemas are
    /// the same.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::AvroErrorKind::Malformed) for bytes that are no value of the writer's schema, nest deeper than 128 levels or
    /// stand for more than their number can pay for; [`Mismatch`](crate::AvroErrorKind::Mismatch) for a value that the reader's schema does
    /// not have.
    pub fn resolve<'a>(&self, body: &'a [u8]) -> Result<(Cow<'a, [u8]>, usize), AvroError> {
        let mut input = Input::new(body);
        if self.is_same {
            run::run(&self.steps, &mut input, body.len(), None)?;
            let taken = input.taken();
            return Ok((Cow::Borrowed(&body[..taken]), taken));
        }
        let mut out = Vec::with_capacity(body.len() + body.len() / 4);
        run::run(&self.steps, &mut input, body.len(), Some(&mut out))?;
        Ok((Cow::Owned(out), input.taken()))
    }
}
