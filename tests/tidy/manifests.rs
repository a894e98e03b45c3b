//! What the packages say of themselves: who depends on whom, and that all inherit the lints.

use crate::files::{self, SourceFile};
use crate::{assert_none, check};

/// The keys of a table of a manifest: `dependencies` has the names that stand before `=` or `.workspace`, or in the
/// header of a table of their own.
fn keys(file: &SourceFile, table: &str) -> Vec<String> {
    let (mut here, mut found) = (false, Vec::new());
    for line in file.text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            here = header == table;
            found.extend(header.strip_prefix(&format!("{table}.")).map(str::to_string));
        } else if here && !line.starts_with('#') {
            found.extend(line.split(['=', '.']).next().map(|key| key.trim().to_string()).filter(|key| !key.is_empty()));
        }
    }
    found
}

/// Findings where the package depends on one of `others`; dev-dependencies do not count.
fn depending(file: &SourceFile, others: &[&str]) -> Vec<String> {
    let direct = keys(file, "dependencies").into_iter().chain(keys(file, "build-dependencies"));
    direct
        .filter(|key| others.contains(&key.as_str()))
        .map(|key| file.at(1, format_args!("depends on `{key}`")))
        .collect()
}

/// A findings when the manifest does not have `line` in `table`.
fn lacking(file: &SourceFile, table: &str, line: &str) -> Vec<String> {
    let header = format!("[{table}]");
    let inside = file.text.lines().map(str::trim).skip_while(|found| *found != header).skip(1);
    let there = inside.take_while(|found| !found.starts_with('[')).any(|found| found == line);
    if there { Vec::new() } else { vec![file.at(1, format_args!("lacks `{line}` in `{header}`"))] }
}

#[test]
fn every_package_inherits_the_lints() {
    let findings = check(|path| path.ends_with("Cargo.toml"), |file| lacking(file, "lints", "workspace = true"));
    assert_none(&findings, "add the two lines `[lints]` and `workspace = true`: one table of lints holds for all");
}

#[test]
fn unsafe_code_is_denied_and_docs_are_asked_for() {
    let root = files::one("Cargo.toml");
    // Forbidden by each crate's root; see `only_calls_of_the_kafka_client_may_be_unsafe`.
    let lines = ["unsafe_code = \"deny\"", "missing_docs = \"deny\""];
    let findings: Vec<String> = lines.iter().flat_map(|line| lacking(&root, "workspace.lints.rust", line)).collect();
    assert_none(&findings, "the engine needs no unsafe code, and a public item without docs is not finished");
}

#[test]
fn packages_depend_one_way() {
    let rules: [(&str, &[&str]); 5] = [
        ("dsl/derive/Cargo.toml", &["tidemill", "tidemill-dsl", "tidemill-avro", "tidemill-testkit"]),
        ("dsl/Cargo.toml", &["tidemill", "tidemill-avro", "tidemill-testkit"]),
        ("avro/Cargo.toml", &["tidemill", "tidemill-testkit"]),
        ("Cargo.toml", &["tidemill-testkit"]),
        ("testkit/Cargo.toml", &["tidemill-dsl", "tidemill-derive", "tidemill-avro"]),
    ];
    let findings: Vec<String> = rules.iter().flat_map(|(path, others)| depending(&files::one(path), others)).collect();
    assert_none(
        &findings,
        "derive <- dsl <- avro <- tidemill <- testkit: only dev-dependencies may point the other way",
    );
}

#[cfg(test)]
mod the_checks_find {
    use super::*;

    #[test]
    fn a_dependency_that_points_the_wrong_way() {
        let findings = |text: &str| depending(&SourceFile::new("dsl/Cargo.toml", text), &["tidemill"]).len();
        assert_eq!(findings("[dependencies]\ntidemill = { path = \"..\" }"), 1);
        assert_eq!(findings("[dependencies]\nserde.workspace = true\ntidemill.workspace = true"), 1);
        assert_eq!(findings("[dependencies.tidemill]\npath = \"..\""), 1);
        assert_eq!(findings("[dev-dependencies]\ntidemill = { path = \"..\" }"), 0);
        assert_eq!(findings("[dependencies]\ntidemill-derive = \"1\"\n# tidemill = \"1\""), 0);
    }

    #[test]
    fn a_package_without_the_lints() {
        let findings = |text: &str| lacking(&SourceFile::new("a/Cargo.toml", text), "lints", "workspace = true").len();
        assert_eq!(findings("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"), 0);
        assert_eq!(findings("[package]\nname = \"a\"\n"), 1);
        assert_eq!(findings("[lints]\n\n[other]\nworkspace = true\n"), 1);
    }
}
