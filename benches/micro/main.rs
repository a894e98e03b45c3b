//! The task itself, without log and without capture, on one core: `cargo bench -p tidemill-benches --bench micro`.
//!
//! Before anything is timed, a counting allocator shows that stateless operators and counts do not allocate per record, and that
//! what windows and joins allocate does not grow with what they hold.

mod hash_map;
mod memory;
mod stateful;
mod task;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use stateful::{JoinOn, Stateful};
use task::Bench;

/// Records that one iteration processes.
const RECORDS: u32 = 100_000;
/// Distinct keys of the counts.
const KEYS: u64 = 10_000;
/// Distinct keys of the operators with windows.
const WINDOW_KEYS: u64 = 100_000;
/// As many where allocations are counted: so few that all of them come in the first round.
const COUNTED_KEYS: u64 = 1_000;

fn show_allocations() {
    for (name, mut bench) in [("stateless", Bench::stateless()), ("count", Bench::count())] {
        let batch = task::batch(RECORDS, KEYS);
        // Buffers grow and rows are made in the first round.
        bench.run(&batch);
        let allocations = allocation_counter::measure(|| bench.run(&batch)).count_total;
        let commits = u64::from(RECORDS / task::PER_COMMIT);
        println!("{name}: {allocations} allocations for {RECORDS} records and {commits} commits");
        assert!(allocations <= 10 * commits, "{name} allocates per record: {allocations} for {commits} commits");
    }
}

fn micro(criterion: &mut Criterion) {
    show_allocations();
    let mut group = criterion.benchmark_group("task");
    group.throughput(Throughput::Elements(RECORDS.into()));
    let batch = task::batch(RECORDS, KEYS);
    let mut stateless = Bench::stateless();
    group.bench_function("five_stateless_operators", |b| b.iter(|| stateless.run(black_box(&batch))));
    let mut count = Bench::count();
    group.bench_function("count_by_u64_key", |b| b.iter(|| count.run(black_box(&batch))));
    let mut to_topic = Bench::count_to_topic();
    group.bench_function("count_to_topic", |b| b.iter(|| to_topic.run(black_box(&batch))));
    let mut queue = Bench::pass();
    group.bench_function("queue_and_decode_only", |b| b.iter(|| queue.run(black_box(&batch))));
    let records = hash_map::records(&batch);
    group.bench_function("reference_plain_hash_map", |b| b.iter(|| hash_map::count(black_box(&records))));
    group.finish();
}

/// Makes a task with an operator that holds state.
type MakeStateful = fn(u64) -> Stateful;

/// The operators with state.
const STATEFUL: [(&str, MakeStateful); 11] = [
    ("windowed_count", Stateful::windowed_count),
    ("hopping_count", Stateful::hopping_count),
    ("sliding_count", Stateful::sliding_count),
    ("session_count", Stateful::session_count),
    ("join_streams", Stateful::join_streams),
    ("outer_join_streams", Stateful::outer_join_streams),
    ("join_tables", Stateful::join_tables),
    ("deduplicate", Stateful::deduplicate),
    ("top_n", Stateful::top_n),
    ("map_async", Stateful::map_async),
    ("calendar_count", Stateful::calendar_count),
];

/// Shows that a record costs as many allocations when many windows are held as when few are.
fn show_stateful_allocations() {
    for (name, make) in STATEFUL {
        let mut bench = make(COUNTED_KEYS);
        let mut measured = || {
            let round = bench.next_round(RECORDS.into());
            let allocated = allocation_counter::measure(|| bench.run(&round));
            allocated.count_total as f64 / f64::from(RECORDS)
        };
        let rounds: Vec<f64> = (0..20).map(|_| measured()).collect();
        let (few, many) = (rounds[1], rounds[19]);
        println!("{name}: {few:.2} allocations per record, {many:.2} after 2 M records");
        assert!(many < few * 1.1 + 0.01, "{name} allocates more when more windows are held: {rounds:?}");
    }
}

/// Shows what the stores take of operators that let no row go meanwhile.
fn show_memory() {
    for (name, make) in &STATEFUL[..7] {
        memory::show(name, || make(WINDOW_KEYS), (10, RECORDS));
    }
}

fn stateful(criterion: &mut Criterion) {
    show_stateful_allocations();
    show_memory();
    let mut group = criterion.benchmark_group("stateful");
    group.throughput(Throughput::Elements(RECORDS.into()));
    for (name, make) in STATEFUL {
        let mut bench = make(WINDOW_KEYS);
        // Until the first windows have left.
        for _ in 0..20 {
            let round = bench.next_round(RECORDS.into());
            bench.run(&round);
        }
        let bench = std::cell::RefCell::new(bench);
        group.bench_function(name, |b| {
            let next = || bench.borrow_mut().next_round(RECORDS.into());
            b.iter_batched(next, |round| bench.borrow_mut().run(black_box(&round)), BatchSize::PerIteration);
        });
    }
    let mut join_on = JoinOn::new(WINDOW_KEYS);
    group.bench_function("join_on_in_driver", |b| b.iter(|| join_on.run(RECORDS.into())));
    group.finish();
}

criterion_group!(benches, micro, stateful);
criterion_main!(benches);
