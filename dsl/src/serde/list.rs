//! Lists, in the format of Kafka's `ListSerializer`.
//!
//! ```text
//! entries of one size    0 u8 | nulls i32 | (index i32)*nulls | count i32 | (entry)*(count - nulls)
//! entries of any size    1 u8 | count i32 | (size i32 | entry)*count      a size of -1: null, no entry
//! ```
//! Big-endian. Which of the two is written depends on [`Serde::fixed_size`] of the entries; both can be read. Stricter
//! than Kafka's reader: bytes behind the last entry and null indexes out of order are errors.

use super::{DefaultSerde, Serde, SerdeError};

const ONE_SIZE: u8 = 0;
const ANY_SIZE: u8 = 1;
const NULL: i32 = -1;
const WORD: usize = size_of::<i32>();

/// The serde of `Vec<T>` over a serde of `T`, with the bytes of Kafka's `ListSerializer`.
///
/// Order is kept. `Vec<u8>` has plain bytes instead ([`Raw`](super::Raw)) unless you name this serde.
///
/// ```
/// use tidemill_dsl::serde::{BigEndian, List, Serde, SerdeRef};
///
/// let list = SerdeRef::<Vec<i16>>::of();
/// assert_eq!(list.name(), "list<i16>");
///
/// let mut bytes = Vec::new();
/// list.write(&vec![7, 8], &mut bytes)?;
/// assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 7, 0, 8]);
/// # Ok::<(), tidemill_dsl::serde::SerdeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct List<S>(S);

impl<S> List<S> {
    /// Lists of what `entry` reads and writes.
    pub const fn new(entry: S) -> Self {
        List(entry)
    }
}

impl<T: 'static, S: Serde<T>> Serde<Vec<T>> for List<S> {
    /// Appends the list; after an error `out` is as it was.
    fn write(&self, value: &Vec<T>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let start = out.len();
        let written = match self.0.fixed_size() {
            Some(size) => write_one_size(&self.0, size, value, out),
            None => write_any_size(&self.0, value, out),
        };
        written.inspect_err(|_| out.truncate(start))
    }

    fn read(&self, bytes: &[u8]) -> Result<Vec<T>, SerdeError> {
        let (&format, rest) = bytes.split_first().ok_or_else(|| SerdeError::new("a list has at least 1 byte"))?;
        match (format, self.0.fixed_size()) {
            (ONE_SIZE, Some(size)) => read_one_size(&self.0, size, rest),
            (ONE_SIZE, None) => Err(SerdeError::new(format!(
                "the list's entries were written without their sizes, and `{}` has values of many sizes: \
                 was this written with another serde?",
                self.0.name()
            ))),
            (ANY_SIZE, _) => read_any_size(&self.0, rest),
            (other, _) => Err(SerdeError::new(format!(
                "a list begins with a byte 0 or 1, and `{other}` came: was this written with another serde?"
            ))),
        }
    }

    fn name(&self) -> String {
        format!("list<{}>", self.0.name())
    }
}

impl<T: DefaultSerde> DefaultSerde for Vec<T> {
    const SERDE: &'static dyn Serde<Self> = T::LIST_SERDE;
    const LIST_SERDE: &'static dyn Serde<Vec<Self>> = &List::new(T::LIST_SERDE);
}

fn write_one_size<T>(serde: &impl Serde<T>, size: usize, entries: &[T], out: &mut Vec<u8>) -> Result<(), SerdeError> {
    let nulls = || entries.iter().enumerate().filter(|(_, entry)| serde.is_null(entry)).map(|(index, _)| index);
    out.push(ONE_SIZE);
    write_word(nulls().count(), out)?;
    for index in nulls() {
        write_word(index, out)?;
    }
    write_word(entries.len(), out)?;
    for (index, entry) in entries.iter().enumerate() {
        let start = out.len();
        let present = serde.write_nullable(entry, out).map_err(|error| at(index, error))?;
        let written = out.len() - start;
        if present && written != size {
            return Err(SerdeError::new(format!(
                "`{}` has a fixed size of {size} and wrote {written} bytes for entry `{index}`: correct its `fixed_size`",
                serde.name()
            )));
        }
    }
    Ok(())
}

