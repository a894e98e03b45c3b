//! Shows the most frequent words, for people or as JSON.

use std::cmp::Reverse;
use std::io::Write;

use serde::Serialize;

use crate::support::Failure;
use crate::support::output::{json_line, numbers, print};

#[derive(Serialize)]
struct Line<'a> {
    word: &'a str,
    count: i64,
}

/// Prints the `top` most frequent words; words of equal counts come in alphabetical order.
pub(crate) fn top(mut counts: Vec<(String, i64)>, top: usize, json: bool) -> Result<(), Failure> {
    counts.sort_by(|(a, n), (b, m)| (Reverse(n), a).cmp(&(Reverse(m), b)));
    counts.truncate(top);
    print(|out| {
        if json {
            return counts.iter().try_for_each(|(word, count)| json_line(out, &Line { word, count: *count }));
        }
        Ok(writeln!(out, "{}", numbers(["word", "count"], counts))?)
    })
}
