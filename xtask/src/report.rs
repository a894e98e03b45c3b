//! The table at the end of a task and its closing line.

use std::fmt::Write;

use crate::counts::Counts;
use crate::step::Outcome;

/// The table; its last line is `N passed, N failed`.
pub(crate) fn table(outcomes: &[Outcome], left_out: &[&str]) -> String {
    let mut out = format!("\n{:<18}{:>9}{:>9}{:>9}\n", "step", "seconds", "passed", "failed");
    let mut sum = Counts::default();
    for outcome in outcomes {
        let counts = outcome.counts;
        sum += counts;
        let seconds = outcome.took.as_secs_f64();
        row(&mut out, format_args!("{:<18}{seconds:>9.1}{:>9}{:>9}", outcome.name, counts.passed, counts.failed));
        for note in &outcome.notes {
            row(&mut out, format_args!("  {note}"));
        }
    }
    for name in left_out {
        row(&mut out, format_args!("{name:<18}left out"));
    }
    row(&mut out, format_args!("{} passed, {} failed", sum.passed, sum.failed));
    out
}

fn row(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn outcome(name: &'static str, passed: bool, counts: (u64, u64)) -> Outcome {
        let counts = Counts { passed: counts.0, failed: counts.1 };
        Outcome { name, passed, took: Duration::from_millis(1_250), counts, notes: Vec::new() }
    }

    #[test]
    fn the_last_line_sums_up_and_the_rest_says_what_was_left_out() {
        let mut golden = outcome("release", true, (2, 0));
        golden.notes.push("golden: 5 passed, 0 failed, 1 missing".into());
        let outcomes = [outcome("format", true, (1, 0)), outcome("tests", false, (40, 3)), golden];
        let table = table(&outcomes, &["deny"]);
        assert!(table.contains("tests                   1.2       40        3\n"), "{table}");
        assert!(table.contains("deny              left out\n") && table.contains("  golden: 5 passed"), "{table}");
        assert!(table.ends_with("\n43 passed, 3 failed\n"), "{table}");
    }
}
