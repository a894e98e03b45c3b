//! What every byte store does, and a sorted map that tells what it should have answered.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tidemill::record::{Offset, Timestamp};
use tidemill::store::{ByteSnapshot, ByteStore, Checkpoint, Direction, KeyRange, StoreWrite};

/// Where one store lives.
pub trait StoreHome {
    /// The store that is judged.
    type Store: ByteStore;

    /// The store, new and empty. Called once per home.
    fn create(&mut self) -> Self::Store;

    /// Closes the store and opens it again. A store without a place on disk is given back as it is.
    fn reopen(&mut self, store: Self::Store) -> Self::Store;
}

type Row = (Vec<u8>, Vec<u8>);

/// What a write says that it reflects: each offset has a time of its own.
fn at(next: u64) -> Checkpoint {
    Checkpoint { next: Offset::new(next), at: Timestamp::from_millis(1_700_000_000_000 + next.cast_signed()) }
}

type Case<H> = fn(Subject<H>);

/// Runs every case of the suite, each in a home of its own.
///
/// # Panics
///
/// When the store answers anything else than it should; the last case printed is the one that failed.
pub fn check_store<H: StoreHome>(new_home: impl Fn() -> H) {
    let cases: [(&str, Case<H>); 15] = [
        ("a new store has neither rows nor a checkpoint", new_store_is_empty),
        ("a put is read, overwritten and deleted", put_overwrite_delete),
        ("a value is appended to what is there", get_appends),
        ("empty keys and empty values are rows like others", empty_key_and_value),
        ("long keys and values are kept", long_key_and_value),
        ("every pair of bounds cuts where it says", every_bound),
        ("a prefix ends behind its last key", prefixes),
        ("an inverted range is empty", inverted_ranges),
        ("the checkpoint moves with the rows", checkpoint_moves_with_rows),
        ("a write without rows moves the checkpoint", write_without_rows),
        ("a write out of order panics and changes nothing", unsorted_write),
        ("a wipe leaves a new store", wipe_leaves_nothing),
        ("rows that nobody asks for any more go, and the others stay", discarded_rows_leave_the_others),
        ("a snapshot, if there are any, stays as it was", snapshots_stay),
        ("a store opened again has its rows and its checkpoint", reopen_keeps_all),
    ];
    for (name, case) in cases {
        println!("store: {name}");
        case(Subject::new(new_home()));
    }
}

/// A store with the words of the cases.
struct Subject<H: StoreHome> {
    home: H,
    store: Option<H::Store>,
}

impl<H: StoreHome> Subject<H> {
    fn new(mut home: H) -> Self {
        let store = Some(home.create());
        Subject { home, store }
    }

    fn hold(&mut self, keys: &[&[u8]]) {
        let rows: Vec<_> = keys.iter().map(|key| (*key, Some(*key))).collect();
        self.write(&rows, 1);
    }

    fn store(&mut self) -> &mut H::Store {
        self.store.as_mut().expect("a store is open between two cases")
    }

    fn reopen(&mut self) {
        let store = self.store.take().expect("a store is open between two cases");
        self.store = Some(self.home.reopen(store));
    }

    fn write(&mut self, rows: &[(&[u8], Option<&[u8]>)], next: u64) {
        let mut writes = rows.iter().map(|(key, value)| StoreWrite { key, value: *value });
        self.store().write(&mut writes, at(next)).expect("a sorted write succeeds");
    }

    fn get(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        self.store().get(key, &mut value).expect("a store can be read").then_some(value)
    }

    fn scan(&mut self, range: &KeyRange, direction: Direction) -> Vec<Row> {
        let rows = self.store().range(range, direction).expect("a store can be read");
        rows.collect::<Result<_, _>>().expect("rows can be read")
    }

    fn keys(&mut self, range: &KeyRange) -> Vec<Vec<u8>> {
        self.scan(range, Direction::Forward).into_iter().map(|(key, _)| key).collect()
    }

    fn checkpoint(&mut self) -> Option<u64> {
        let checkpoint = self.store().checkpoint().expect("a store can be read")?;
        assert_eq!(checkpoint, at(checkpoint.next.get()), "offset and time come back together");
        Some(checkpoint.next.get())
    }

    fn assert_empty(&mut self) {
        assert_eq!(self.checkpoint(), None);
        assert_eq!(self.scan(&KeyRange::ALL, Direction::Forward), []);
        assert_eq!(self.scan(&KeyRange::ALL, Direction::Backward), []);
    }
}

fn new_store_is_empty<H: StoreHome>(mut subject: Subject<H>) {
    subject.assert_empty();
    assert_eq!(subject.get(b""), None);
    assert_eq!(subject.get(b"a"), None);
    subject.reopen();
    subject.assert_empty();
}

