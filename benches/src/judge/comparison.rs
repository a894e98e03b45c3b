//! Measures two engines in turn, and says how they compare.
//!
//! Rule: machines are noisy, so the two alternate (first, second, second, first, ..), and what is told is the median of each with the
//! lowest and the highest, and the ratio of the medians.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use super::run;
use crate::options::Options;

/// What is compared, and whether more is better.
const FIGURES: [(&str, &str, bool); 7] = [
    ("steady_records_per_cpu_s", "records per CPU second, steady", true),
    ("records_per_cpu_s", "records per CPU second", true),
    ("records_per_s", "records per second", true),
    ("running_s", "seconds until it works", false),
    ("restore_s", "seconds to restore", false),
    ("wall_s", "seconds", false),
    ("rss_peak_mb", "memory, MB", false),
];

/// Runs this engine and another one in turn. Gives whether everything that was put out was right.
pub(crate) fn compare(options: &Options, other: &str) -> Result<bool> {
    let mut out = match &options.out {
        Some(file) => {
            Some(std::fs::File::create(file).with_context(|| format!("`{}` cannot be written", file.display()))?)
        }
        None => None,
    };
    let (mut ours, mut theirs, mut right) = (Figures::default(), Figures::default(), true);
    let theirs_named = options.of_other();
    for round in 0..options.rounds {
        let order = if round % 2 == 0 { [false, true] } else { [true, false] };
        for is_other in order {
            let (named, program) = if is_other { (&theirs_named, Some(other)) } else { (options, None) };
            eprintln!("round {} of {}: {}", round + 1, options.rounds, named.engine_name);
            let line = run(named, program)?;
            right &= line.outcome.as_ref().is_none_or(|outcome| !outcome.wrong);
            let Value::Object(line) = serde_json::to_value(&line)? else { bail!("a line is an object") };
            if let Some(out) = &mut out {
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            }
            if is_other { &mut theirs } else { &mut ours }.add(&line);
        }
    }
    print!("{}", table((&options.engine_name, &ours), (&theirs_named.engine_name, &theirs)));
    Ok(right)
}

/// What the runs of one engine gave.
#[derive(Default)]
struct Figures(Vec<Map<String, Value>>);

impl Figures {
    fn add(&mut self, line: &Map<String, Value>) {
        self.0.push(line.clone());
    }

    /// The lowest, the median and the highest, if every run has the figure.
    fn of(&self, name: &str) -> Option<[f64; 3]> {
        let mut all = self.0.iter().map(|line| line.get(name)?.as_f64()).collect::<Option<Vec<_>>>()?;
        all.sort_by(f64::total_cmp);
        let middle = all.len() / 2;
        let median =
            if all.len() % 2 == 1 { all[middle] } else { (all.get(middle.wrapping_sub(1))? + all[middle]) / 2.0 };
        Some([*all.first()?, median, *all.last()?])
    }
}

fn table((our_name, ours): (&str, &Figures), (their_name, theirs): (&str, &Figures)) -> String {
    let mut text = format!("| | {our_name} | {their_name} | ratio |\n| --- | --- | --- | --- |\n");
    for (name, said, more_is_better) in FIGURES {
        let (Some(ours), Some(theirs)) = (ours.of(name), theirs.of(name)) else { continue };
        let ratio = if more_is_better { ours[1] / theirs[1] } else { theirs[1] / ours[1] };
        // Of one record, and of less than a tick of the clock, there is nothing to say.
        if !ratio.is_normal() {
            continue;
        }
        writeln!(text, "| {said} | {} | {} | {ratio:.2} |", shown(ours), shown(theirs))
            .expect("a text takes everything");
    }
    text + "\nEach: median (lowest to highest). A ratio above 1 is in favour of the first.\n"
}

fn shown([lowest, median, highest]: [f64; 3]) -> String {
    let number = |value: f64| if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    format!("{} ({} to {})", number(median), number(lowest), number(highest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(values: &[f64]) -> Figures {
        let line = |value: &f64| Map::from_iter([("wall_s".to_owned(), Value::from(*value))]);
        Figures(values.iter().map(line).collect())
    }

    #[test]
    fn the_median_of_an_even_number_is_the_middle_of_two() {
        assert_eq!(figures(&[3.0, 1.0, 2.0]).of("wall_s"), Some([1.0, 2.0, 3.0]));
        assert_eq!(figures(&[4.0, 1.0, 2.0, 3.0]).of("wall_s"), Some([1.0, 2.5, 4.0]));
        assert_eq!(figures(&[]).of("wall_s"), None);
        assert_eq!(figures(&[1.0]).of("rss_peak_mb"), None);
    }

    #[test]
    fn what_was_too_little_to_measure_is_left_out() {
        let table = table(("a", &figures(&[1.0])), ("b", &figures(&[0.0])));
        assert!(!table.contains("seconds"), "{table}");
    }

    #[test]
    fn less_time_is_a_better_ratio() {
        let table = table(("a", &figures(&[1.0])), ("b", &figures(&[250.0])));
        assert!(table.contains("| seconds | 1.00 (1.00 to 1.00) | 250 (250 to 250) | 250.00 |"), "{table}");
    }
}
