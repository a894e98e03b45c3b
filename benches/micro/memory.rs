//! What stores in memory take, as counted where it is allocated, beside the bytes of their keys and values.

use std::ops::ControlFlow;

use tidemill::state::{Direction, KeyRange};

use crate::stateful::Stateful;

/// Prints it after `rounds` of so many records.
pub(crate) fn show(name: &str, make: impl FnOnce() -> Stateful, (rounds, records): (u32, u32)) {
    let mut filled = None;
    let allocated = allocation_counter::measure(|| {
        let mut bench = make();
        for _ in 0..rounds {
            let round = bench.next_round(records.into());
            bench.run(&round);
        }
        filled = Some(bench);
    });
    let (rows, bytes) = filled.as_mut().map_or((0, 0), held);
    let taken = allocated.bytes_current as f64 / rows as f64;
    let own = bytes as f64 / rows as f64;
    println!("{name}: {rows} rows of {own:.0} bytes take {taken:.0} each, {:.1} times theirs", taken / own);
}

/// How many rows the stores have, and how many bytes of keys and values those are.
fn held(bench: &mut Stateful) -> (u64, usize) {
    let (mut rows, mut bytes) = (0, 0);
    for store in bench.task.state().stores_mut() {
        let mut count = |key: &[u8], value: &[u8], _| {
            rows += 1;
            bytes += key.len() + value.len();
            ControlFlow::Continue(())
        };
        store.visit(&KeyRange::ALL, Direction::Forward, &mut count).unwrap();
    }
    (rows, bytes)
}
