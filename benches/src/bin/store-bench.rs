//! Byte stores on their own, for the pattern that they are used with: rows are flushed seldom and sorted, and read when they are
//! not in memory.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

#[path = "../machine.rs"]
#[allow(dead_code, reason = "shared with the benchmark of applications")]
mod machine;

use std::path::Path;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use machine::{Mark, rss_peak_mb};
use tidemill::record::{Offset, Timestamp};
#[cfg(feature = "rocksdb")]
use tidemill::store::RocksDbStores;
use tidemill::store::{ByteStore, Checkpoint, Direction, FjallStores, KeyRange, StoreSettings, StoreWrite};

/// Rows written at once in a flush, and in a restore.
const FLUSH_ROWS: usize = 10_000;
const RESTORE_ROWS: usize = 100_000;
const GETS: u64 = 500_000;
const SCANS: u64 = 100_000;
/// Windows of a key, which a scan by prefix finds.
const WINDOWS: u64 = 10;
const KEY_BYTES: usize = 16;

/// Measures a byte store: rows of 100 bytes, key of 16 bytes included.
///
/// Prints one JSON line for each phase, in this order: `restore` (all rows once, in random order, 100,000 sorted at a time), `flush` (random
/// rows, 10,000 sorted at a time), `get` (random), `scan` (the ten windows of a random key), `reopen`, `get` and `all` (every row in
/// order) behind it. `cpu_s` counts all threads.
#[derive(Debug, Parser)]
#[command(name = "store-bench", max_term_width = 110)]
struct Options {
    /// What keeps the rows; `rocksdb` needs a build with that feature
    #[arg(long, value_enum, default_value_t = Engine::Fjall)]
    engine: Engine,
    /// How many rows, a multiple of ten
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    rows: u64,
    /// Rows that are overwritten in flushes
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    flushed: u64,
    /// Blocks kept in memory, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = StoreSettings::default().cache_bytes)]
    cache_bytes: u64,
    /// Rows that wait to be sorted into a file, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = StoreSettings::default().write_buffer_bytes)]
    write_buffer_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    Fjall,
    #[cfg(feature = "rocksdb")]
    Rocksdb,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let bench = Bench { options, folder: folder.path() };
    let mut store = bench.open()?;
    bench.measure("restore", bench.options.rows, || bench.restore(&mut *store))?;
    bench.measure("flush", bench.options.flushed, || bench.flush(&mut *store))?;
    bench.measure("get", GETS, || bench.gets(&*store))?;
    bench.measure("scan", SCANS * WINDOWS, || bench.scans(&*store))?;
    drop(store);
    let mut reopened = None;
    bench.measure("reopen", 1, || {
        reopened = Some(bench.open()?);
        Ok(())
    })?;
    let store = reopened.expect("opened in the line above");
    bench.measure("get", GETS, || bench.gets(&*store))?;
    bench.measure("all", bench.options.rows, || bench.all(&*store))
}

struct Bench<'a> {
    options: Options,
    folder: &'a Path,
}

