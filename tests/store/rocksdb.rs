//! Stores in RocksDB keep the same rules as those in fjall.

use std::path::Path;

use tempfile::TempDir;
use tidemill::state::Store;
use tidemill::store::{
    ByteStore, Direction, KeyRange, RocksDbStore, RocksDbStores, StoreEngine, StoreErrorKind, StoreSettings, StoreWrite,
};
use tidemill::stream::StreamsBuilder;
use tidemill::{App, ErrorKind, Settings, Topic};
use tidemill_testkit::conformance::{StoreHome, check_store, check_store_against_a_map};

use crate::at;

const SEED: u64 = 20_261_122;

struct OnDisk {
    folder: TempDir,
    settings: StoreSettings,
}

impl OnDisk {
    fn new(settings: StoreSettings) -> Self {
        OnDisk { folder: tempfile::tempdir().unwrap(), settings }
    }
}

impl StoreHome for OnDisk {
    type Store = RocksDbStore;

    fn create(&mut self) -> RocksDbStore {
        RocksDbStores::open(self.folder.path(), self.settings).unwrap().open_store("rows", 0).unwrap()
    }

    fn reopen(&mut self, store: RocksDbStore) -> RocksDbStore {
        drop(store);
        self.create()
    }
}

/// RocksDB's least: files are written and merged all the time.
fn tiny_buffers() -> StoreSettings {
    StoreSettings { cache_bytes: 1 << 10, write_buffer_bytes: 64 << 10 }
}

fn open(folder: &Path) -> RocksDbStores {
    RocksDbStores::open(folder, StoreSettings::default()).unwrap()
}

fn write(store: &mut RocksDbStore, key: &str, next: u64) {
    let write = StoreWrite { key: key.as_bytes(), value: Some(b"value") };
    store.write(&mut [write].into_iter(), at(next)).unwrap();
}

fn keys(store: &RocksDbStore) -> Vec<String> {
    let rows = store.range(&KeyRange::ALL, Direction::Forward).unwrap();
    rows.map(|row| String::from_utf8(row.unwrap().0).unwrap()).collect()
}

#[test]
fn it_passes_the_suite() {
    check_store(|| OnDisk::new(StoreSettings::default()));
}

#[test]
fn it_passes_the_suite_with_tiny_buffers() {
    check_store(|| OnDisk::new(tiny_buffers()));
}

#[test]
fn it_agrees_with_a_map() {
    check_store_against_a_map(|| OnDisk::new(StoreSettings::default()), 40, SEED);
    check_store_against_a_map(|| OnDisk::new(tiny_buffers()), 40, SEED);
}

/// All stores lie in one space of keys: neither a scan nor a wipe may touch a neighbour.
#[test]
fn stores_of_a_folder_do_not_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let stores = open(folder.path());
    let mut opened: Vec<RocksDbStore> =
        [("a", 0), ("a", 1), ("b", 0)].map(|(name, number)| stores.open_store(name, number).unwrap()).into();
    for (number, store) in opened.iter_mut().enumerate() {
        write(store, &format!("row of {number}"), number as u64 + 1);
    }
    opened[1].wipe().unwrap();
    assert_eq!(opened.iter().map(keys).collect::<Vec<_>>(), [vec!["row of 0"], vec![], vec!["row of 2"]]);
    let checkpoints: Vec<_> = opened.iter().map(|store| store.checkpoint().unwrap().map(|at| at.next.get())).collect();
    assert_eq!(checkpoints, [Some(1), None, Some(3)]);
    drop(opened);
    assert!(stores.remove("a", 0).unwrap() && !stores.remove("a", 0).unwrap());
    assert_eq!(stores.names().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>(), ["a-1", "b-0"]);
    assert_eq!(keys(&stores.open_store("a", 0).unwrap()), Vec::<String>::new());
}

#[test]
fn a_store_and_a_folder_have_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let stores = open(folder.path());
    let _store = stores.open_store("rows", 0).unwrap();
    assert_eq!(stores.open_store("rows", 0).unwrap_err().kind(), StoreErrorKind::Locked);
    let again = RocksDbStores::open(folder.path(), StoreSettings::default()).unwrap_err();
    assert_eq!(again.kind(), StoreErrorKind::Locked, "{again}");
}

const IN: Topic<String, i64> = Topic::of("in");
const SUMS: Store<String, i64> = Store::of("sums");

async fn start(folder: &Path, engine: StoreEngine) -> Result<App, tidemill::Error> {
    let builder = StreamsBuilder::new();
    builder.stream(&IN).group_by_key().reduce_with(&SUMS, |sum, value| sum + value);
    let settings = Settings { store_engine: engine, ..Settings::default() };
    App::builder("app", builder.build().unwrap()).settings(settings).embedded(folder).start().await
}

#[tokio::test]
async fn an_application_keeps_its_rows_in_it_and_no_other_engine_takes_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    for sum in [5, 10] {
        let app = start(folder.path(), StoreEngine::RocksDb).await.unwrap();
        assert_eq!(app.restored(), 0, "the close before left everything below");
        app.send(&IN, "a", 5).await.unwrap();
        app.settled().await.unwrap();
        assert_eq!(app.table(&SUMS).get("a").await.unwrap(), Some(sum));
        app.close().await.unwrap();
    }
    let refused = start(folder.path(), StoreEngine::Fjall).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("were made by RocksDB, and fjall was asked for"), "{refused}");
}
