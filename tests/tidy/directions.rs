//! Who may name what: dependencies point one way.

use crate::files::{SourceFile, is_rust_in};
use crate::paths::{NamedPath, named};
use crate::{assert_none, check};

/// The modules of `src`, each built from those before it.
const MODULES: [&str; 8] = ["log", "store", "task", "exec", "runtime", "event_sourcing", "avro", "http"];
/// What a part without I/O, clock and threads does not name.
const OUTSIDE_WORLD: [&str; 4] = ["std::fs", "std::net", "std::thread", "std::process"];

/// Findings for every path in `file` that lies in one of `prefixes`.
fn naming(file: &SourceFile, prefixes: &[&str]) -> Vec<String> {
    let strays = named(&file.text).into_iter().filter(|path| prefixes.iter().any(|prefix| path.is_in(prefix)));
    strays.map(|path| file.at(path.line, format_args!("names `{}`", path.path))).collect()
}

/// The part of the program that a path names, from the root of the package: `store` for `crate::store::Overlay`.
fn module_named<'a>(file: &SourceFile, path: &'a NamedPath) -> Option<&'a str> {
    let mut parts = path.path.split("::").peekable();
    if parts.next_if_eq(&"crate").is_some() {
        return parts.next();
    }
    let mut climbed = 0;
    while parts.next_if_eq(&"super").is_some() {
        climbed += 1;
    }
    // `src/log/mod.rs` lies one step below the root of the package, `src/log/topic.rs` two.
    let depth = file.path.trim_end_matches("/mod.rs").split('/').count() - 1;
    if climbed > 0 && climbed >= depth { parts.next() } else { None }
}

/// Findings where a module of `src` names one that is built from it.
fn naming_upwards(file: &SourceFile) -> Vec<String> {
    let own = MODULES
        .iter()
        .position(|module| file.path == format!("src/{module}.rs") || file.path.starts_with(&format!("src/{module}/")));
    let Some(own) = own else { return Vec::new() };
    let above = &MODULES[own + 1..];
    let paths = named(&file.text);
    let strays = paths.iter().filter(|path| module_named(file, path).is_some_and(|module| above.contains(&module)));
    strays.map(|path| file.at(path.line, format_args!("names `{}`", path.path))).collect()
}

/// Findings where petgraph's types could be seen from outside: in a signature that begins with `pub`.
fn petgraph_in_public(file: &SourceFile) -> Vec<String> {
    let imported: Vec<String> = named(&file.text)
        .iter()
        .filter(|path| path.is_in("petgraph"))
        .filter_map(|path| path.path.rsplit("::").next().map(str::to_string))
        .collect();
    let code = crate::code::only(&file.text);
    let signatures = code.match_indices("pub ").map(|(at, _)| (at, public_signature(&code[at..])));
    signatures
        .filter(|(_, text)| named(text).iter().any(|path| path.is_in("petgraph") || imported.contains(&path.path)))
        .map(|(at, text)| {
            file.at(code[..at].lines().count().max(1), format_args!("shows petgraph in `{}`", text.trim()))
        })
        .collect()
}

/// The signature at the start of `code`: of a type its head, of a field its line, else everything up to the body.
fn public_signature(code: &str) -> &str {
    let word = code["pub ".len()..].split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let ends: &[char] = match word {
        "struct" | "enum" | "trait" => &['{', ';', '('],
        "fn" | "const" | "async" | "type" | "use" | "static" | "mod" => &['{', ';'],
        _ => &['\n'],
    };
    &code[..code.find(ends).unwrap_or(code.len())]
}

fn in_src_outside(path: &str, folder: &str) -> bool {
    is_rust_in(path, &["src"]) && !path.starts_with(folder) && path != format!("{}.rs", folder.trim_end_matches('/'))
}

#[test]
fn only_the_runtime_names_tokio() {
    let outside = |path: &str| in_src_outside(path, "src/runtime/") && !path.starts_with("src/http/");
    let strays = check(outside, |file| naming(file, &["tokio"]));
    assert_none(
        &strays,
        "keep the async edge in src/runtime and src/http: hand the synchronous core what it needs as arguments",
    );
}

