//! What examples have to stand: crashes at every moment, one and two, leave what a run without them leaves.

use tidemill_testkit::explorer::{Backend, Explorer, Kafka};

/// Explores an example's topology with its records, and prints how many worlds there are.
pub(crate) fn leave_no_trace(example: &str, explorer: &Explorer) {
    for backend in [Kafka::exactly_once().into(), Backend::Embedded] {
        for crashes in [1, 2] {
            let report = explorer.clone().on(backend).crashes(crashes).refines_crash_free().explore();
            report.assert_holds();
            let (states, steps) = (report.states(), report.transitions());
            println!("{example}, {backend}, {crashes} crashes: {states} worlds, {steps} steps");
        }
    }
}
