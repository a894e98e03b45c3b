//! The replay can fail: files that tell one lie each are refused, and say which.

use std::collections::BTreeMap;

use crate::report::Outcome;
use crate::scenarios::{self, Scenario};

/// A file, what is changed in it, and what the failure has to say.
struct Lie {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    says: &'static str,
}

const CONCAT: &str = "aggregate_concat.handwritten-1.json";
const HEADERS: &str = "headers_through_operators.handwritten-1.json";
const UNREADABLE: &str = "deserialization_fail.handwritten-1.json";
const THROWING: &str = "processing_error_default.handwritten-1.json";
const SKIPPING: &str = "negative_timestamp_skip.handwritten-1.json";

const LIES: &[Lie] = &[
    lie(
        CONCAT,
        r#""value":"[]a1","ts":10"#,
        r#""value":"[]a2","ts":10"#,
        "step 1 (`in`: \"a\" = \"1\" at 10): topic `out`",
    ),
    lie(CONCAT, r#""value":"[]a1a2","ts":10"#, r#""value":"[]a1a2","ts":5"#, "step 2 "),
    lie(CONCAT, r#""key":"b","value":"[]b3""#, r#""key":"c","value":"[]b3""#, "step 3 "),
    // A record that does not come, and one that nobody expects.
    lie(
        CONCAT,
        r#"null,"ts":20},"out":[]"#,
        r#"null,"ts":20},"out":[{"topic":"out","key":"a","value":null,"ts":20}]"#,
        "step 4 ",
    ),
    lie(CONCAT, r#""out":[{"topic":"out","key":"a","value":"[]a1","ts":10}]"#, r#""out":[]"#, "step 1 "),
    lie(HEADERS, r#""ts":4,"headers":[["h","1"]]},{"#, r#""ts":4,"headers":[["h","2"]]},{"#, "topic `sums`"),
    lie(HEADERS, r#"[["h","2"],["h","3"]]},{"#, r#"[["h","3"],["h","2"]]},{"#, "topic `sums`"),
    lie(
        HEADERS,
        r#""key":"all","value":2,"ts":5}"#,
        r#""key":"all","value":2,"ts":5,"headers":[["h","1"]]}"#,
        "topic `rekeyed`",
    ),
    lie(
        CONCAT,
        r#"{"key":"b","value":"[]b3","ts":6}]"#,
        r#"{"key":"b","value":"[]b3","ts":7}]"#,
        "the rows of store `agg`",
    ),
    lie(CONCAT, r#","ts":10},{"key":"b","value":"[]b3","ts":6}]"#, r#","ts":10}]"#, "the rows of store `agg`"),
    lie(CONCAT, r#""agg":["#, r#""other":["#, "the stores"),
    lie(CONCAT, r#""golden-agg-changelog":4"#, r#""golden-agg-changelog":5"#, "internal topics"),
    lie(CONCAT, r#""golden-agg-changelog":4"#, r#""golden-agg-changelog":4,"golden-x-changelog":1"#, "internal topics"),
    lie(CONCAT, "(topic: out)", "(topic: in)", "describe()"),
    lie(CONCAT, r#""statestore.cache.max.bytes":"0""#, r#""statestore.cache.max.bytes":"1""#, "the settings"),
    lie(SKIPPING, "LogAndSkipOnInvalidTimestamp", "FailOnInvalidTimestamp", "the settings"),
    // Failures: one that does not come, one that nobody expects, one in another node, one for another reason.
    lie(CONCAT, r#"null,"ts":20},"out":[]"#, r#"null,"ts":20},"out":[],"error":{"class":"x"}"#, "step 4 "),
    lie(
        UNREADABLE,
        r#","error":{"#,
        r#"},{"pipe":{"topic":"in","key":"a","value":1,"ts":11},"out":[],"error":{"#,
        "step 2 ",
    ),
    lie(UNREADABLE, "Deserialization exception handler is", "Unable to serialize record", "failed otherwise"),
    lie(THROWING, "processor=KSTREAM-MAPVALUES-0000000002", "processor=KSTREAM-SINK-0000000001", "failed otherwise"),
    lie(THROWING, r#""rootMessage":"boom""#, r#""rootMessage":"bang""#, "failed otherwise"),
    // Files that are not what they say.
    lie(CONCAT, r#""case":"handwritten-1""#, r#""case":"handwritten-2""#, "holds case"),
    lie(CONCAT, r#""stores":{"#, r#""shops":{},"stores":{"#, "unknown field"),
    lie(CONCAT, r#""steps":["#, r#""startError":{"class":"x"},"steps":["#, "cannot be started"),
];

const fn lie(file: &'static str, from: &'static str, to: &'static str, says: &'static str) -> Lie {
    Lie { file, from, to, says }
}

/// Every lie is found.
pub(crate) fn every_doctored_file_fails() {
    let scenarios = scenarios::all();
    for Lie { file, from, to, says } in LIES {
        let truth = original(file);
        assert!(matches!(Outcome::of_text(file, &truth, &scenarios), Outcome::Passed), "`{file}` passes as it is");
        let doctored = truth.replacen(from, to, 1);
        assert_ne!(doctored, truth, "`{from}` stands in `{file}`");
        match Outcome::of_text(file, &doctored, &scenarios) {
            Outcome::Failed(error) => assert!(error.contains(says), "`{file}` with `{to}`: {error}"),
            _ => panic!("`{file}` with `{to}` in place of `{from}` has to fail"),
        }
    }
    a_scenario_without_a_topology_is_missing(&scenarios);
    println!("test every_doctored_file_fails ... ok");
}

fn a_scenario_without_a_topology_is_missing(scenarios: &BTreeMap<&str, Scenario>) {
    let unknown = original(CONCAT).replacen(r#""scenario":"aggregate_concat""#, r#""scenario":"nobody_has_it""#, 1);
    let outcome = Outcome::of_text("nobody_has_it.handwritten-1.json", &unknown, scenarios);
    assert!(matches!(outcome, Outcome::Missing(name) if name == "nobody_has_it"), "no topology, and not missing");
}

fn original(file: &str) -> String {
    std::fs::read_to_string(crate::own_vectors().join(file)).expect("the file comes with the repository")
}