fn put_overwrite_delete<H: StoreHome>(mut subject: Subject<H>) {
    subject.write(&[(b"a", Some(b"1")), (b"b", Some(b"2"))], 2);
    assert_eq!((subject.get(b"a"), subject.get(b"b")), (Some(b"1".to_vec()), Some(b"2".to_vec())));
    subject.write(&[(b"a", Some(b"3")), (b"b", None), (b"c", None)], 5);
    assert_eq!((subject.get(b"a"), subject.get(b"b"), subject.get(b"c")), (Some(b"3".to_vec()), None, None));
    assert_eq!(subject.scan(&KeyRange::ALL, Direction::Forward), [(b"a".to_vec(), b"3".to_vec())]);
    subject.write(&[(b"b", Some(b"4"))], 6);
    assert_eq!(subject.get(b"b"), Some(b"4".to_vec()), "a deleted row can come back");
}

fn get_appends<H: StoreHome>(mut subject: Subject<H>) {
    subject.write(&[(b"a", Some(b"1"))], 1);
    let mut out = b"before ".to_vec();
    assert!(subject.store().get(b"a", &mut out).unwrap());
    assert!(!subject.store().get(b"b", &mut out).unwrap());
    assert_eq!(out, b"before 1");
}

fn empty_key_and_value<H: StoreHome>(mut subject: Subject<H>) {
    subject.write(&[(b"", Some(b"")), (b"a", Some(b""))], 1);
    assert_eq!(subject.get(b""), Some(Vec::new()));
    assert_eq!(subject.keys(&KeyRange::ALL), [b"".to_vec(), b"a".to_vec()]);
    assert_eq!(subject.checkpoint(), Some(1), "an empty key is not the checkpoint's");
    subject.write(&[(b"", None)], 2);
    assert_eq!(subject.get(b""), None);
    assert_eq!((subject.get(b"a"), subject.checkpoint()), (Some(Vec::new()), Some(2)));
}

fn long_key_and_value<H: StoreHome>(mut subject: Subject<H>) {
    let (key, value) = (vec![7; 60_000], vec![9; 3 << 20]);
    subject.write(&[(&key, Some(&value))], 1);
    subject.reopen();
    assert_eq!(subject.get(&key), Some(value.clone()));
    assert_eq!(subject.scan(&KeyRange::ALL, Direction::Backward), [(key, value)]);
}

const KEYS: [&[u8]; 9] = [b"", b"\0", b"\0\0", b"a", b"a\0", b"aa", b"b", b"\xff", b"\xff\xff"];

fn bounds() -> Vec<Bound<Vec<u8>>> {
    let around = KEYS.into_iter().chain([&b"\0a"[..], b"a\xff", b"\xff\xff\xff"]);
    let cut = |key: &[u8]| [Bound::Included(key.to_vec()), Bound::Excluded(key.to_vec())];
    around.flat_map(cut).chain([Bound::Unbounded]).collect()
}

fn is_within(key: &[u8], range: &KeyRange) -> bool {
    let behind_start = match &range.from {
        Bound::Included(from) => key >= from.as_slice(),
        Bound::Excluded(from) => key > from.as_slice(),
        Bound::Unbounded => true,
    };
    let before_end = match &range.to {
        Bound::Included(to) => key <= to.as_slice(),
        Bound::Excluded(to) => key < to.as_slice(),
        Bound::Unbounded => true,
    };
    behind_start && before_end
}

fn every_bound<H: StoreHome>(mut subject: Subject<H>) {
    subject.hold(&KEYS);
    for (from, to) in bounds().into_iter().flat_map(|from| bounds().into_iter().map(move |to| (from.clone(), to))) {
        let range = KeyRange { from, to };
        let mut expected: Vec<Row> = KEYS.into_iter().map(|key| (key.to_vec(), key.to_vec())).collect();
        expected.retain(|(key, _)| is_within(key, &range));
        assert_eq!(subject.scan(&range, Direction::Forward), expected, "{range:?}");
        expected.reverse();
        assert_eq!(subject.scan(&range, Direction::Backward), expected, "{range:?}, backward");
    }
}

fn prefixes<H: StoreHome>(mut subject: Subject<H>) {
    subject.hold(&KEYS);
    let prefixes: [&[u8]; 9] = [b"", b"\0", b"a", b"aa", b"a\xff", b"b", b"c", b"\xff", b"\xff\xff"];
    for prefix in prefixes {
        let expected: Vec<_> = KEYS.into_iter().filter(|key| key.starts_with(prefix)).map(<[u8]>::to_vec).collect();
        assert_eq!(subject.keys(&KeyRange::prefix(prefix)), expected, "{prefix:?}");
    }
}

