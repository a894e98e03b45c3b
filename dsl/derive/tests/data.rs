//! What `#[derive(Data)]` gives, as a user of `tidemill` sees it.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};
use tidemill::serde::{Data, DefaultSerde, Json, Serde, SerdeError, SerdeRef};

/// Has no serde of its own.
#[derive(Clone, Debug, PartialEq, Data)]
struct Bare(i64);

/// Has a serde that is a constant.
#[derive(Clone, Debug, PartialEq, Data)]
#[data(serde = MARKED)]
struct ByConstant(u8);

/// Has a serde that a constant function gives.
#[derive(Clone, Debug, PartialEq, Data)]
#[data(serde = Marked::with(b'#'))]
struct ByFunction(u8);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
#[data(json)]
enum Movement {
    Paid { amount: i64 },
    Refused,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
#[data(json, crate = elsewhere)]
struct Signed<T, const N: usize>
where
    T: Clone,
{
    what: T,
    by: Vec<String>,
}

/// Generic, and without a serde: nothing is asked of `T` but that it can travel.
#[derive(Clone, Debug, PartialEq, Data)]
struct Carried<T>(T);

mod elsewhere {
    pub(crate) use tidemill::serde;
}

/// Writes a mark and a byte.
struct Marked(u8);

const MARKED: Marked = Marked::with(b'!');

impl Marked {
    const fn with(mark: u8) -> Self {
        Marked(mark)
    }

    fn byte(&self, bytes: &[u8]) -> Result<u8, SerdeError> {
        match bytes {
            [mark, byte] if *mark == self.0 => Ok(*byte),
            _ => Err(SerdeError::new("expected a mark and a byte")),
        }
    }
}

macro_rules! marked {
    ($($type:ident),*) => {$(
        impl Serde<$type> for Marked {
            fn write(&self, value: &$type, out: &mut Vec<u8>) -> Result<(), SerdeError> {
                out.extend_from_slice(&[self.0, value.0]);
                Ok(())
            }

            fn read(&self, bytes: &[u8]) -> Result<$type, SerdeError> {
                self.byte(bytes).map($type)
            }

            fn name(&self) -> String {
                "marked".into()
            }
        }
    )*};
}

marked!(ByConstant, ByFunction);

const MAYBE_MOVEMENT: SerdeRef<Option<Movement>> = SerdeRef::of();
const SIGNED: SerdeRef<Signed<Option<String>, 2>> = SerdeRef::of();

/// What generic code makes of a type with a serde.
const fn maybe<T: DefaultSerde + Data<Plain = T>>() -> SerdeRef<Option<T>> {
    SerdeRef::of()
}

#[track_caller]
fn check<T: Debug + PartialEq>(serde: &SerdeRef<T>, value: T, bytes: &[u8]) {
    let mut out = Vec::new();
    serde.write(&value, &mut out).expect("the value has bytes");
    assert_eq!(out.escape_ascii().to_string(), bytes.escape_ascii().to_string());
    assert_eq!(serde.read(&out).expect("the bytes are a value"), value);
}

#[track_caller]
fn check_data<T: Data<Plain = T> + Clone + Debug + PartialEq>(value: T) {
    const { assert!(!T::NULLABLE) };
    assert_eq!(value.plain(), Some(&value));
    assert_eq!(T::from_plain(value.clone()).into_plain(), Some(value));
    assert_eq!(T::absent(), None);
}

#[test]
fn a_derived_type_is_never_absent() {
    check_data(Bare(1));
    check_data(Movement::Refused);
    check_data(Carried(Some(1_u8)));
    check_data(Signed::<u8, 1> { what: 1, by: vec![] });
    assert_eq!(Some(Bare(1)).plain(), Some(&Bare(1)));
}

#[test]
fn json_types_are_json_documents() {
    check(&MAYBE_MOVEMENT, Some(Movement::Paid { amount: 3 }), br#"{"Paid":{"amount":3}}"#);
    check(&maybe(), Some(Movement::Refused), br#""Refused""#);
    check(&SIGNED, Signed { what: None, by: vec!["ann".into()] }, br#"{"what":null,"by":["ann"]}"#);
    assert!(MAYBE_MOVEMENT.is_null(&None));
    assert_eq!(MAYBE_MOVEMENT.name(), "json");
}

#[test]
fn lists_of_a_type_with_a_serde_have_kafkas_format() {
    let list = SerdeRef::<Vec<Option<Movement>>>::of();
    check(&list, vec![Some(Movement::Refused), None], b"\x01\0\0\0\x02\0\0\0\x09\"Refused\"\xff\xff\xff\xff");
    assert_eq!(list.name(), "list<json>");
    check(&SerdeRef::of(), vec![ByConstant(7)], b"\x01\0\0\0\x01\0\0\0\x02!\x07");
}

#[test]
fn another_serde_is_a_constant_or_a_constant_function() {
    check(&SerdeRef::of(), ByConstant(7), b"!\x07");
    check(&SerdeRef::of(), ByFunction(7), b"#\x07");
    assert_eq!(maybe::<ByConstant>().name(), "marked");
}

#[test]
fn a_serde_named_at_the_topic_needs_none_at_the_type() {
    /// Described to serde, but without a serde of its own.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
    struct Plain(u8);

    const PLAIN: Json<Plain> = Json::new();
    check(&SerdeRef::new(PLAIN), Plain(1), b"1");
    const MAYBE: SerdeRef<Option<Plain>> = SerdeRef::json();
    check(&MAYBE, Some(Plain(1)), b"1");
    assert_eq!(MAYBE.read_nullable(None).unwrap(), None);
}
