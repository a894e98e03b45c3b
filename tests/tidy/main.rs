//! The invariants of `docs/architecture.md`, each held by a test of its own.
//!
//! Rule: a check is a function from a file to what is wrong in it, and every check is shown a file that breaks it.

mod code;
mod directions;
mod files;
mod manifests;
mod named_tests;
mod pages;
mod paths;
mod shape;

use files::SourceFile;

/// Fails with one line per finding and, below them, what to do.
fn assert_none(findings: &[String], remedy: &str) {
    assert!(findings.is_empty(), "{}\n\n{remedy}\n", findings.join("\n"));
}

/// What `check` finds in those files of the repository that `select` takes; that there are such files is asserted too.
fn check(select: impl Fn(&str) -> bool, check: impl Fn(&SourceFile) -> Vec<String>) -> Vec<String> {
    let files: Vec<SourceFile> = files::all().into_iter().filter(|file| select(&file.path)).collect();
    assert!(
        !files.is_empty(),
        "no file to look at: the folders of the repository have other names than this test thinks"
    );
    files.iter().flat_map(check).collect()
}
