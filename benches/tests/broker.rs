//! The judge of `tidemill-bench` on the broker that `KAFKA_BROKERS` names: what it measures was right, and what is wrong is found.

use std::process::{Command, Output};

const BENCH: &str = env!("CARGO_BIN_EXE_tidemill-bench");

fn bench(flags: &str) -> Output {
    let brokers =
        std::env::var("KAFKA_BROKERS").expect("`KAFKA_BROKERS` names a broker: `cargo xtask test` starts one");
    let mut command = Command::new(BENCH);
    command.args(["--driver", "broker", "--bootstrap", &brokers, "--records", "2000", "--keys", "100"]);
    command.args(flags.split_whitespace()).output().expect("the benchmark can be run")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn line(flags: &str) -> serde_json::Value {
    let output = bench(flags);
    assert!(output.status.success(), "{flags}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it prints a line of JSON")
}

#[test]
fn every_input_is_seen_in_what_is_put_out() {
    for guarantee in ["at_least_once", "exactly_once_v2"] {
        let line = line(&format!("--workload count --guarantee {guarantee}"));
        assert_eq!((&line["goal"], &line["reached"]), (&"last:2000".into(), &2000.into()), "{line}");
        assert_eq!((&line["records"], &line["guarantee"]), (&2000.into(), &guarantee.into()), "{line}");
    }
}

#[test]
fn a_restore_says_how_much_it_read() {
    let line = line("--workload restore");
    assert_eq!(line["restored"], 100, "{line}");
    assert!(line["restore_s"].as_f64().is_some_and(|seconds| seconds > 0.0), "{line}");
}

#[test]
fn two_engines_are_measured_in_turn_and_told_in_a_table() {
    let lines = tempfile::NamedTempFile::new().unwrap();
    let output = bench(&format!(
        "--workload passthrough --rounds 2 --against {BENCH} --against-name other --out {}",
        lines.path().display()
    ));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("| | tidemill | other | ratio |"), "{}", text(&output.stdout));
    let names: Vec<String> = std::fs::read_to_string(lines.path())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["engine"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["tidemill", "other", "other", "tidemill"]);
}

#[test]
fn an_engine_that_ends_before_it_works_is_an_error() {
    let output = bench("--workload count --engine false");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("the engine ended before it said `STATE RUNNING`"),
        "{}",
        text(&output.stderr)
    );
}
