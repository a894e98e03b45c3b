//! The steps before a release: what users get, on the systems and with the compilers that they may have.
//!
//! Rule: each step looks at packages as somebody else's build would see them: one feature at a time, the oldest Rust that is
//! promised, other systems, and nothing but what is published.

use crate::step::Step;
use crate::tools::Tool;

/// The packages that are published, by what the others are.
pub(crate) const PUBLISHED: &str =
    "--workspace --exclude tidemill-benches --exclude xtask --exclude tidemill-fuzz-targets";
/// As `rust-version` in Cargo.toml says.
pub(crate) const OLDEST_RUST: &str = "1.90";
/// Every feature of every published package: the step, the package, the feature, and what it needs.
const FEATURES: [(&str, &str, &str, &[Tool]); 14] = [
    ("feature-avro", "tidemill", "avro", &[]),
    ("feature-avro-registry", "tidemill", "avro-registry", &[]),
    ("feature-avro-registry-tls", "tidemill", "avro-registry-tls", &[Tool::Compiler]),
    ("feature-calendar", "tidemill", "calendar", &[]),
    ("feature-cli", "tidemill", "cli", &[]),
    ("feature-fuzzing", "tidemill", "fuzzing", &[]),
    ("feature-http", "tidemill", "http", &[]),
    ("feature-kafka", "tidemill", "kafka", &[Tool::Compiler]),
    ("feature-kafka-tls", "tidemill", "kafka-tls", &[Tool::Compiler, Tool::OpenSsl]),
    ("feature-rocksdb", "tidemill", "rocksdb", &[Tool::Compiler, Tool::Libclang]),
    ("feature-dsl-calendar", "tidemill-dsl", "calendar", &[]),
    ("feature-dsl-fuzzing", "tidemill-dsl", "fuzzing", &[]),
    ("feature-avro-client", "tidemill-avro", "client", &[]),
    ("feature-avro-client-tls", "tidemill-avro", "client-tls", &[Tool::Compiler]),
];

pub(crate) fn of_release_check() -> Vec<Step> {
    // Libraries and programs alone, without what tests turn on.
    let check = "check --locked --lib --bins";
    let mut steps = vec![
        Step::check("oldest-rust", check).on_toolchain(OLDEST_RUST).needing(Tool::OldestRust),
        Step::check("windows", &format!("{check} --features cli --target x86_64-pc-windows-gnu"))
            .needing(Tool::WindowsTarget),
        Step::check("macos", &format!("{check} --features cli --target aarch64-apple-darwin")).needing(Tool::MacTarget),
        // Each package is built as it would be downloaded.
        Step::check("publish", &format!("publish --dry-run {PUBLISHED}")),
    ];
    steps.extend(FEATURES.iter().map(|(name, package, feature, tools)| {
        // RocksDB is built for the tests already, in this profile.
        let profile = if *feature == "rocksdb" { " --release" } else { "" };
        let step = Step::check(name, &format!("{check}{profile} -p {package} --features {feature}"));
        tools.iter().fold(step, |step, tool| step.needing(*tool))
    }));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::root;

    fn manifest(folder: &str) -> String {
        std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap()
    }

    #[test]
    fn the_oldest_rust_is_the_one_that_is_promised() {
        assert!(manifest(".").contains(&format!("rust-version = \"{OLDEST_RUST}\"")));
        let workflow = std::fs::read_to_string(root().join(".github/workflows/ci.yml")).unwrap();
        assert!(workflow.contains(&format!("cargo +{OLDEST_RUST} check")));
    }

    #[test]
    fn every_feature_is_built_alone() {
        for (folder, package) in
            [(".", "tidemill"), ("dsl", "tidemill-dsl"), ("avro", "tidemill-avro"), ("testkit", "tidemill-testkit")]
        {
            let text = manifest(folder);
            let features = text.split_once("[features]").map_or("", |(_, rest)| rest.split("\n[").next().unwrap_or(""));
            let lines = features.lines().filter(|line| !line.starts_with('#'));
            for feature in lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name) {
                let listed = FEATURES.iter().any(|(_, of, name, _)| *of == package && *name == feature);
                assert!(listed, "feature `{feature}` of {package} is not in the list");
            }
        }
    }
}
