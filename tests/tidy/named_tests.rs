//! A page that says what holds a promise says it of a test that is there.

use std::path::Path;

use crate::files::SourceFile;
use crate::{assert_none, check};

/// The tests that a page names, as `` `tests/folder/file.rs::name` ``, with the lines on which it does.
fn named(file: &SourceFile) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for quoted in line.split('`').skip(1).step_by(2) {
            if let Some((path, name)) = quoted.split_once(".rs::") {
                found.push((index + 1, format!("{path}.rs"), name.to_owned()));
            }
        }
    }
    found
}

/// Those whose file, as `read` gives it, has no such function.
fn missing(file: &SourceFile, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let is_there = |path: &str, name: &str| read(path).is_some_and(|text| text.contains(&format!("fn {name}(")));
    let gone = named(file).into_iter().filter(|(_, path, name)| !is_there(path, name));
    gone.map(|(line, path, name)| file.at(line, format_args!("`{path}` has no test `{name}`"))).collect()
}

#[test]
fn every_test_that_a_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let findings = check(|path| path.starts_with("docs/") && path.ends_with(".md"), |file| missing(file, read));
    assert_none(&findings, "name the test that holds it now");
}

#[test]
fn a_page_that_names_tests_that_are_gone() {
    let page =
        SourceFile::new("docs/p.md", "| a | `tests/a.rs::it_is` |\n| b | `tests/a.rs::it_was`, `tests/b.rs::it_is` |");
    let read = |path: &str| (path == "tests/a.rs").then(|| "#[test]\nfn it_is() {}".to_owned());
    let expected = ["docs/p.md:2: `tests/a.rs` has no test `it_was`", "docs/p.md:2: `tests/b.rs` has no test `it_is`"];
    assert_eq!(missing(&page, read), expected);
}
