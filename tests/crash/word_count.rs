//! Words are counted once each, through a repartition topic, however often the example runs on a folder.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::chance::{Chance, SEED};
use crate::examples::example;
use crate::process::{fail, pause, succeed};
use crate::rounds::{Tally, rounds};

const BOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/opticks.txt");

fn word_count(file: &Path) -> Command {
    let mut command = Command::new(example("word_count", &[]));
    command.arg(file).stdin(Stdio::null());
    command
}

/// The most frequent words of a text as lines of JSON, in the plainest way.
fn expected(text: &str, top: usize) -> String {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(word, count)| (Reverse(*count), word.clone()));
    counts.iter().take(top).map(|(word, count)| format!("{{\"word\":\"{word}\",\"count\":{count}}}\n")).collect()
}

#[test]
fn the_words_of_the_book_are_counted_right() {
    let text = std::fs::read_to_string(BOOK).unwrap();
    let all = succeed(word_count(BOOK.as_ref()).args(["--json", "--top", "100000"]));
    assert_eq!(all.stdout, expected(&text, usize::MAX));
    let top = succeed(&mut word_count(BOOK.as_ref()));
    assert_eq!(
        top.stdout.lines().filter(|line| line.contains('│')).count(),
        21,
        "20 words and a header: {}",
        top.stdout
    );
}

#[test]
fn a_kept_folder_counts_no_line_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (data, text): (PathBuf, PathBuf) = (folder.path().join("data"), folder.path().join("text.txt"));
    let count = || succeed(word_count(&text).args(["--json", "--data"]).arg(&data)).stdout;
    std::fs::write(&text, "To be, or\nnot to be\n").unwrap();
    assert_eq!(count(), expected("to be or not to be", 20));
    assert_eq!(count(), expected("to be or not to be", 20));
    std::fs::write(&text, "To be, or\nnot to be\nthat is\n").unwrap();
    assert_eq!(count(), expected("to be or not to be that is", 20));
    std::fs::write(&text, "To be, or\n").unwrap();
    fail(word_count(&text).arg("--data").arg(&data), &["text.txt` shrank"]);
}

#[test]
fn a_file_that_is_no_text_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picture");
    std::fs::write(&file, b"line\n\xff\xfe\n").unwrap();
    fail(&mut word_count(&file), &["picture, line 2: byte 1 is no UTF-8"]);
}

#[test]
fn the_word_count_survives_kills() {
    let seed = Chance::seed();
    let repeat = format!("repeat: {SEED}={seed} cargo test --release --test crash word_count");
    let (mut chance, mut tally) = (Chance::new(seed), Tally::default());
    let book = std::fs::read_to_string(BOOK).unwrap();
    while tally.kills < rounds() {
        let folder = tempfile::tempdir().unwrap();
        let (data, file) = (folder.path().join("data"), folder.path().join("text.txt"));
        let mut text = String::new();
        for _ in 0..4 {
            tally.begin(&repeat);
            text.push_str(&book);
            std::fs::write(&file, &text).unwrap();
            let count = || {
                let mut command = word_count(&file);
                command.args(["--json", "--top", "100000", "--data"]).arg(&data);
                command
            };
            let mut child = count().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            pause(Duration::from_millis(10 + chance.below(250)));
            child.kill().unwrap();
            tally.count(!child.wait().unwrap().success());
            tally.amid += u32::from(data.join("tidemill-log").exists());
            // The next run goes on where the killed one was, and has every word of the text once.
            let counted = succeed(&mut count()).stdout;
            assert!(counted == expected(&text, usize::MAX), "the counts differ; {repeat}");
            tally.records += text.lines().count() as u64;
        }
    }
    println!("word count: {tally}");
}
