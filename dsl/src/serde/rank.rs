//! What entries of a ranking are compared by: values whose bytes stand in the order of the values.
//!
//! Rule: the bytes of one value are never the beginning of another's, so that values of several parts can be written one
//! after the other.

use std::cmp::Reverse;

use crate::record::Timestamp;

/// A value that entries of a ranking are compared by; `top_n` puts the greatest first.
///
/// Numbers, text, times, `Option` (nothing is the least), tuples (the first part decides, then the next), and
/// [`Reverse`](std::cmp::Reverse) of each for the least first. Floating-point numbers are in their total order: -NaN,
/// -infinity .. infinity, NaN, and -0 before 0.
///
/// ```
/// use std::cmp::Reverse;
/// use tidemill_dsl::serde::Rank;
///
/// let bytes = |rank: &dyn Fn(&mut Vec<u8>)| {
///     let mut bytes = Vec::new();
///     rank(&mut bytes);
///     bytes
/// };
/// let of = |score: i64, name: &'static str| bytes(&move |out| (score, Reverse(name)).write(out));
/// assert!(of(-1, "a") < of(2, "b") && of(2, "b") < of(2, "a"));
/// ```
pub trait Rank {
    /// Appends bytes whose order is that of the values, and which begin those of no other value.
    fn write(&self, out: &mut Vec<u8>);
}

macro_rules! rank_of_numbers {
    ($($unsigned:ty, $signed:ty);* $(;)?) => {$(
        impl Rank for $unsigned {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }

        impl Rank for $signed {
            fn write(&self, out: &mut Vec<u8>) {
                // Negative numbers stand before the others once the sign is turned over.
                (self.cast_unsigned() ^ (1 << (<$unsigned>::BITS - 1))).write(out);
            }
        }
    )*};
}

rank_of_numbers!(u8, i8; u16, i16; u32, i32; u64, i64; u128, i128);

macro_rules! rank_of_floats {
    ($($float:ty, $signed:ty);* $(;)?) => {$(
        impl Rank for $float {
            fn write(&self, out: &mut Vec<u8>) {
                // As in `total_cmp`: of negative numbers all bits but the sign are turned over.
                let bits = self.to_bits().cast_signed();
                (bits ^ (((bits >> (<$signed>::BITS - 1)).cast_unsigned() >> 1).cast_signed())).write(out);
            }
        }
    )*};
}

rank_of_floats!(f32, i32; f64, i64);

impl Rank for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Rank for Timestamp {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_millis().write(out);
    }
}

/// Ends bytes of any length; zeros among them are followed by 255.
const END: [u8; 2] = [0, 0];

impl Rank for [u8] {
    fn write(&self, out: &mut Vec<u8>) {
        for byte in self {
            out.push(*byte);
            if *byte == 0 {
                out.push(u8::MAX);
            }
        }
        out.extend_from_slice(&END);
    }
}

impl Rank for Vec<u8> {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_slice().write(out);
    }
}

impl Rank for str {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_bytes().write(out);
    }
}

impl Rank for String {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_str().write(out);
    }
}

impl<T: Rank + ?Sized> Rank for &T {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }
}

impl<T: Rank> Rank for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }
}

impl<T: Rank> Rank for Reverse<T> {
    fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.0.write(out);
        turn_over(&mut out[start..]);
    }
}

impl<A: Rank, B: Rank> Rank for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }
}

impl<A: Rank, B: Rank, C: Rank> Rank for (A, B, C) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
        self.2.write(out);
    }
}

/// Turns the order of bytes over that begin no others.
pub(crate) fn turn_over(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(rank: &impl Rank) -> Vec<u8> {
        let mut bytes = Vec::new();
        rank.write(&mut bytes);
        bytes
    }

    fn check<T: Rank + PartialOrd>(a: &T, b: &T) -> Result<(), TestCaseError> {
        prop_assert_eq!(a.partial_cmp(b), bytes(a).partial_cmp(&bytes(b)));
        prop_assert!(a == b || !bytes(a).starts_with(&bytes(b)), "a value's bytes begin another's");
        Ok(())
    }

    proptest! {
        #[test]
        fn bytes_are_in_the_order_of_the_values(
            a in (any::<i64>(), prop::collection::vec(0_u8..3, 0..4), any::<Option<u16>>()),
            b in (any::<i64>(), prop::collection::vec(0_u8..3, 0..4), any::<Option<u16>>()),
            same: bool,
        ) {
            let b = if same { (a.0, b.1, b.2) } else { b };
            check(&a, &b)?;
            check(&(a.1.clone(), a.0), &(b.1.clone(), b.0))?;
            check(&(Reverse(a.1.clone()), a.2), &(Reverse(b.1.clone()), b.2))?;
        }

        #[test]
        fn floats_are_in_their_total_order(a: f64, b: f64) {
            prop_assert_eq!(a.total_cmp(&b), bytes(&a).cmp(&bytes(&b)));
        }
    }

    #[test]
    fn floats_that_are_no_numbers_stand_at_the_ends() {
        let all =
            [-f32::NAN, f32::NEG_INFINITY, -1.5, -0.0, 0.0, 2.5, f32::INFINITY, f32::NAN].map(|float| bytes(&float));
        assert!(all.is_sorted());
    }
}
