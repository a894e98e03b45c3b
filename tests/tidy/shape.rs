//! What every file keeps to: a first sentence, a size, nothing left open, no path of one machine.

use crate::files::{SourceFile, is_rust_in};
use crate::{assert_none, check, code};

const LINES_MAX: usize = 700;

fn without_first_sentence(file: &SourceFile) -> Vec<String> {
    if file.text.starts_with("//!") { Vec::new() } else { vec![file.at(1, "does not begin with `//!`")] }
}

fn too_long(file: &SourceFile) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines > LINES_MAX { vec![file.at(LINES_MAX, format_args!("has {lines} lines"))] } else { Vec::new() }
}

fn left_open(file: &SourceFile) -> Vec<String> {
    // Put together here, so that this file is not a finding itself.
    let (words, code_marks) = (["TO DO", "FIX ME", "XX X"], ["todo! (", "unimplemented! (", "# [ignore"]);
    let squeeze = |mark: &str| mark.replace(' ', "");
    let code = code::only(&file.text);
    let in_text = file.text.lines().enumerate().flat_map(|(index, line)| {
        let open = words.iter().map(|word| squeeze(word)).filter(move |word| has_word(line, word));
        open.map(move |word| (index + 1, word))
    });
    let in_code = code.lines().enumerate().flat_map(|(index, line)| {
        let open = code_marks.iter().map(|mark| squeeze(mark)).filter(move |mark| line.contains(mark.as_str()));
        open.map(move |mark| (index + 1, mark))
    });
    in_text.chain(in_code).map(|(line, what)| file.at(line, format_args!("has `{what}`"))).collect()
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

fn paths_of_one_machine(file: &SourceFile) -> Vec<String> {
    let lines = file.text.lines().enumerate();
    let strays = lines.filter(|(_, line)| leads_out_of_the_repository(line));
    strays.map(|(index, line)| file.at(index + 1, line.trim())).collect()
}

fn leads_out_of_the_repository(line: &str) -> bool {
    let homes = ["work", "farm", "root", "home", "Users"];
    let begins_a_path = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_.-".contains(c));
    let absolute = homes.iter().any(|home| {
        let path = format!("/{home}/");
        line.match_indices(&path).any(|(at, _)| begins_a_path(at))
    });
    absolute || line.contains(&["..", "shared"].join("/"))
}

fn is_ours(path: &str) -> bool {
    [".rs", ".toml", ".md", ".yml", ".yaml", ".sh", ".json"].iter().any(|end| path.ends_with(end))
        || path.starts_with(".ci/")
}

#[test]
fn every_file_begins_with_the_rule_it_keeps() {
    let findings = check(
        |path| is_rust_in(path, &["src", "dsl", "avro", "testkit", "xtask", "tests", "examples", "fuzz"]),
        without_first_sentence,
    );
    assert_none(&findings, "begin the file with `//!` and one sentence: what holds as long as this file is right");
}

#[test]
fn every_file_holds_one_thing() {
    let findings = check(|path| path.ends_with(".rs"), too_long);
    assert_none(&findings, "find the second thing in it and give that a file of its own");
}

#[test]
fn nothing_is_left_open() {
    let findings = check(is_ours, left_open);
    assert_none(&findings, "finish it, or open an issue and take the mark out");
}

#[test]
fn no_path_leads_out_of_the_repository() {
    let findings = check(is_ours, paths_of_one_machine);
    assert_none(
        &findings,
        "a user does not have that folder: name a path inside the repository, or make it an argument",
    );
}

#[cfg(test)]
mod the_checks_find {
    use super::*;

    #[test]
    fn a_file_without_a_first_sentence() {
        assert!(without_first_sentence(&SourceFile::new("src/a.rs", "//! Keeps order.\n")).is_empty());
        assert_eq!(without_first_sentence(&SourceFile::new("src/a.rs", "use std::io;\n//! Late.\n")).len(), 1);
    }

    #[test]
    fn a_file_that_has_grown() {
        assert!(too_long(&SourceFile::new("src/a.rs", &"x\n".repeat(LINES_MAX))).is_empty());
        assert_eq!(too_long(&SourceFile::new("src/a.rs", &"x\n".repeat(LINES_MAX + 1))).len(), 1);
    }

    #[test]
    fn marks_of_unfinished_work() {
        let findings = |text: &str| left_open(&SourceFile::new("src/a.rs", text)).len();
        assert_eq!(findings(&format!("// {}: later\n{}!()", "TO".to_owned() + "DO", "todo")), 2);
        assert_eq!(findings(&format!("#{}]\nfn f() {{ {}!(\"x\") }}", "[ignore", "unimplemented")), 2);
        assert_eq!(findings("let text = \"a list of things to do\"; // METODOLOGY"), 0);
    }

    #[test]
    fn paths_that_a_user_does_not_have() {
        let findings = |text: &str| paths_of_one_machine(&SourceFile::new("docs/a.md", text)).len();
        for home in ["work", "root", "home"] {
            assert_eq!(findings(&format!("see /{home}/notes/x.md")), 1, "{home}");
        }
        assert_eq!(findings(&["see ..", "shared", "x.md"].join("/")), 1);
        assert_eq!(findings("https://example.org/work/x and src/work/y"), 0);
    }
}
