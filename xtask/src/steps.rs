//! The steps of each task, in their order.

use std::path::Path;

use crate::arguments::Options;
use crate::release::PUBLISHED;
use crate::step::{Step, root};
use crate::tools::Tool;

/// Test programs that are too slow without optimisation: they replay or crash whole applications. They run on the default features.
const OPTIMISED: [&str; 2] = ["crash", "golden"];
/// The test program that needs a C compiler, and a broker.
const OF_KAFKA: &str = "kafka";
/// All that needs no C compiler, built once for every test: with other features, each of them would be another build.
const ALL: &str = "--workspace --features tidemill/cli,tidemill/http,tidemill/avro-registry";
/// The same with Kafka, for the packages that know of it.
const ALL_ON_KAFKA: &str = "--release -p tidemill -p tidemill-fuzz-targets -p tidemill-benches \
                            --features tidemill/cli,tidemill/http,tidemill/avro-registry,tidemill-fuzz-targets/kafka,tidemill-benches/kafka";
/// All packages but the one that turns features of tidemill on.
const PLAIN: &str = "--workspace --exclude tidemill-fuzz-targets";
/// Faults are planted in a build of its own, which leaves the usual one as it is.
const MUTANTS: &str = "test -p tidemill --test explorer --profile mutants mutants -- --nocapture";
/// The folders of the packages whose tests run.
const PACKAGES: [&str; 7] = [".", "dsl", "dsl/derive", "avro", "testkit", "xtask", "fuzz/targets"];
/// What `--long` asks for: cases of each property (256 is what proptest takes by itself), kills of each program that is killed
/// (12), records through a compacted topic (a million), mutations for each decoder (20,000), and all golden recordings for the
/// explorer (21 of them).
const LONG: [(&str, &str); 5] = [
    ("EXPLORE", "all"),
    ("PROPTEST_CASES", "4096"),
    ("TIDEMILL_CRASH_ROUNDS", "60"),
    ("TIDEMILL_SOAK_RECORDS", "10000000"),
    ("TIDEMILL_FUZZ_ROUNDS", "1000000"),
];

pub(crate) fn of_lint() -> Vec<Step> {
    vec![
        Step::check("format", "fmt --all --check").needing(Tool::Rustfmt),
        Step::check("clippy", &format!("clippy {PLAIN} --all-targets -- -D warnings")).needing(Tool::Clippy),
        Step::check("clippy-features", &format!("clippy {ALL} --all-targets -- -D warnings")).needing(Tool::Clippy),
        // Always this one package, in one profile: with the tests of tidemill-derive, which run where the compiler runs, RocksDB
        // would be built a second time, and that is a quarter of an hour of C++.
        Step::check("clippy-rocksdb", "clippy --release -p tidemill --features rocksdb --all-targets -- -D warnings")
            .needing(Tool::Clippy)
            .needing(Tool::Libclang),
        Step::check("clippy-kafka", &format!("clippy {ALL_ON_KAFKA} --all-targets -- -D warnings"))
            .needing(Tool::Clippy)
            .needing(Tool::Compiler),
        Step::check("docs", &format!("doc {PLAIN} --no-deps")).with_env("RUSTDOCFLAGS", "-D warnings"),
        // Advisories are left to the workflow: their database has to be fetched, the rest works without a network.
        Step::check("deny", "deny check licenses bans sources").needing(Tool::Deny),
        // That each package has what it is published with; `release-check` builds them too.
        Step::check("package", &format!("package --no-verify --allow-dirty {PUBLISHED}")),
    ]
}

