//! Every decoder takes every file of its corpus, and seeded mutations of them, without a panic: what `cargo fuzz` does for hours, for
//! seconds, with any toolchain.
//!
//! `TIDEMILL_FUZZ_ROUNDS` says how many mutations each target gets (20,000), `TIDEMILL_FUZZ_SEED` where they begin (1), and
//! `TIDEMILL_FUZZ_TARGET` names one to run alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tidemill_fuzz_targets::{TARGETS, Target};

/// Longer inputs find little that shorter ones do not.
const LENGTH_MAX: usize = 4096;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("`{name}` is a number")))
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target)
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = folder(target);
    let entries = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "`{target}` has a corpus");
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Xorshift: the same numbers from the same seed, everywhere.
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

/// Numbers that decoders stumble over.
const STUMBLING: [&[u8]; 8] = [
    &[0xff; 4],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0x80, 0, 0, 0, 0, 0, 0, 0],
    &[0xff; 10],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0; 8],
    &[0xc3, 0x28],
];

fn mutate(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], chance: &mut Chance) {
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, chance.next().to_le_bytes()[0]),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            4 if at < bytes.len() => bytes[at] = chance.next().to_le_bytes()[0],
            5 => {
                let number = STUMBLING[chance.below(STUMBLING.len())];
                let end = (at + number.len()).min(bytes.len());
                bytes.splice(at..end, number.iter().copied());
            }
            6 => {
                let other = &corpus[chance.below(corpus.len())];
                let from = chance.below(other.len() + 1);
                bytes.splice(at.., other[from..].iter().copied());
            }
            _ => {
                let end = at + chance.below(bytes.len() - at + 1);
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
        bytes.truncate(LENGTH_MAX);
    }
}

/// Runs a target on some bytes; a finding comes with what repeats it.
fn run(target: &Target, bytes: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("`{}` does not take these bytes; put them into fuzz/corpus/{0} to keep them: {hex}", target.name);
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn decoders_take_any_bytes() {
    let (rounds, seed) = (setting("TIDEMILL_FUZZ_ROUNDS", 20_000), setting("TIDEMILL_FUZZ_SEED", 1));
    let (mut files, mut mutations) = (0, 0);
    let only = std::env::var("TIDEMILL_FUZZ_TARGET").ok();
    for target in TARGETS.iter().filter(|target| only.as_ref().is_none_or(|only| only == target.name)) {
        let corpus = corpus(target.name);
        run(target, &[]);
        corpus.iter().for_each(|bytes| run(target, bytes));
        let mut chance = Chance::new(seed);
        let rounds = rounds / u64::from(target.weight);
        for _ in 0..rounds {
            let mut bytes = corpus[chance.below(corpus.len())].clone();
            mutate(&mut bytes, &corpus, &mut chance);
            run(target, &bytes);
        }
        files += corpus.len();
        mutations += rounds;
    }
    println!("fuzz: {} decoders, {files} files, {mutations} mutations from seed {seed}", TARGETS.len());
}

#[test]
fn every_target_has_a_program_and_every_program_a_target() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz_targets");
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml")).unwrap();
    for target in TARGETS {
        let text = std::fs::read_to_string(programs.join(format!("{}.rs", target.name))).unwrap_or_default();
        assert!(text.contains(&format!("run(\"{}\"", target.name)), "fuzz/fuzz_targets/{}.rs", target.name);
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "fuzz/Cargo.toml lacks `{}`", target.name);
    }
    let count = programs.read_dir().unwrap().count();
    let of_kafka = if cfg!(feature = "kafka") { 0 } else { 2 };
    assert_eq!(count, TARGETS.len() + of_kafka, "a program of no target");
}
