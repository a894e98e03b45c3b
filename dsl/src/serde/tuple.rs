//! Tuples as keys, values and rows.
//!
//! Rule: a tuple has no format of its own. Between two verbs it needs none; where it is stored or sent, the program names one.

use super::Data;

macro_rules! tuples {
    ($(($($part:ident),+)),+ $(,)?) => {$(
        impl<$($part: Send + 'static),+> Data for ($($part,)+) {
            type Plain = Self;
            const NULLABLE: bool = false;

            fn plain(&self) -> Option<&Self> {
                Some(self)
            }

            fn into_plain(self) -> Option<Self> {
                Some(self)
            }

            fn from_plain(plain: Self) -> Self {
                plain
            }

            fn absent() -> Option<Self> {
                None
            }
        }
    )+};
}

tuples!((A, B), (A, B, C), (A, B, C, D), (A, B, C, D, E), (A, B, C, D, E, F));
