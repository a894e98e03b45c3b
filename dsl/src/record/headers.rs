//! Headers of a record: names and bytes, in order, names may repeat.

use std::sync::Arc;

use bytes::Bytes;

/// The headers of a record: a list of names with values, in order; a name may occur several times, a value may be absent.
///
/// Cloning is cheap, and the usual case, no headers, allocates nothing.
///
/// ```
/// use tidemill_dsl::record::Headers;
///
/// let headers = Headers::default().with("trace", "7").with("trace", "8");
/// assert_eq!(headers.last("trace"), Some(&b"8"[..]));
/// assert_eq!(headers.iter().count(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Option<Arc<Vec<Header>>>);

/// A name and its value.
type Header = (Box<str>, Option<Bytes>);

impl Headers {
    /// No headers, as a constant.
    pub const NONE: Headers = Headers(None);

    /// These headers and one more at the end.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Bytes>) -> Self {
        self.add(name, Some(value.into()));
        self
    }

    /// Adds a header at the end.
    pub fn add(&mut self, name: &str, value: Option<Bytes>) {
        Arc::make_mut(self.0.get_or_insert_with(Arc::default)).push((name.into(), value));
    }

    /// Removes every header of this name.
    pub fn remove(&mut self, name: &str) {
        if let Some(list) = &mut self.0 {
            Arc::make_mut(list).retain(|(n, _)| &**n != name);
            if list.is_empty() {
                self.0 = None;
            }
        }
    }

    /// The value of the last header of this name; `None` also for a header without a value.
    pub fn last(&self, name: &str) -> Option<&[u8]> {
        self.iter().rfind(|(n, _)| *n == name).and_then(|(_, value)| value)
    }

    /// All headers in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, Option<&[u8]>)> {
        self.0.iter().flat_map(|list| list.iter().map(|(name, value)| (&**name, value.as_deref())))
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |list| list.len())
    }

    /// Whether there is no header.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
