//! Reads lines into batches. A batch ends where the reader would have to wait for more, so a slow input is not held back.

use std::io::{BufRead, BufReader, Read};

use super::Failure;
use super::position::Place;

/// So many lines are sent together at most.
const BATCH_LINES: usize = 10_000;
const BUFFER_BYTES: usize = 1 << 18;
/// A longer line is no line, but a file of another kind.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What a line says, or `None` for one that says nothing; the error names the reason and what to write instead.
pub(crate) type Parse<T> = fn(&[u8]) -> Result<Option<T>, String>;

/// Lines that are sent together, and the place behind them.
pub(crate) struct Batch<T> {
    pub(crate) items: Vec<T>,
    pub(crate) place: Place,
}

/// An input, line by line.
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    name: String,
    place: Place,
    line: Vec<u8>,
    /// A broken line, reported once the lines before it are sent.
    broken: Option<Failure>,
}

impl<R: Read> Lines<R> {
    /// The lines of an input from its beginning; `name` stands in errors.
    pub(crate) fn new(input: R, name: &str) -> Self {
        let reader = BufReader::with_capacity(BUFFER_BYTES, input);
        Lines { reader, name: name.to_owned(), place: Place::default(), line: Vec::new(), broken: None }
    }

    /// Goes on behind `place`. An error when the bytes before it are not those that were read then.
    pub(crate) fn skip_to(mut self, place: Place) -> Result<Self, Failure> {
        let mut passed = Place::default();
        while passed.bytes < place.bytes {
            let buffer = self.reader.fill_buf()?;
            let left = usize::try_from(place.bytes - passed.bytes).unwrap_or(usize::MAX);
            let length = buffer.len().min(left);
            if length == 0 {
                break;
            }
            passed = passed.after(&buffer[..length], 0);
            self.reader.consume(length);
        }
        if (passed.bytes, passed.crc) != (place.bytes, place.crc) {
            let Place { lines, .. } = place;
            let message = format!(
                "the first {lines} lines of `{}` changed since they were read; what was applied stays applied: put them back \
                 as they were and write corrections as new lines behind them, or give them in a file of another name",
                self.name
            );
            return Err(message.into());
        }
        self.place = place;
        Ok(self)
    }

    /// The next batch; `None` at the end. A broken line is an error, after the batch of the lines before it.
    pub(crate) fn next_batch<T>(&mut self, parse: Parse<T>) -> Result<Option<Batch<T>>, Failure> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let (start, mut items) = (self.place, Vec::new());
        while items.len() < BATCH_LINES {
            match self.read_line().and_then(|more| if more { self.parsed(parse) } else { Ok(None) }) {
                Ok(Some(item)) => items.extend(item),
                Ok(None) => break,
                Err(broken) if self.place == start => return Err(broken),
                Err(broken) => {
                    self.broken = Some(broken);
                    break;
                }
            }
            if self.reader.buffer().is_empty() {
                break;
            }
        }
        Ok((self.place != start).then_some(Batch { items, place: self.place }))
    }

    /// Reads a line, its end included; `false` at the end of the input.
    fn read_line(&mut self) -> Result<bool, Failure> {
        self.line.clear();
        let read = self.reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line);
        let length = read.map_err(|error| format!("cannot read `{}`: {error}", self.name))?;
        if length as u64 == LINE_BYTES_MAX && !self.line.ends_with(b"\n") {
            return Err(self.broken_line("it is longer than 1 MiB; is this the right file?"));
        }
        Ok(length > 0)
    }

    /// What the line says; the outer `Some` means that there is a line.
    fn parsed<T>(&mut self, parse: Parse<T>) -> Result<Option<Option<T>>, Failure> {
        let parsed = parse(self.line.trim_ascii()).map_err(|reason| self.broken_line(&reason))?;
        self.place = self.place.after(&self.line, 1);
        Ok(Some(parsed))
    }

    fn broken_line(&self, reason: &str) -> Failure {
        let (name, line) = (&self.name, self.place.lines + 1);
        let next = "nothing of this line was applied, and all before it is: correct it and run the same command again";
        format!("{name}, line {line}: {reason}; {next}").into()
    }
}
