//! JSON: compact, one document per value, straight into the caller's buffer.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{DefaultSerde, List, Serde, SerdeError};

/// The serde of any type that serde's derives describe: compact JSON.
///
/// `P` is never null here: a `None` inside is JSON's `null`. For values that may be absent as a whole use
/// [`SerdeRef::json`](super::SerdeRef::json), which writes `None` as a null of the log (a tombstone).
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidemill_dsl::serde::{Json, Serde as _};
///
/// #[derive(Serialize, Deserialize)]
/// struct Account {
///     balance: i64,
/// }
///
/// const ACCOUNT: Json<Account> = Json::new();
///
/// let mut bytes = Vec::new();
/// ACCOUNT.write(&Account { balance: 3 }, &mut bytes)?;
/// assert_eq!(bytes, br#"{"balance":3}"#);
/// # Ok::<(), tidemill_dsl::serde::SerdeError>(())
/// ```
pub struct Json<P>(PhantomData<fn(P) -> P>);

impl<P> Json<P> {
    /// The serde; it has no settings.
    pub const fn new() -> Self {
        Json(PhantomData)
    }
}

impl<P> Clone for Json<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Json<P> {}

impl<P> Default for Json<P> {
    fn default() -> Self {
        Json::new()
    }
}

impl<P> fmt::Debug for Json<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json<{}>", type_name::<P>())
    }
}

impl<P: Serialize + DeserializeOwned + 'static> Serde<P> for Json<P> {
    /// Appends the document; after an error `out` is as it was.
    fn write(&self, value: &P, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let start = out.len();
        serde_json::to_writer(&mut *out, value).map_err(|error| {
            out.truncate(start);
            SerdeError::new(format!("cannot write `{}` as json: {error}", type_name::<P>())).with_source(error)
        })
    }

    fn read(&self, bytes: &[u8]) -> Result<P, SerdeError> {
        serde_json::from_slice(bytes)
            .map_err(|error| SerdeError::new(format!("json is no `{}`: {error}", type_name::<P>())).with_source(error))
    }

    fn name(&self) -> String {
        "json".into()
    }
}

impl DefaultSerde for serde_json::Value {
    const SERDE: &'static dyn Serde<Self> = &Json::<Self>::new();
    const LIST_SERDE: &'static dyn Serde<Vec<Self>> = &List::new(Json::<Self>::new());
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::error::Error;

    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::super::testing::{check, check_with, hex, round_trip_with};
    use super::super::{Data, SerdeRef};
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
    #[data(crate = crate)]
    struct Account {
        owner: String,
        balance: i64,
        limit: Option<u32>,
    }

    const MAYBE: SerdeRef<Option<Account>> = SerdeRef::json();
    const LIST: SerdeRef<Vec<i64>> = SerdeRef::json();

    fn account() -> Account {
        Account { owner: "ann".into(), balance: -5, limit: None }
    }

    #[test]
    fn documents_are_compact() {
        check_with(&MAYBE, Some(account()), &hex(br#"{"owner":"ann","balance":-5,"limit":null}"#));
        check_with(&LIST, vec![1, 2], &hex(b"[1,2]"));
        check(json!({"a": [1, null]}), &hex(br#"{"a":[1,null]}"#));
        assert_eq!(MAYBE.name(), "json");
    }

    #[test]
    fn an_absent_document_is_a_null_and_a_json_null_is_a_document() {
        let mut out = Vec::new();
        assert!(!MAYBE.write_nullable(&None, &mut out).unwrap());
        assert_eq!((out.as_slice(), MAYBE.read_nullable(None).unwrap()), (&[][..], None));
        check(Value::Null, &hex(b"null"));
    }

    #[test]
    fn an_error_names_the_type_and_the_place_and_keeps_its_cause() {
        let error = MAYBE.read(b"{\"owner\":\"ann\",\n\"balance\":true}").unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("json is no `tidemill_dsl::serde::json::tests::Account`: invalid type"), "{text}");
        let cause = error.source().unwrap().downcast_ref::<serde_json::Error>().unwrap();
        assert_eq!((cause.line(), cause.column()), (2, 14));
        assert!(MAYBE.read(b"").is_err(), "no bytes are no document");
        assert!(LIST.read(b"[1] [2]").is_err(), "one document per value");
    }

    #[test]
    fn a_value_that_json_cannot_say_leaves_the_buffer_as_it_was() {
        // JSON's keys are text, and a list is none.
        let serde = Json::<BTreeMap<Vec<u8>, u8>>::new();
        let mut out = b"before".to_vec();
        let error = serde.write(&BTreeMap::from([(vec![1], 1)]), &mut out).unwrap_err();
        assert!(error.to_string().contains("key must be a string"), "{error}");
        assert_eq!(out, b"before");
    }

    proptest! {
        #[test]
        fn documents_come_back(owner: String, balance: i64, limit: Option<u32>) {
            round_trip_with(&MAYBE, Some(Account { owner, balance, limit }))?;
        }
    }
}
