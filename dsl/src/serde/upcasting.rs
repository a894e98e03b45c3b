//! Values that say with which version of a program's types they were written, and older ones that become the present one when they are
//! read.
//!
//! ```text
//! value of version n     FF | n | as the serde of that version writes it
//! ```
//!
//! Rule: only the present version is written. So a store's old rows stay as they are until they change.

use std::fmt;

use super::{Serde, SerdeError, SerdeRef};

/// No UTF-8 begins with it, so no JSON does.
const MARK: u8 = 0xFF;

/// Reads older forms of a type as the present one: see [`Upcasting::new`].
pub struct Upcasting<T: 'static> {
    version: u8,
    present: SerdeRef<T>,
    older: Vec<(u8, Upcaster<T>)>,
    unversioned: Option<Upcaster<T>>,
}

/// Reads a value as it was written once, and makes of it what it is today.
type Upcaster<T> = Box<dyn Fn(&[u8]) -> Result<T, SerdeError> + Send + Sync>;

impl<T> Upcasting<T> {
    /// Writes values as `version`, with this serde. The number is greater than that of every older form, which are named by
    /// [`upcast`](Self::upcast).
    ///
    /// A store with this serde has the same shape whatever its versions are, so a program with one more is accepted. To begin with
    /// versions where rows have none yet: [`unversioned`](Self::unversioned), and once `AppBuilder::adopt`.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use tidemill_dsl::serde::{Data, Serde, SerdeRef, Upcasting};
    ///
    /// #[derive(Serialize, Deserialize, Data)]
    /// #[data(json)]
    /// struct Old {
    ///     name: String,
    /// }
    ///
    /// #[derive(Serialize, Deserialize, Data, Debug, PartialEq)]
    /// #[data(json)]
    /// struct Customer {
    ///     first: String,
    ///     last: String,
    /// }
    ///
    /// fn split(old: Old) -> Customer {
    ///     let (first, last) = old.name.split_once(' ').unwrap_or(("", &old.name));
    ///     Customer { first: first.into(), last: last.into() }
    /// }
    ///
    /// let old = Upcasting::new(1, SerdeRef::<Old>::of());
    /// let customers = Upcasting::new(2, SerdeRef::of()).upcast(1, SerdeRef::of(), split).unversioned(SerdeRef::of(), split);
    ///
    /// let mut bytes = Vec::new();
    /// old.write(&Old { name: "Ada Lovelace".into() }, &mut bytes)?;
    /// let ada = Customer { first: "Ada".into(), last: "Lovelace".into() };
    /// assert_eq!(customers.read(&bytes)?, ada);
    /// assert_eq!(customers.read(br#"{"name":"Ada Lovelace"}"#)?, ada);
    /// # Ok::<(), tidemill_dsl::serde::SerdeError>(())
    /// ```
    pub fn new(version: u8, serde: SerdeRef<T>) -> Self {
        Upcasting { version, present: serde, older: Vec::new(), unversioned: None }
    }

    /// Says how a value of an older version is read, and what it is today.
    #[must_use]
    pub fn upcast<O: 'static>(
        mut self,
        version: u8,
        serde: SerdeRef<O>,
        upcast: impl Fn(O) -> T + Send + Sync + 'static,
    ) -> Self {
        self.older.push((version, Box::new(move |bytes| serde.read(bytes).map(&upcast))));
        self
    }

    /// Says how a value is read that was written before there were versions. Its format must be one whose values never begin with the byte
    /// `FF`, such as JSON, text, and Avro with a header.
    #[must_use]
    pub fn unversioned<O: 'static>(
        mut self,
        serde: SerdeRef<O>,
        upcast: impl Fn(O) -> T + Send + Sync + 'static,
    ) -> Self {
        self.unversioned = Some(Box::new(move |bytes| serde.read(bytes).map(&upcast)));
        self
    }

    fn read_version(&self, version: u8, bytes: &[u8]) -> Result<T, SerdeError> {
        if version == self.version {
            return self.present.read(bytes);
        }
        let older = self.older.iter().find(|(older, _)| *older == version);
        let Some((_, upcaster)) = older else {
            return Err(SerdeError::new(format!(
                "was written as version {version}, and this program reads {}: start a program that knows it, or add an upcaster",
                self.versions()
            )));
        };
        upcaster(bytes)
    }

    fn versions(&self) -> String {
        let mut versions: Vec<u8> = self.older.iter().map(|(version, _)| *version).chain([self.version]).collect();
        versions.sort_unstable();
        versions.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl<T: 'static> Serde<T> for Upcasting<T> {
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend([MARK, self.version]);
        self.present.write(value, out)
    }

    fn read(&self, bytes: &[u8]) -> Result<T, SerdeError> {
        match (bytes, &self.unversioned) {
            ([MARK, version, bytes @ ..], _) => self.read_version(*version, bytes),
            (_, Some(upcaster)) => upcaster(bytes),
            (_, None) => {
                let message = "has no version: say with `Upcasting::unversioned` how values of before are read";
                Err(SerdeError::new(message))
            }
        }
    }

    fn is_null(&self, value: &T) -> bool {
        self.present.is_null(value)
    }

    fn null(&self) -> Result<T, SerdeError> {
        self.present.null()
    }

    /// Without the versions, so that one more is no other shape.
    fn name(&self) -> String {
        format!("versions of {}", self.present.name())
    }
}

impl<T> fmt::Debug for Upcasting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "versions {} of {}", self.versions(), self.present.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Upcasting<Option<i64>> {
        Upcasting::new(3, SerdeRef::of()).upcast(1, SerdeRef::<String>::of(), |text| text.parse().ok()).upcast(
            2,
            SerdeRef::<i16>::of(),
            |small| Some(small.into()),
        )
    }

    #[test]
    fn each_version_is_read_as_it_was_written_and_the_present_one_is_written() {
        let mut bytes = Vec::new();
        three().write(&Some(7), &mut bytes).unwrap();
        assert_eq!(bytes, [0xFF, 3, 0, 0, 0, 0, 0, 0, 0, 7]);
        for (bytes, value) in [(&bytes[..], 7), (b"\xFF\x0112", 12), (b"\xFF\x02\x00\x05", 5)] {
            assert_eq!(three().read(bytes).unwrap(), Some(value), "{bytes:?}");
        }
        assert!(three().is_null(&None));
        assert_eq!(three().read_nullable(None).unwrap(), None);
    }

    #[test]
    fn what_nobody_knows_is_refused_by_its_number() {
        let refused = three().read(b"\xFF\x04rest").unwrap_err().to_string();
        assert!(refused.contains("version 4") && refused.contains("1, 2, 3"), "{refused}");
        for bytes in [&b""[..], b"\xFF", b"12"] {
            let refused = three().read(bytes).unwrap_err().to_string();
            assert!(refused.contains("has no version"), "{bytes:?}: {refused}");
        }
        let with = three().unversioned(SerdeRef::<String>::of(), |text| text.parse().ok());
        assert_eq!(with.read(b"12").unwrap(), Some(12));
    }

    #[test]
    fn a_new_version_is_no_other_shape() {
        assert_eq!(three().name(), Upcasting::new(1, SerdeRef::<i64>::of()).name());
    }
}