fn inverted_ranges<H: StoreHome>(mut subject: Subject<H>) {
    subject.hold(&KEYS);
    let (a, b) = (b"a".to_vec(), b"b".to_vec());
    for (from, to) in [
        (Bound::Included(b.clone()), Bound::Included(a.clone())),
        (Bound::Excluded(b), Bound::Excluded(a.clone())),
        (Bound::Excluded(a.clone()), Bound::Excluded(a.clone())),
        (Bound::Included(a.clone()), Bound::Excluded(a.clone())),
        (Bound::Excluded(a.clone()), Bound::Included(a)),
    ] {
        let range = KeyRange { from, to };
        assert_eq!(subject.scan(&range, Direction::Forward), [], "{range:?}");
        assert_eq!(subject.scan(&range, Direction::Backward), [], "{range:?}, backward");
    }
}

fn checkpoint_moves_with_rows<H: StoreHome>(mut subject: Subject<H>) {
    for next in [1, 7, u64::MAX] {
        subject.write(&[(b"a", Some(&next.to_be_bytes()))], next);
        assert_eq!(subject.checkpoint(), Some(next));
        assert_eq!(subject.get(b"a"), Some(next.to_be_bytes().to_vec()));
    }
}

fn write_without_rows<H: StoreHome>(mut subject: Subject<H>) {
    subject.write(&[(b"a", Some(b"1"))], 1);
    subject.write(&[], 9);
    subject.reopen();
    assert_eq!((subject.checkpoint(), subject.get(b"a")), (Some(9), Some(b"1".to_vec())));
}

fn unsorted_write<H: StoreHome>(mut subject: Subject<H>) {
    subject.hold(&[b"a"]);
    for keys in [[b"b", b"b"], [b"c", b"b"]] {
        let writing = || subject.write(&keys.map(|key| (&key[..], Some(&b"new"[..]))), 2);
        assert!(catch_unwind(AssertUnwindSafe(writing)).is_err(), "keys that do not rise are a fault of the caller");
    }
    subject.reopen();
    assert_eq!((subject.keys(&KeyRange::ALL), subject.checkpoint()), (vec![b"a".to_vec()], Some(1)));
}

fn wipe_leaves_nothing<H: StoreHome>(mut subject: Subject<H>) {
    subject.hold(&KEYS);
    subject.store().wipe().unwrap();
    subject.assert_empty();
    subject.reopen();
    subject.assert_empty();
    subject.write(&[(b"n", Some(b"new"))], 3);
    subject.reopen();
    assert_eq!(subject.keys(&KeyRange::ALL), [b"n".to_vec()]);
    assert_eq!(subject.checkpoint(), Some(3));
    subject.store().wipe().unwrap();
    subject.store().wipe().unwrap();
    subject.assert_empty();
}

fn discarded_rows_leave_the_others<H: StoreHome>(mut subject: Subject<H>) {
    subject.hold(&[b"a", b"b", b"c", b"d"]);
    let range = KeyRange { from: Bound::Unbounded, to: Bound::Excluded(b"c".to_vec()) };
    subject.store().discard(&range).expect("rows can be let go of");
    for _ in 0..2 {
        // They may be there still, but nobody asks for them.
        let left = KeyRange { from: Bound::Included(b"c".to_vec()), to: Bound::Unbounded };
        assert_eq!(subject.keys(&left), [b"c".to_vec(), b"d".to_vec()]);
        assert_eq!(subject.checkpoint(), Some(1));
        subject.reopen();
    }
    subject.write(&[(b"a", Some(b"again"))], 2);
    assert_eq!(subject.get(b"a"), Some(b"again".to_vec()));
}

fn snapshots_stay<H: StoreHome>(mut subject: Subject<H>) {
    let Some(snapshots) = subject.store().snapshots() else { return };
    subject.write(&[(b"a", Some(b"1")), (b"b", Some(b"2"))], 2);
    let before = snapshots.take().expect("a snapshot can be taken");
    subject.write(&[(b"a", None), (b"b", Some(b"3")), (b"c", Some(b"4"))], 5);
    let after = snapshots.take().expect("a snapshot can be taken");
    let rows = |snapshot: &dyn ByteSnapshot, direction| -> Vec<Row> {
        let rows = snapshot.range(&KeyRange::ALL, direction).expect("a snapshot can be read");
        rows.collect::<Result<_, _>>().expect("a snapshot can be read")
    };
    let row = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
    assert_eq!(rows(&*before, Direction::Forward), [row(b"a", b"1"), row(b"b", b"2")]);
    assert_eq!(rows(&*after, Direction::Backward), [row(b"c", b"4"), row(b"b", b"3")]);
    let mut value = b"kept:".to_vec();
    assert!(before.get(b"a", &mut value).expect("a snapshot can be read"), "`a` was there");
    assert_eq!(value, b"kept:1");
    assert!(!after.get(b"a", &mut value).expect("a snapshot can be read"), "`a` is gone");
}

