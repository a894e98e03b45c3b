//! Whatever happens to one file of a store folder: opening and reading end in rows that were there, or in an error.
//! They never end in a panic.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tidemill::store::{
    ByteStore, Checkpoint, Direction, FjallStores, KeyRange, StoreError, StoreErrorKind, StoreSettings, StoreWrite,
};

use crate::at;

const SETTINGS: StoreSettings = StoreSettings { cache_bytes: 1 << 20, write_buffer_bytes: 1 << 14 };
const WRITES: u64 = 40;

/// After write `number` each of 100 rows holds it.
fn write(store: &mut impl ByteStore, number: u64) {
    let rows: Vec<_> = (0..100_u8).map(|key| ([key], number.to_be_bytes())).collect();
    let mut writes = rows.iter().map(|(key, value)| StoreWrite { key, value: Some(value) });
    store.write(&mut writes, at(number)).unwrap();
}

fn filled() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut store = FjallStores::open(folder.path(), SETTINGS).unwrap().open_store("rows", 0).unwrap();
    (1..=WRITES).for_each(|number| write(&mut store, number));
    folder
}

type Row = (Vec<u8>, Vec<u8>);

fn read(folder: &Path) -> Result<(Option<Checkpoint>, Vec<Row>), StoreError> {
    let store = FjallStores::open(folder, SETTINGS)?.open_store("rows", 0)?;
    let rows = store.range(&KeyRange::ALL, Direction::Forward)?.collect::<Result<_, _>>()?;
    Ok((store.checkpoint()?, rows))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { found.extend(files(&entry)) } else { found.push(entry) }
    }
    found.sort();
    found
}

fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in files(from) {
        let target = to.path().join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
    to
}

fn check(damage: impl Fn(&Path)) {
    let whole = filled();
    for file in files(whole.path()) {
        let name = file.strip_prefix(whole.path()).unwrap();
        let folder = copy(whole.path());
        damage(&folder.path().join(name));
        match read(folder.path()) {
            Ok((checkpoint, rows)) => {
                let number = checkpoint.map(|at| at.next.get().to_be_bytes().to_vec());
                let expected: Vec<Row> = number
                    .into_iter()
                    .flat_map(|number| (0..100).map(move |key| (vec![key], number.clone())))
                    .collect();
                assert_eq!(rows, expected, "{}", name.display());
                println!("{}: reads as of {checkpoint:?}", name.display());
            }
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{}: {error}", name.display());
                println!("{}: {error}", name.display());
            }
        }
    }
}

#[test]
fn a_file_that_is_gone() {
    check(|file| fs::remove_file(file).unwrap());
}

#[test]
fn a_file_that_is_empty() {
    check(|file| fs::write(file, []).unwrap());
}

#[test]
fn a_file_that_lost_its_second_half() {
    check(|file| {
        let file = fs::File::options().write(true).open(file).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    });
}

#[test]
fn a_file_with_one_bit_turned() {
    check(|file| {
        let mut bytes = fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 0x10;
        }
        fs::write(file, bytes).unwrap();
    });
}

#[test]
fn a_foreign_folder_among_the_stores_is_named() {
    let folder = filled();
    fs::create_dir(folder.path().join("keyspaces/holiday-photos")).unwrap();
    let error = read(folder.path()).unwrap_err();
    assert!(error.to_string().contains("keyspaces/holiday-photos"), "{error}");
}

/// A process killed while it made the folder had stored nothing yet, and must not be in the way of the next one.
#[test]
fn a_folder_that_was_never_finished_is_made_anew() {
    let finished = tempfile::tempdir().unwrap();
    drop(FjallStores::open(finished.path(), SETTINGS).unwrap());
    for version in [None, Some([])] {
        let folder = copy(finished.path());
        let marker = folder.path().join("version");
        fs::remove_file(&marker).unwrap();
        fs::remove_dir_all(folder.path().join("keyspaces")).unwrap();
        if let Some(version) = version {
            fs::write(&marker, version).unwrap();
        }
        write(&mut FjallStores::open(folder.path(), SETTINGS).unwrap().open_store("rows", 0).unwrap(), 1);
        assert_eq!(read(folder.path()).unwrap().0, Some(at(1)));
    }
}
