//! Names, owners and folders of the stores on disk.

use std::fs;
use std::ops::Bound;
use std::path::Path;

use tidemill::store::{
    ByteStore, Direction, FjallStore, FjallStores, KeyRange, StoreError, StoreErrorKind, StoreId, StoreSettings,
    StoreWrite,
};

use crate::at;

fn open(folder: &Path) -> Result<FjallStores, StoreError> {
    FjallStores::open(folder, StoreSettings::default())
}

fn put(store: &mut FjallStore, key: &[u8], next: u64) -> Result<(), StoreError> {
    store.write(&mut [StoreWrite { key, value: Some(b"1") }].into_iter(), at(next))
}

fn keys(store: &FjallStore, range: &KeyRange) -> Vec<Vec<u8>> {
    store.range(range, Direction::Forward).unwrap().map(|row| row.unwrap().0).collect()
}

fn assert_error<T>(outcome: Result<T, StoreError>, kind: StoreErrorKind, message: &str) {
    let error = outcome.err().expect("this cannot succeed");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn stores_that_differ_in_case_or_partition_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let stores = open(folder.path()).unwrap();
    let places = [("A", 0), ("a", 0), ("a", 1), ("a", 11), ("a-1", 1), ("a.1", 1)];
    for (next, (name, partition)) in (1..).zip(places) {
        put(&mut stores.open_store(name, partition).unwrap(), name.as_bytes(), next).unwrap();
    }
    for (next, (name, partition)) in (1..).zip(places) {
        let store = stores.open_store(name, partition).unwrap();
        assert_eq!(store.checkpoint().unwrap(), Some(at(next)));
        assert_eq!(keys(&store, &KeyRange::ALL), [name.as_bytes()]);
    }
    assert_eq!(stores.names().unwrap(), places.map(|(name, partition)| StoreId::new(name, partition).unwrap()));
}

/// The database may begin its sequence numbers anew between two openings, and used to bring the wiped rows back.
#[test]
fn wiped_rows_stay_gone_however_often_the_folder_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..5 {
        let mut store = open(folder.path()).unwrap().open_store("rows", 0).unwrap();
        assert_eq!((keys(&store, &KeyRange::ALL), store.checkpoint().unwrap()), (vec![], None));
        put(&mut store, b"a", round).unwrap();
        store.wipe().unwrap();
    }
}

#[test]
fn a_wipe_leaves_the_other_stores_alone() {
    let folder = tempfile::tempdir().unwrap();
    let stores = open(folder.path()).unwrap();
    let mut wiped = stores.open_store("wiped", 0).unwrap();
    put(&mut wiped, b"a", 1).unwrap();
    put(&mut stores.open_store("kept", 0).unwrap(), b"a", 2).unwrap();
    wiped.wipe().unwrap();
    drop((wiped, stores));

    let stores = open(folder.path()).unwrap();
    assert_eq!(stores.open_store("wiped", 0).unwrap().checkpoint().unwrap(), None);
    assert_eq!(stores.open_store("kept", 0).unwrap().checkpoint().unwrap(), Some(at(2)));
}

#[test]
fn a_removed_store_is_gone_and_can_be_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let stores = open(folder.path()).unwrap();
    assert!(!stores.remove("rows", 0).unwrap());
    put(&mut stores.open_store("rows", 0).unwrap(), b"a", 1).unwrap();
    assert!(stores.remove("rows", 0).unwrap());
    assert_eq!(stores.names().unwrap(), []);
    drop(stores);

    let stores = open(folder.path()).unwrap();
    assert_eq!(stores.names().unwrap(), []);
    let store = stores.open_store("rows", 0).unwrap();
    assert_eq!((keys(&store, &KeyRange::ALL), store.checkpoint().unwrap()), (vec![], None));
}

#[test]
fn a_store_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let stores = open(folder.path()).unwrap();
    let store = stores.open_store("rows", 0).unwrap();
    assert_error(stores.open_store("rows", 0), StoreErrorKind::Locked, "the store `rows-0`");
    assert_error(stores.clone().remove("rows", 0), StoreErrorKind::Locked, "is open already");
    drop(store);
    stores.open_store("rows", 0).unwrap();
}

#[test]
fn a_folder_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap().open_store("rows", 0).unwrap();
    assert_error(open(folder.path()), StoreErrorKind::Locked, "is open in another process");
    drop(store);
    open(folder.path()).unwrap();
}

#[test]
fn an_illegal_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let stores = open(folder.path()).unwrap();
    assert_error(stores.open_store("../rows", 0), StoreErrorKind::Invalid, "it holds '/'");
    assert_error(stores.remove("", 0), StoreErrorKind::Invalid, "it is empty");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    assert_error(open(&file.join("stores")), StoreErrorKind::Unavailable, "file/stores");
}

#[test]
fn a_key_beyond_the_limit_is_refused_and_never_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path()).unwrap().open_store("rows", 0).unwrap();
    let (longest, too_long) = (vec![b'k'; 65_534], vec![b'k'; 65_535]);
    put(&mut store, &longest, 1).unwrap();
    assert_error(put(&mut store, &too_long, 2), StoreErrorKind::Invalid, "65534 are allowed");
    assert_eq!(store.checkpoint().unwrap(), Some(at(1)));
    assert!(!store.get(&too_long, &mut Vec::new()).unwrap());

    put(&mut store, b"l", 2).unwrap();
    let ends = [Bound::Included(too_long.clone()), Bound::Excluded(too_long)];
    for end in ends {
        let behind = KeyRange { from: end.clone(), to: Bound::Unbounded };
        assert_eq!(keys(&store, &behind), [b"l"]);
        assert_eq!(keys(&store, &KeyRange { from: Bound::Unbounded, to: end }), [&longest[..]]);
    }
}