#[test]
fn only_avro_names_apache_avro() {
    let outside = |path: &str| is_rust_in(path, &["src", "dsl", "testkit", "benches", "xtask"]);
    let strays = check(outside, |file| naming(file, &["apache_avro", "ureq"]));
    assert_none(&strays, "speak to Avro through tidemill-avro; the library is named in avro/ alone");
}

#[test]
fn only_the_http_views_name_axum() {
    let outside = |path: &str| in_src_outside(path, "src/http/") && !path.starts_with("src/runtime/http/");
    let strays = check(outside, |file| naming(file, &["axum"]));
    assert_none(
        &strays,
        "routers live in src/http, and ask the library as any user does; src/runtime/http has what processes ask one another",
    );
}

#[test]
fn a_description_of_a_computation_reaches_nothing_outside() {
    let world =
        [&OUTSIDE_WORLD[..], &["tokio", "std::time::Instant", "std::time::SystemTime", "rdkafka", "fjall"]].concat();
    let strays = check(|path| is_rust_in(path, &["dsl/src"]), |file| naming(file, &world));
    assert_none(
        &strays,
        "dsl/ describes computations and runs none: move what needs the world into src/, behind a trait",
    );
}

#[test]
fn tasks_and_their_execution_do_no_input_or_output() {
    let world = [&OUTSIDE_WORLD[..], &["std::time::Instant", "std::time::SystemTime"]].concat();
    let strays = check(
        |path| is_rust_in(path, &["src"]),
        |file| {
            if is_rust_in(&file.path, &["src/task", "src/exec"]) { naming(file, &world) } else { Vec::new() }
        },
    );
    assert_none(&strays, "records and time are handed to a task, effects are handed out: let src/runtime do the rest");
}

#[test]
fn only_the_kafka_log_names_rdkafka() {
    let strays = check(|path| in_src_outside(path, "src/log/kafka/"), |file| naming(file, &["rdkafka", "rdkafka_sys"]));
    assert_none(&strays, "speak to Kafka through the log trait; the client is named in src/log/kafka alone");
}

/// Findings where a file allows what may not be safe.
fn allowing_unsafe(file: &SourceFile) -> Vec<String> {
    let code = crate::code::only(&file.text);
    let lines = code.lines().zip(1..);
    let allowing = lines.filter(|(line, _)| {
        ["allow(", "expect(", "warn("].iter().any(|level| line.contains(&format!("{level}unsafe_code")))
    });
    allowing.map(|(_, number)| file.at(number, "allows `unsafe_code`")).collect()
}

#[test]
fn only_calls_of_the_kafka_client_may_be_unsafe() {
    let elsewhere = |path: &str| {
        is_rust_in(path, &["src", "dsl", "testkit", "benches", "xtask"]) && !path.starts_with("src/log/kafka/native/")
    };
    let strays = check(elsewhere, allowing_unsafe);
    assert_none(&strays, "put the call into src/log/kafka/native, with what makes it sound");
    let crates = ["src/lib.rs", "dsl/src/lib.rs", "dsl/derive/src/lib.rs", "avro/src/lib.rs", "testkit/src/lib.rs"];
    let forbids = |file: &SourceFile| {
        let forbidden = file.text.contains("forbid(unsafe_code)");
        if forbidden { Vec::new() } else { vec![file.at(1, "does not say `forbid(unsafe_code)`")] }
    };
    assert_none(&check(|path| crates.contains(&path), forbids), "every crate forbids it in its root");
}

#[test]
fn only_the_rocksdb_store_names_rocksdb() {
    // The module bears the crate's name, and has to be declared.
    let named_in = |file: &SourceFile| {
        naming(&SourceFile::new(&file.path, &file.text.replace("mod rocksdb;", "mod module;")), &["rocksdb"])
    };
    let strays = check(|path| in_src_outside(path, "src/store/rocksdb/"), named_in);
    assert_none(&strays, "speak to stores through `ByteStore`; RocksDB is named in src/store/rocksdb alone");
}

