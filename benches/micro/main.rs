//! The task itself, without log and without capture, on one core: `cargo bench -p tidemill-benches --bench micro`.
//!
//! Before anything is timed, a counting allocator shows that neither path allocates per record.

mod hash_map;
mod task;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use task::Bench;

/// Records that one iteration processes.
const RECORDS: u32 = 100_000;
/// Distinct keys of the counts.
const KEYS: u64 = 10_000;

fn show_allocations() {
    for (name, mut bench) in [("stateless", Bench::stateless()), ("count", Bench::count())] {
        let batch = task::batch(RECORDS, KEYS);
        // Buffers grow and rows are made in the first round.
        bench.run(&batch);
        let allocations = allocation_counter::measure(|| bench.run(&batch)).count_total;
        println!("{name}: {allocations} allocations for {RECORDS} records");
        assert!(allocations < 100, "{name} allocates per record: {allocations} for {RECORDS} records");
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
    let mut queue = Bench::pass();
    group.bench_function("queue_and_decode_only", |b| b.iter(|| queue.run(black_box(&batch))));
    let records = hash_map::records(&batch);
    group.bench_function("reference_plain_hash_map", |b| b.iter(|| hash_map::count(black_box(&records))));
    group.finish();
}

criterion_group!(benches, micro);
criterion_main!(benches);