impl Bench<'_> {
    fn open(&self) -> Result<Box<dyn ByteStore>> {
        let Options { cache_bytes, write_buffer_bytes, .. } = self.options;
        let settings = StoreSettings { cache_bytes, write_buffer_bytes };
        Ok(match self.options.engine {
            Engine::Fjall => Box::new(FjallStores::open(self.folder, settings)?.open_store("rows", 0)?),
            #[cfg(feature = "rocksdb")]
            Engine::Rocksdb => Box::new(RocksDbStores::open(self.folder, settings)?.open_store("rows", 0)?),
        })
    }

    fn measure(&self, phase: &str, rows: u64, run: impl FnOnce() -> Result<()>) -> Result<()> {
        let start = Mark::with_this_thread();
        run()?;
        let end = Mark::with_this_thread();
        let (wall, cpu) = (end.wall_since(&start), end.cpu_since(&start));
        let line = serde_json::json!({
            "engine": format!("{:?}", self.options.engine).to_lowercase(),
            "phase": phase,
            "rows_in_store": self.options.rows,
            "rows": rows,
            "wall_s": machine::rounded(wall),
            "cpu_s": machine::rounded(cpu),
            "rows_per_s": (rows as f64 / wall).round(),
            "rows_per_cpu_s": (rows as f64 / cpu).round(),
            "disk_mb": megabytes(self.folder)?,
            "rss_peak_mb": rss_peak_mb(),
            "load": machine::load(),
        });
        println!("{line}");
        Ok(())
    }

    fn restore(&self, store: &mut dyn ByteStore) -> Result<()> {
        let rows = self.options.rows;
        // Each number once, in an order that jumps about: the step shares no factor with the number of rows.
        let step = (rows * 618_033 / 1_000_000..).find(|step| divisor(*step, rows) == 1).expect("1 divides all");
        let mut numbers = (0..rows).map(|at| at * step % rows);
        loop {
            let chunk: Vec<u64> = numbers.by_ref().take(RESTORE_ROWS).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            write(store, chunk)?;
        }
    }

    fn flush(&self, store: &mut dyn ByteStore) -> Result<()> {
        let mut chance = Chance(1);
        for _ in 0..self.options.flushed / FLUSH_ROWS as u64 {
            write(store, (0..FLUSH_ROWS).map(|_| chance.below(self.options.rows)).collect())?;
        }
        Ok(())
    }

    fn gets(&self, store: &dyn ByteStore) -> Result<()> {
        let (mut chance, mut value) = (Chance(2), Vec::new());
        for _ in 0..GETS {
            value.clear();
            anyhow::ensure!(store.get(&key(chance.below(self.options.rows)), &mut value)?, "a row is lost");
        }
        Ok(())
    }

    fn scans(&self, store: &dyn ByteStore) -> Result<()> {
        let mut chance = Chance(3);
        for _ in 0..SCANS {
            let prefix = key(chance.below(self.options.rows));
            let rows = store.range(&KeyRange::prefix(&prefix[..8]), Direction::Forward)?;
            anyhow::ensure!(rows.filter(Result::is_ok).count() as u64 == WINDOWS, "a window is lost");
        }
        Ok(())
    }

    fn all(&self, store: &dyn ByteStore) -> Result<()> {
        let rows = store.range(&KeyRange::ALL, Direction::Forward)?;
        anyhow::ensure!(rows.filter(Result::is_ok).count() as u64 == self.options.rows, "rows are lost");
        Ok(())
    }
}

fn write(store: &mut dyn ByteStore, mut numbers: Vec<u64>) -> Result<()> {
    numbers.sort_unstable();
    numbers.dedup();
    let mut bytes = Vec::with_capacity(numbers.len() * 84);
    for number in &numbers {
        (0..11).for_each(|word| bytes.extend(mixed(number * 11 + word).to_be_bytes()));
        bytes.truncate(bytes.len() - 4);
    }
    let keys: Vec<_> = numbers.iter().map(|number| key(*number)).collect();
    let values = bytes.chunks_exact(84);
    let mut writes = keys.iter().zip(values).map(|(key, value)| StoreWrite { key, value: Some(value) });
    Ok(store.write(&mut writes, Checkpoint { next: Offset::new(numbers[0]), at: Timestamp::ZERO })?)
}

/// The key of a row: ten windows of a key stand together, as in a window store.
fn key(number: u64) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    key[..8].copy_from_slice(&(number / WINDOWS).to_be_bytes());
    key[8..].copy_from_slice(&(number % WINDOWS).to_be_bytes());
    key
}

fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB)
}

fn megabytes(folder: &Path) -> Result<f64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        // A file may go while it is looked at: both engines clean up in the background.
        let Ok(entry) = entry else { continue };
        match entry.metadata() {
            Ok(data) if data.is_dir() => bytes += (megabytes(&entry.path())? * 1e6) as u64,
            Ok(data) => bytes += data.len(),
            Err(_) => {}
        }
    }
    Ok(machine::rounded(bytes as f64 / 1e6))
}

/// The same numbers in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = mixed(self.0);
        (mixed ^ (mixed >> 31)) % limit
    }
}
