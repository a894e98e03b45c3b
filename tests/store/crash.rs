//! A process that is killed in the middle of its writes leaves rows and checkpoint of one and the same write: the last
//! one that was acknowledged, or the one behind it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use tidemill::store::{ByteStore, Direction, FjallStore, FjallStores, KeyRange, StoreSettings, StoreWrite};

use crate::at;

const ROUNDS: u64 = 20;
/// The writer wipes the store after so many writes and begins again.
const WRITES_PER_LIFE: u64 = 60;
const KEYS: u64 = 1_000;
const ROWS_PER_WRITE: u64 = 200;
const FOLDER: &str = "TIDEMILL_CRASH_FOLDER";
const SEED: &str = "TIDEMILL_CRASH_SEED";

/// Small buffers, so that a kill also meets files being written and merged.
const SETTINGS: StoreSettings = StoreSettings { cache_bytes: 1 << 20, write_buffer_bytes: 1 << 16 };

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

#[test]
fn a_killed_writer_leaves_the_rows_of_its_checkpoint() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        write_until_killed(folder.as_ref());
    }
    let seed = std::env::var(SEED).map_or(1, |seed| seed.parse().expect("the seed is a number"));
    let folder = tempfile::tempdir().unwrap();
    let lives: Vec<Rows> = rows_after_each_write();
    let mut chance = seed;
    let mut before = 0;
    for round in 1..=ROUNDS {
        let acknowledged = run_and_kill(folder.path(), &mut chance);
        let store = open(folder.path());
        let checkpoint = store.checkpoint().unwrap().map_or(0, |at| at.next.get());
        println!("round {round}: from {before}, {acknowledged} steps acknowledged, now {checkpoint}");
        let possible = [acknowledged, acknowledged + 1].map(|steps| (before + steps) % (WRITES_PER_LIFE + 1));
        let repeat = format!("repeat: {SEED}={seed} cargo test --test store killed");
        assert!(possible.contains(&checkpoint), "round {round}: {checkpoint} is none of {possible:?}; {repeat}");
        let differs = rows_of(&store) != lives[checkpoint as usize];
        assert!(!differs, "round {round}: the rows are not those of checkpoint {checkpoint}; {repeat}");
        before = checkpoint;
    }
}

fn open(folder: &Path) -> FjallStore {
    FjallStores::open(folder, SETTINGS).unwrap().open_store("rows", 0).unwrap()
}

fn rows_of(store: &FjallStore) -> Rows {
    store.range(&KeyRange::ALL, Direction::Forward).unwrap().collect::<Result<_, _>>().unwrap()
}

/// What write `number` changes, sorted by key: new values, and a delete for every fifth row.
fn changes(number: u64) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    let mut chance = number;
    let change = |_| {
        let drawn = draw(&mut chance);
        let value = (!drawn.is_multiple_of(5)).then(|| [number.to_be_bytes(), drawn.to_be_bytes()].concat().repeat(6));
        ((drawn >> 32).rem_euclid(KEYS).to_be_bytes().to_vec(), value)
    };
    (0..ROWS_PER_WRITE).map(change).collect()
}

/// The rows by checkpoint; 0 stands for a store without one.
fn rows_after_each_write() -> Vec<Rows> {
    let mut rows = Rows::new();
    let after = |number| {
        for (key, value) in changes(number) {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        rows.clone()
    };
    [Rows::new()].into_iter().chain((1..=WRITES_PER_LIFE).map(after)).collect()
}

/// The child: one line on stderr for every step that is done.
fn write_until_killed(folder: &Path) -> ! {
    let mut store = open(folder);
    loop {
        match store.checkpoint().unwrap().map_or(1, |at| at.next.get() + 1) {
            number if number > WRITES_PER_LIFE => store.wipe().unwrap(),
            number => {
                let changes = changes(number);
                let mut writes = changes.iter().map(|(key, value)| StoreWrite { key, value: value.as_deref() });
                store.write(&mut writes, at(number)).unwrap();
            }
        }
        eprintln!("done");
    }
}

/// Starts a writer, kills it at some moment after some step, and says how many steps it had acknowledged.
fn run_and_kill(folder: &Path, chance: &mut u64) -> u64 {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::a_killed_writer_leaves_the_rows_of_its_checkpoint", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stderr.take().unwrap()).lines();
    let steps = draw(chance) % 50;
    let seen = acknowledged(&mut lines, steps);
    assert_eq!(seen, steps, "the writer went on until it was killed");
    // Some way into the next step.
    (0..draw(chance) % 300_000).for_each(|_| std::hint::spin_loop());
    kill(&mut writer);
    seen + acknowledged(&mut lines, u64::MAX)
}

fn acknowledged(lines: &mut Lines<BufReader<ChildStderr>>, steps_max: u64) -> u64 {
    let mut steps = 0;
    while steps < steps_max
        && let Some(line) = lines.next()
    {
        assert_eq!(line.unwrap(), "done", "the writer failed");
        steps += 1;
    }
    steps
}

/// SIGKILL where there are signals; waits until the process and its locks are gone.
fn kill(writer: &mut Child) {
    writer.kill().unwrap();
    writer.wait().unwrap();
}

/// Steele and Vigna's splitmix64.
fn draw(chance: &mut u64) -> u64 {
    *chance = chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *chance;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