fn reopen_keeps_all<H: StoreHome>(mut subject: Subject<H>) {
    subject.hold(&KEYS);
    for next in 2..6 {
        subject.reopen();
        assert_eq!(subject.keys(&KeyRange::ALL), KEYS.map(<[u8]>::to_vec));
        assert_eq!(subject.checkpoint(), Some(next - 1));
        subject.write(&[(b"a", Some(&next.to_be_bytes()))], next);
        assert_eq!(subject.get(b"a"), Some(next.to_be_bytes().to_vec()));
    }
}

/// One step of the comparison with the map.
#[derive(Clone, Debug)]
enum Step {
    Write(BTreeMap<Vec<u8>, Option<Vec<u8>>>),
    Get(Vec<u8>),
    Scan { range: KeyRange, direction: Direction, rows_max: usize },
    Reopen,
    Wipe,
}

/// Does the same to the store and to a sorted map, and compares every answer; `cases` sequences drawn from `seed`.
///
/// # Panics
///
/// With the smallest sequence found and the seed, when store and map differ.
pub fn check_store_against_a_map<H: StoreHome>(new_home: impl Fn() -> H, cases: u32, seed: u64) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut seed_bytes = [0; 32];
    seed_bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed_bytes));
    let outcome = runner.run(&vec(any_step(), 1..60), |steps| follow(Subject::new(new_home()), &steps));
    if let Err(difference) = outcome {
        panic!("store and map differ, seed {seed}: {difference}");
    }
}

fn follow<H: StoreHome>(mut subject: Subject<H>, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut rows = BTreeMap::new();
    let mut checkpoint = None;
    for (number, step) in (1..).zip(steps) {
        match step {
            Step::Write(changes) => {
                let writes: Vec<_> = changes.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
                subject.write(&writes, number);
                rows.extend(changes.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))));
                rows.retain(|key, _| changes.get(key) != Some(&None));
                checkpoint = Some(number);
            }
            Step::Get(key) => prop_assert_eq!(subject.get(key), rows.get(key).cloned()),
            Step::Scan { range, direction, rows_max } => {
                let found = subject.store().range(range, *direction).expect("a store can be read");
                let found: Vec<Row> = found.take(*rows_max).map(|row| row.expect("rows can be read")).collect();
                prop_assert_eq!(found, scan_of_map(&rows, range, *direction, *rows_max));
            }
            Step::Reopen => subject.reopen(),
            Step::Wipe => {
                subject.store().wipe().expect("a store can be wiped");
                rows.clear();
                checkpoint = None;
            }
        }
        prop_assert_eq!(subject.checkpoint(), checkpoint);
    }
    let all: Vec<Row> = rows.into_iter().collect();
    prop_assert_eq!(subject.scan(&KeyRange::ALL, Direction::Forward), all);
    Ok(())
}

fn scan_of_map(rows: &BTreeMap<Vec<u8>, Vec<u8>>, range: &KeyRange, direction: Direction, max: usize) -> Vec<Row> {
    let mut within: Vec<Row> = rows.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    within.retain(|(key, _)| is_within(key, range));
    if direction == Direction::Backward {
        within.reverse();
    }
    within.truncate(max);
    within
}

/// Few bytes, at the ends and in the middle, so that keys meet often.
fn any_key() -> impl Strategy<Value = Vec<u8>> {
    vec(select(&[0, 1, 0x7f, 0xfe, 0xff][..]), 0..4)
}

fn any_bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![any_key().prop_map(Bound::Included), any_key().prop_map(Bound::Excluded), Just(Bound::Unbounded)]
}

fn any_range() -> impl Strategy<Value = KeyRange> {
    prop_oneof![
        2 => (any_bound(), any_bound()).prop_map(|(from, to)| KeyRange { from, to }),
        1 => any_key().prop_map(|key| KeyRange::prefix(&key)),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let any_value = proptest::option::weighted(0.7, vec(any::<u8>(), 0..40));
    let any_direction = select(&[Direction::Forward, Direction::Backward][..]);
    let any_max = prop_oneof![0..6_usize, Just(usize::MAX)];
    prop_oneof![
        8 => proptest::collection::btree_map(any_key(), any_value, 0..20).prop_map(Step::Write),
        4 => any_key().prop_map(Step::Get),
        8 => (any_range(), any_direction, any_max)
            .prop_map(|(range, direction, rows_max)| Step::Scan { range, direction, rows_max }),
        2 => Just(Step::Reopen),
        1 => Just(Step::Wipe),
    ]
}