fn write_any_size<T>(serde: &impl Serde<T>, entries: &[T], out: &mut Vec<u8>) -> Result<(), SerdeError> {
    out.push(ANY_SIZE);
    write_word(entries.len(), out)?;
    for (index, entry) in entries.iter().enumerate() {
        let place = out.len();
        out.extend_from_slice(&NULL.to_be_bytes());
        if serde.write_nullable(entry, out).map_err(|error| at(index, error))? {
            let size = word(out.len() - place - WORD)?;
            out[place..place + WORD].copy_from_slice(&size);
        }
    }
    Ok(())
}

fn read_one_size<T>(serde: &impl Serde<T>, size: usize, mut rest: &[u8]) -> Result<Vec<T>, SerdeError> {
    let mut nulls = Vec::new();
    for _ in 0..take_count(&mut rest, WORD)? {
        nulls.push(take_word(&mut rest)?);
    }
    let count = take_word(&mut rest)?;
    if !nulls.is_sorted_by(|a, b| a < b) || nulls.first().is_some_and(|&i| i < 0) || nulls.last() >= Some(&count) {
        return Err(SerdeError::new(format!("the null entries `{nulls:?}` are no places in a list of `{count}`")));
    }
    // `nulls` are distinct places below `count`, so neither number can be negative here unless there are none.
    let present = usize::try_from(count).map_err(|_| negative(count))? - nulls.len();
    if present.checked_mul(size) != Some(rest.len()) {
        return Err(SerdeError::new(format!(
            "{present} entries of {size} bytes were announced, and {} bytes came: was this written with another serde?",
            rest.len()
        )));
    }
    let mut nulls = nulls.into_iter().peekable();
    (0..count)
        .map(|index| {
            let bytes = if nulls.next_if_eq(&index).is_some() { None } else { Some(take(&mut rest, size)?) };
            serde.read_nullable(bytes).map_err(|error| at(index, error))
        })
        .collect()
}

fn read_any_size<T>(serde: &impl Serde<T>, mut rest: &[u8]) -> Result<Vec<T>, SerdeError> {
    let count = take_count(&mut rest, WORD)?;
    let mut entries = Vec::with_capacity(count);
    for index in 0..count {
        let bytes = match take_word(&mut rest)? {
            NULL => None,
            size => Some(take(&mut rest, usize::try_from(size).map_err(|_| negative(size))?)?),
        };
        entries.push(serde.read_nullable(bytes).map_err(|error| at(index, error))?);
    }
    if rest.is_empty() {
        Ok(entries)
    } else {
        Err(SerdeError::new(format!(
            "{} bytes follow the last of {count} entries: was this written with another serde?",
            rest.len()
        )))
    }
}

fn word(number: usize) -> Result<[u8; WORD], SerdeError> {
    i32::try_from(number)
        .map(i32::to_be_bytes)
        .map_err(|_| SerdeError::new(format!("a list's counts and sizes end at 2^31 - 1, and `{number}` is more")))
}

fn write_word(number: usize, out: &mut Vec<u8>) -> Result<(), SerdeError> {
    out.extend_from_slice(&word(number)?);
    Ok(())
}

fn take<'a>(rest: &mut &'a [u8], size: usize) -> Result<&'a [u8], SerdeError> {
    rest.split_off(..size).ok_or_else(|| {
        SerdeError::new(format!("the list is cut off: {size} bytes were announced, and {} are left", rest.len()))
    })
}

fn take_word(rest: &mut &[u8]) -> Result<i32, SerdeError> {
    let bytes = take(rest, WORD)?;
    Ok(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// How many things of at least `size` bytes follow; refuses a count that the bytes cannot hold, before memory is set aside.
fn take_count(rest: &mut &[u8], size: usize) -> Result<usize, SerdeError> {
    let count = take_word(rest)?;
    let count = usize::try_from(count).map_err(|_| negative(count))?;
    if count > rest.len() / size {
        return Err(SerdeError::new(format!(
            "a list of {count} was announced, and {} bytes are left: was this written with another serde?",
            rest.len()
        )));
    }
    Ok(count)
}

fn negative(number: i32) -> SerdeError {
    SerdeError::new(format!("a count or size in the list is negative: `{number}`"))
}

fn at(index: impl std::fmt::Display, error: SerdeError) -> SerdeError {
    SerdeError::new(format!("entry `{index}` of the list: {error}")).with_source(error)
}

#[cfg(test)]
mod tests;
