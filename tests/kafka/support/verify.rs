//! Compares what came out with what should have, which the test computed from what went in.
//!
//! Rule: records of one key are in order, whatever partition and process they went through; those of different keys are not.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::read::Output;

/// The values of each key, in order.
pub(crate) type ByKey<V> = BTreeMap<String, Vec<V>>;

/// Takes records apart by key. A key in two partitions would be an error of its own.
#[track_caller]
pub(crate) fn by_key<V>(found: &[Output], value: impl Fn(&Output) -> V) -> ByKey<V> {
    let (mut values, mut places) = (ByKey::new(), BTreeMap::new());
    for record in found {
        let key = record.text_key();
        let place = *places.entry(key.clone()).or_insert(record.partition);
        assert_eq!(place, record.partition, "key `{key}` is in two partitions");
        values.entry(key).or_insert_with(Vec::new).push(value(record));
    }
    values
}

/// Nothing is lost, nothing is there twice, nothing is out of order. Gives the number of records compared.
#[track_caller]
pub(crate) fn exactly_once<V: PartialEq + Debug>(expected: &ByKey<V>, found: &ByKey<V>) -> usize {
    let faults = compare(expected, found, |expected, found| {
        let same = expected.iter().zip(found).take_while(|(expected, found)| expected == found).count();
        (same < expected.len().max(found.len())).then(|| {
            let around = |values: &[V]| format!("{:?}", &values[same.min(values.len())..(same + 3).min(values.len())]);
            format!("from record {same} on it is {} and should be {}", around(found), around(expected))
        })
    });
    assert!(faults.is_empty(), "not exactly once:\n{}", faults.join("\n"));
    expected.values().map(Vec::len).sum()
}

/// Nothing is lost: what should be there is, in order, though some of it perhaps again. Gives the number of records compared.
#[track_caller]
pub(crate) fn at_least_once<V: PartialEq + Debug>(expected: &ByKey<V>, found: &ByKey<V>) -> usize {
    let faults = compare(expected, found, |expected, found| {
        let mut rest = found.iter();
        let lost = expected.iter().find(|expected| !rest.any(|found| found == *expected))?;
        Some(format!(
            "{lost:?} is lost, among {} records that should be there and {} that are",
            expected.len(),
            found.len()
        ))
    });
    assert!(faults.is_empty(), "records are lost:\n{}", faults.join("\n"));
    expected.values().map(Vec::len).sum()
}

/// The first faults, one for each key.
fn compare<V>(expected: &ByKey<V>, found: &ByKey<V>, fault: impl Fn(&[V], &[V]) -> Option<String>) -> Vec<String> {
    let keys = expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key)));
    let empty = Vec::new();
    let faults = keys.filter_map(|key| {
        let fault = fault(expected.get(key).unwrap_or(&empty), found.get(key).unwrap_or(&empty))?;
        Some(format!("  key `{key}`: {fault}"))
    });
    faults.take(10).collect()
}