#[test]
fn petgraph_stays_inside_the_topology() {
    let outside = |path: &str| is_rust_in(path, &["src", "dsl", "testkit"]) && !path.starts_with("dsl/src/topology/");
    assert_none(&check(outside, |file| naming(file, &["petgraph"])), "ask `Topology` for what you need of its graph");
    let shown = check(|path| is_rust_in(path, &["dsl"]), petgraph_in_public);
    assert_none(&shown, "wrap the type: another version of petgraph must not be a breaking change");
}

#[test]
fn modules_name_only_what_they_are_built_from() {
    let strays = check(|path| is_rust_in(path, &["src"]), naming_upwards);
    let order = MODULES.join(" -> ");
    assert_none(&strays, &format!("the order is {order}: move the item down, or hand it in as an argument or a trait"));
}

#[test]
fn the_testkit_uses_the_facade() {
    let private = ["tidemill_dsl", "tidemill_derive"];
    let strays = check(|path| is_rust_in(path, &["testkit"]), |file| naming(file, &private));
    assert_none(&strays, "take it from `tidemill`, or make it public there: users write such tools too");
}

#[cfg(test)]
mod the_checks_find {
    use super::*;

    #[test]
    fn a_name_in_code_and_none_in_comments() {
        let good = SourceFile::new("src/task/a.rs", "//! Never tokio::spawn.\nlet text = \"std::fs\";");
        assert!(naming(&good, &["tokio", "std::fs"]).is_empty());
        let bad = SourceFile::new("src/task/a.rs", "use std::{io, fs::File};\nlet x = tokio::spawn(y);");
        let expected = ["src/task/a.rs:1: names `std::fs::File`", "src/task/a.rs:2: names `tokio::spawn`"];
        assert_eq!(naming(&bad, &["tokio", "std::fs"]), expected);
    }

    #[test]
    fn a_module_that_names_its_user() {
        let findings = |path: &str, text: &str| naming_upwards(&SourceFile::new(path, text)).len();
        assert_eq!(findings("src/log/mod.rs", "use crate::store::Overlay;"), 1);
        assert_eq!(findings("src/log/topic.rs", "use crate::{exec, log::Log, task::Task};"), 2);
        assert_eq!(findings("src/store/overlay.rs", "fn f(task: super::super::task::Task) {}"), 1);
        assert_eq!(findings("src/exec/mod.rs", "use super::runtime::App;"), 1);
        assert_eq!(findings("src/log/embedded/mod.rs", "use super::store::Segments;"), 0);
        assert_eq!(findings("src/runtime/mod.rs", "use crate::{exec, log, store, task};"), 0);
        assert_eq!(findings("src/lib.rs", "pub use crate::runtime::App;"), 0);
    }

    #[test]
    fn a_file_that_allows_unsafe_code() {
        let findings = |text: &str| allowing_unsafe(&SourceFile::new("src/log/a.rs", text)).len();
        assert_eq!(findings("#![allow(unsafe_code, reason = \"fast\")]\n// allow(unsafe_code)"), 1);
        assert_eq!(findings("#![forbid(unsafe_code)]"), 0);
    }

    #[test]
    fn a_graph_library_in_a_public_signature() {
        let findings = |text: &str| petgraph_in_public(&SourceFile::new("dsl/src/topology/graph.rs", text)).len();
        assert_eq!(findings("use petgraph::graph::DiGraph;\npub fn graph(&self,\n  x: u8) -> &DiGraph<u8, u8> {}"), 1);
        assert_eq!(findings("pub use petgraph::Direction;"), 1);
        assert_eq!(findings("use petgraph::graph::NodeIndex;\npub struct A {\n  pub at: NodeIndex,\n}"), 1);
        assert_eq!(findings("use petgraph::graph::NodeIndex;\npub struct A {\n  at: NodeIndex,\n}\npub fn b() {}"), 0);
        assert_eq!(findings("use petgraph::graph::NodeIndex;\npub(crate) fn a() -> NodeIndex {}"), 0);
    }

    #[test]
    fn files_outside_a_folder_but_not_inside_it() {
        assert!(in_src_outside("src/log/mod.rs", "src/runtime/"));
        assert!(!in_src_outside("src/runtime/app.rs", "src/runtime/"));
        assert!(!in_src_outside("src/runtime.rs", "src/runtime/"));
    }
}
