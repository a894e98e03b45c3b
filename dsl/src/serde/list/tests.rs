//! The bytes of lists, and what is refused.

use std::error::Error;

use proptest::prelude::*;
use uuid::Uuid;

use super::super::testing::{check, check_with, hex, read, refuses, round_trip, unhex};
use super::super::{BigEndian, SerdeRef, Utf8};
use super::*;

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

// The expected bytes are what Kafka 4.3's `ListSerializer` gives for the same lists.
#[test]
fn entries_of_one_size_have_no_sizes() {
    check(vec![1_i32, 2], "00 00000000 00000002 00000001 00000002");
    check(vec![1_i16], "00 00000000 00000001 0001");
    check(Vec::<i64>::new(), "00 00000000 00000000");
    check(vec![None, Some(7), None], "00 00000002 00000000 00000002 00000003 00000007");
    let id = "01234567-89ab-cdef-0123-456789abcdef";
    check(vec![Uuid::parse_str(id).unwrap()], &format!("00 00000000 00000001 {}", hex(id.as_bytes())));
}

#[test]
fn entries_of_any_size_have_their_sizes() {
    check(
        vec![Some("a".to_owned()), None, Some("bc".to_owned()), Some(String::new())],
        "01 00000004 00000001 61 ffffffff 00000002 6263 00000000",
    );
    check(vec![true, false], "01 00000002 00000001 01 00000001 00");
    check(Vec::<String>::new(), "01 00000000");
    check(vec![(), ()], "01 00000002 ffffffff ffffffff");
    check(
        vec![vec![1_i32], vec![]],
        "01 00000002 0000000d 00 00000000 00000001 00000001 00000009 00 00000000 00000000",
    );
    check(vec![vec![7_u8, 8], vec![]], "01 00000002 00000002 0708 00000000");
}

#[test]
fn bytes_are_a_list_when_asked() {
    let serde = SerdeRef::new(List::new(BigEndian));
    check_with(&serde, vec![7_u8, 8], "00 00000000 00000002 07 08");
    assert_eq!(serde.name(), "list<u8>");
    assert_eq!(SerdeRef::<Vec<Vec<Option<String>>>>::of().name(), "list<list<string>>");
}

#[test]
fn sizes_are_read_even_where_they_need_not_be_there() {
    assert_eq!(read::<Vec<i32>>("01 00000001 00000004 00000009").unwrap(), [9]);
}

#[test]
fn wrong_bytes_are_an_error_that_says_why() {
    let lost = "was this written with another serde?";
    refuses::<Vec<i32>>("", "a list has at least 1 byte");
    refuses::<Vec<i32>>("02", &format!("a list begins with a byte 0 or 1, and `2` came: {lost}"));
    refuses::<Vec<i32>>("01 0000", "the list is cut off: 4 bytes were announced, and 2 are left");
    refuses::<Vec<String>>("01 fffffffe", "a count or size in the list is negative: `-2`");
    refuses::<Vec<String>>("01 00000001 fffffffe", "a count or size in the list is negative: `-2`");
    refuses::<Vec<i32>>("00 00000000 ffffffff", "a count or size in the list is negative: `-1`");
    refuses::<Vec<String>>(
        "01 7fffffff 00000000",
        &format!("a list of 2147483647 was announced, and 4 bytes are left: {lost}"),
    );
    refuses::<Vec<String>>(
        "00 00000000 00000000",
        &format!("the list's entries were written without their sizes, and `string` has values of many sizes: {lost}"),
    );
    for trailing in ["00 00000000 00000001 00000009 05", "00 00000000 7fffffff 00000009 05"] {
        assert!(read::<Vec<i32>>(trailing).unwrap_err().to_string().contains("and 5 bytes came"));
    }
    refuses::<Vec<String>>("01 00000000 05", &format!("1 bytes follow the last of 0 entries: {lost}"));
    for nulls in ["00000001 00000000", "00000000 00000000", "00000000 00000002", "ffffffff 00000000"] {
        let error = read::<Vec<Option<i32>>>(&format!("00 00000002 {nulls} 00000002")).unwrap_err();
        assert!(error.to_string().ends_with("are no places in a list of `2`"), "{nulls}: {error}");
    }
}

#[test]
fn an_error_in_an_entry_names_its_place_and_keeps_its_cause() {
    let error = read::<Vec<String>>("01 00000002 00000000 ffffffff").unwrap_err();
    assert!(error.to_string().starts_with("entry `1` of the list: unexpected null"), "{error}");
    assert!(error.source().unwrap().is::<SerdeError>());
    let error = read::<Vec<i32>>("00 00000001 00000000 00000001").unwrap_err();
    assert!(error.to_string().starts_with("entry `0` of the list: unexpected null"), "{error}");
}

/// Claims one size, and writes text of any.
struct Unsteady;

impl Serde<String> for Unsteady {
    fn write(&self, value: &String, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        Utf8.write(value, out)
    }

    fn read(&self, bytes: &[u8]) -> Result<String, SerdeError> {
        Utf8.read(bytes)
    }

    fn fixed_size(&self) -> Option<usize> {
        Some(2)
    }

    fn name(&self) -> String {
        "unsteady".into()
    }
}

#[test]
fn a_serde_that_breaks_its_promise_of_one_size_leaves_the_buffer_as_it_was() {
    let mut out = b"before".to_vec();
    let error = List::new(Unsteady).write(&texts(["ab", "abc"]), &mut out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`unsteady` has a fixed size of 2 and wrote 3 bytes for entry `1`: correct its `fixed_size`"
    );
    assert_eq!(out, b"before");
}

#[test]
fn a_list_cut_off_anywhere_is_an_error_and_never_a_panic() {
    let numbers = unhex("00 00000001 00000000 00000002 00000007");
    let words = unhex("01 00000002 00000002 6162 ffffffff");
    for cut in 0..numbers.len() {
        assert!(SerdeRef::<Vec<Option<i32>>>::of().read(&numbers[..cut]).is_err(), "numbers cut at {cut}");
    }
    for cut in 0..words.len() {
        assert!(SerdeRef::<Vec<Option<String>>>::of().read(&words[..cut]).is_err(), "words cut at {cut}");
    }
}

proptest! {
    #[test]
    fn lists_come_back(
        numbers: Vec<Option<i64>>,
        words: Vec<Option<String>>,
        flags: Vec<bool>,
        nested: Vec<Vec<u16>>,
    ) {
        round_trip(numbers)?;
        round_trip(words)?;
        round_trip(flags)?;
        round_trip(nested)?;
    }

    #[test]
    fn any_bytes_are_a_list_or_an_error(bytes: Vec<u8>, format in 0_u8..3, counts in any::<[u8; 2]>()) {
        let start = [format, 0, 0, 0, counts[0] % 4, 0, 0, 0, counts[1] % 4];
        let bytes = [&start[..], &bytes].concat();
        for list in [SerdeRef::<Vec<Option<i16>>>::of().read(&bytes)].into_iter().flatten() {
            round_trip(list)?;
        }
        for list in [SerdeRef::<Vec<String>>::of().read(&bytes)].into_iter().flatten() {
            round_trip(list)?;
        }
    }
}
