//! Rows per second of the store on disk: sorted writes, random gets, a full scan, and the time to open it.
//!
//! `cargo bench -p tidemill-benches --bench store`; `STORE_KEYS` changes the number of keys (1,000,000).

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::path::Path;
use std::time::Instant;

use tidemill::record::Offset;
use tidemill::store::{ByteStore, Direction, FjallStore, FjallStores, KeyRange, StoreSettings, StoreWrite};

const KEYS: u64 = 1_000_000;
const WRITE_ROWS: usize = 10_000;
const WRITES: u64 = 300;
const GETS: u64 = 500_000;
const ROW_BYTES: usize = 100;

fn main() {
    let keys = std::env::var("STORE_KEYS").map_or(KEYS, |keys| keys.parse().expect("STORE_KEYS is a number"));
    let folder = tempfile::tempdir().expect("a folder for the benchmark");
    fill(folder.path(), keys);
    let mut opened = None;
    measure("open, rows", keys, || opened = Some(open(folder.path())));
    let store = opened.expect("it was opened");
    measure("random gets after opening", GETS, || gets(&store, keys));
    measure("full scan after opening", keys, || assert_eq!(scan(&store), keys));
}

/// Leaves the folder closed and full.
fn fill(folder: &Path, keys: u64) {
    let mut store = open(folder);
    measure("load in order of keys", keys, || load(&mut store, keys));
    measure("sorted writes of 10,000 random keys", WRITES * WRITE_ROWS as u64, || overwrite(&mut store, keys));
    measure("random gets", GETS, || gets(&store, keys));
    measure("full scan", keys, || assert_eq!(scan(&store), keys));
}

fn open(folder: &Path) -> FjallStore {
    let stores = FjallStores::open(folder, StoreSettings::default()).expect("a new folder");
    stores.open_store("rows", 0).expect("a legal name")
}

fn measure(what: &str, rows: u64, run: impl FnOnce()) {
    let start = Instant::now();
    run();
    let seconds = start.elapsed().as_secs_f64();
    println!("{what:<40} {:>8.3} M/s   {:>8.1} ms", rows as f64 / seconds / 1e6, seconds * 1e3);
}

fn load(store: &mut FjallStore, keys: u64) {
    let all: Vec<u64> = (0..keys).collect();
    all.chunks(WRITE_ROWS).for_each(|keys| write(store, keys));
}

fn overwrite(store: &mut FjallStore, keys: u64) {
    let mut chance = Chance(1);
    for _ in 0..WRITES {
        let mut drawn: Vec<u64> = (0..WRITE_ROWS).map(|_| chance.below(keys)).collect();
        drawn.sort_unstable();
        drawn.dedup();
        write(store, &drawn);
    }
}

fn write(store: &mut FjallStore, keys: &[u64]) {
    let rows: Vec<_> = keys.iter().map(|key| (key.to_be_bytes(), [*key as u8; ROW_BYTES - 8])).collect();
    let mut writes = rows.iter().map(|(key, value)| StoreWrite { key, value: Some(value) });
    store.write(&mut writes, Offset::new(keys[0])).expect("a write");
}

fn gets(store: &FjallStore, keys: u64) {
    let mut chance = Chance(2);
    let mut value = Vec::new();
    for _ in 0..GETS {
        value.clear();
        assert!(store.get(&chance.below(keys).to_be_bytes(), &mut value).expect("a get"));
    }
}

fn scan(store: &FjallStore) -> u64 {
    store
        .range(&KeyRange::ALL, Direction::Forward)
        .expect("a scan")
        .fold(0, |count, row| row.map(|_| count + 1).expect("a row"))
}

/// Steele and Vigna's splitmix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