pub(crate) fn of_test(options: &Options) -> Vec<Step> {
    let all = test_programs(&root()).into_iter().filter(|name| name != OF_KAFKA);
    let (optimised, plain): (Vec<_>, Vec<_>) = all.partition(|name| OPTIMISED.contains(&name.as_str()));
    let chosen = |names: &[String]| names.iter().map(|name| format!(" --test {name}")).collect::<String>();
    let tests = format!("test {ALL} --no-fail-fast --lib --bins --examples{}", chosen(&plain));
    let mut steps = vec![
        // Before the tests, because some of them start examples as processes of their own.
        Step::new("examples", &format!("build {ALL} --examples")),
        Step::new("tests", &tests).needing(Tool::Curl).needing(Tool::Chromium),
    ];
    if !optimised.is_empty() {
        steps.push(Step::new("examples-release", &format!("build --release {PLAIN} --examples")));
        steps.push(Step::new("release", &format!("test --release --no-fail-fast{}", chosen(&optimised))));
    }
    let rocksdb = [
        ("rocksdb", "test --release --no-fail-fast -p tidemill --features rocksdb --test store rocksdb"),
        ("rocksdb-docs", "test --release --no-fail-fast -p tidemill --features rocksdb --doc RocksDb"),
    ];
    steps.extend(rocksdb.map(|(name, arguments)| Step::new(name, arguments).needing(Tool::Libclang)));
    let kafka = [
        Step::new(
            "kafka-lib",
            &format!(
                "test {ALL_ON_KAFKA} --no-fail-fast --lib --bin tidemill-bench --test corpus -- log::kafka decoders every_target \
                 judge"
            ),
        ),
        Step::new("kafka", &format!("test {ALL_ON_KAFKA} --no-fail-fast --test {OF_KAFKA} --test broker"))
            .needing(Tool::Java)
            .needing(Tool::Maven)
            .on_kafka(),
    ];
    steps.extend(kafka.map(|step| step.needing(Tool::Compiler)));
    steps.push(Step::new("doctests", &format!("test {ALL} --no-fail-fast --doc")));
    steps.push(Step::new("mutants", MUTANTS).with_env("RUSTFLAGS", "--cfg tidemill_mutants"));
    if !options.long {
        return steps;
    }
    let lengthen = |step: Step| LONG.into_iter().fold(step, |step, (name, value)| step.with_env(name, value));
    steps.into_iter().map(lengthen).collect()
}

/// The names of the test programs of all packages: `tests/a.rs` and `tests/b/main.rs` are `a` and `b`.
fn test_programs(root: &Path) -> Vec<String> {
    let folders = PACKAGES.iter().map(|package| root.join(package).join("tests"));
    let entries = folders.filter_map(|folder| folder.read_dir().ok()).flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries.filter_map(|entry| program(&entry.path())).collect();
    names.sort();
    names.dedup();
    names
}

fn program(path: &Path) -> Option<String> {
    let is_program = path.extension().is_some_and(|end| end == "rs") || path.join("main.rs").exists();
    is_program.then(|| path.file_stem().map(|name| name.to_string_lossy().into_owned())).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_program_runs_in_one_step() {
        let programs = test_programs(&root());
        assert!(programs.contains(&"tidy".to_string()), "{programs:?}");
        let steps = of_test(&Options::default());
        for name in programs {
            // Some run once more on what needs a C compiler, one with faults that are planted.
            let again = ["rocksdb", "kafka-lib", "mutants"];
            let runs = steps.iter().filter(|step| {
                !again.contains(&step.name) && step.arguments.windows(2).any(|pair| pair == ["--test", &name])
            });
            let runs = runs.count();
            assert_eq!(runs, 1, "`{name}` must run once");
        }
    }

    #[test]
    fn long_runs_try_more_cases() {
        let long = Options { long: true, ..Options::default() };
        assert!(of_test(&long).iter().all(|step| step.environment.iter().any(|(name, _)| *name == "PROPTEST_CASES")));
        let usual = of_test(&Options::default());
        assert!(usual.iter().all(|step| step.name == "mutants" || step.environment.is_empty()));
    }

    #[test]
    fn faults_are_planted_in_one_step_and_in_no_other() {
        let steps = of_test(&Options::default());
        let planted = steps.iter().filter(|step| {
            step.environment.contains(&("RUSTFLAGS", "--cfg tidemill_mutants".to_owned()))
                && step.arguments.windows(2).any(|pair| pair == ["--profile", "mutants"])
        });
        assert_eq!(planted.map(|step| step.name).collect::<Vec<_>>(), ["mutants"]);
    }
}
