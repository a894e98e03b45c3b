//! Settings from the program, files and the environment: which one holds, what is refused, and what the book says of them.

use std::fs;
use std::time::Duration;

use tidemill::processor::{ErrorHandler, ErrorSettings};
use tidemill::{App, AppBuilder, ErrorKind, SettingInUse, SettingOrigin, SettingSources, Settings, Topic};

use crate::support::sums;

fn builder(sources: SettingSources) -> AppBuilder {
    App::builder("app", sums()).memory().settings_from(sources)
}

fn refusal(sources: SettingSources) -> String {
    let error = builder(sources).settings_in_use().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

#[tokio::test]
async fn the_environment_goes_before_a_file_a_file_before_the_program_and_the_program_before_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.toml");
    fs::write(&file, "# of the shop\nstandbys = 2\ncommit_interval = \"20ms\"\n\n[tasks]\ncache_bytes = \"1MiB\"\n")
        .unwrap();
    let sources = SettingSources::new().file(&file).variables([
        ("TIDEMILL_COMMIT_INTERVAL", "30ms"),
        ("TIDEMILL_TASKS_ERRORS_PROCESSING", "dead_letter:failed"),
        ("HOME", "of somebody"),
    ]);
    let settings =
        Settings { commit_interval: Duration::from_secs(9), standbys: 9, flush_rows: 77, ..Settings::default() };
    let app = builder(sources).settings(settings).threads(3).start().await.unwrap();

    let in_use = |name: &str| {
        let setting = app.settings().get(name).unwrap();
        (setting.value.clone(), setting.default.clone().unwrap(), setting.origin.to_string())
    };
    let row = |value: &str, default: &str, origin: &str| (value.to_owned(), default.to_owned(), origin.to_owned());
    assert_eq!(in_use("commit_interval"), row("30ms", "100ms", "TIDEMILL_COMMIT_INTERVAL"));
    assert_eq!(in_use("standbys"), row("2", "0", &format!("{}:2", file.display())));
    assert_eq!(in_use("tasks.cache_bytes"), row("1MiB", "0", &format!("{}:6", file.display())));
    assert_eq!(
        in_use("tasks.errors.processing"),
        row("dead_letter:failed", "fail", "TIDEMILL_TASKS_ERRORS_PROCESSING")
    );
    assert_eq!(in_use("threads"), row("3", "1", "program"));
    assert_eq!(in_use("flush_rows"), row("77", "200000", "program"));
    assert_eq!(in_use("clean_interval"), row("15s", "15s", "default"));
    // They are used, not shown alone: the topic of dead letters was made.
    assert!(app.subscribe(&Topic::<String, i64>::of("failed")).is_ok());
    app.close().await.unwrap();
}

#[test]
fn all_are_shown_with_value_default_origin_and_effect() {
    let errors = ErrorSettings { processing: ErrorHandler::decide(|_| unreachable!()), ..ErrorSettings::default() };
    let sources = SettingSources::new().variables([("TIDEMILL_MEMORY_BYTES", "64MiB")]);
    let settings = builder(sources).errors(errors).settings_in_use().unwrap();
    let shown = settings.to_string();
    let lines: Vec<Vec<&str>> =
        shown.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(lines[0], ["setting", "value", "default", "from", "what it does"]);
    let line = |name: &str| lines.iter().find(|line| line[0] == name).unwrap()[1..4].to_vec();
    assert_eq!(line("memory_bytes"), ["64MiB", "256MiB", "TIDEMILL_MEMORY_BYTES"]);
    assert_eq!(line("log.durability"), ["50ms", "50ms", "default"]);
    assert_eq!(line("tasks.errors.processing"), ["a function of the program", "fail", "program"]);
    assert!(lines.iter().all(|line| line.len() == 5), "{shown}");
    assert_eq!(settings.get("memory_bytes").unwrap().unit, "bytes");
    assert!(settings.get("comit").is_none());
}

#[test]
fn unknown_names_are_refused_with_the_nearest_known_one_and_all_faults_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.toml");
    fs::write(&file, "comit_intervall = \"5ms\"\nthreads = \"many\"\n[task]\ncache_bytes = 5\n").unwrap();
    let variables = [("TIDEMILL_STANDBY", "1"), ("TIDEMILL_CLEAN_INTERVAL", "15")];
    let fault = refusal(SettingSources::new().file(&file).variables(variables));
    let file = file.display();
    for part in [
        format!("`comit_intervall` ({file}:1) is not known: did you mean `commit_interval`?"),
        format!("`task.cache_bytes` ({file}:4) is not known: did you mean `tasks.cache_bytes`?"),
        format!("`threads` ({file}:2): `many` is not a number"),
        "`TIDEMILL_STANDBY` (environment) is not known: did you mean `TIDEMILL_STANDBYS`?".to_owned(),
        "`clean_interval` (TIDEMILL_CLEAN_INTERVAL): `15` has no unit: write `15ms`, `15s`".to_owned(),
    ] {
        assert!(fault.contains(&part), "{part} is not in {fault}");
    }
}

#[test]
fn kafka_streams_names_say_what_they_are_called_here() {
    let file = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.toml");
        fs::write(&file, text).unwrap();
        refusal(SettingSources::new().file(&file))
    };
    for (text, part) in [
        ("commit.interval.ms = 100", "here it is `commit_interval`, with the value `100ms`"),
        ("\"num.stream.threads\" = 4", "here it is `threads`"),
        ("application.id = \"shop\"", "it is the first argument of `App::builder`"),
        ("state.dir = \"/tmp\"", "`AppBuilder::state_folder`"),
    ] {
        let fault = file(text);
        assert!(fault.contains("is Kafka Streams' name") && fault.contains(part), "{fault}");
    }
    let fault = refusal(SettingSources::new().variables([("TIDEMILL_NUM_STANDBY_REPLICAS", "1")]));
    assert!(fault.contains("here it is `TIDEMILL_STANDBYS`"), "{fault}");
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_its_text_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.toml");
    assert!(refusal(SettingSources::new().file(&missing)).contains("missing.toml"));
    let broken = folder.path().join("broken.toml");
    for text in ["threads = 2\npassword = canary-4711 oh\n", "a = [\"canary-4711\"]", "threads = \"canary-4711"] {
        fs::write(&broken, text).unwrap();
        let fault = refusal(SettingSources::new().file(&broken));
        assert!(fault.contains("broken.toml") && !fault.contains("canary"), "{fault}");
    }
}

#[test]
fn names_and_not_values_of_variables_are_in_debug() {
    let sources = SettingSources::new().file("app.toml").variables([("TIDEMILL_KAFKA_SASL_PASSWORD", "canary-4711")]);
    assert_eq!(format!("{sources:?}"), "[\"app.toml\", \"TIDEMILL_KAFKA_SASL_PASSWORD\"]");
    assert!(!format!("{:?}", builder(sources).settings_in_use()).contains("canary"));
}

#[cfg(not(feature = "kafka"))]
#[test]
fn settings_for_kafka_need_the_feature() {
    for name in ["TIDEMILL_KAFKA_BROKERS", "TIDEMILL_KAFKA_CLIENT_LINGER_MS"] {
        let fault = refusal(SettingSources::new().variables([(name, "x")]));
        assert!(fault.contains(name) && fault.contains("feature `kafka`"), "{fault}");
    }
}

/// A row of the book's table.
fn book_row(setting: &SettingInUse) -> String {
    let code = |text: &str| format!("`{text}`");
    let default = setting.default.as_deref().map_or_else(|| "-".into(), code);
    let kafka = setting.kafka_names.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ");
    let (name, unit, effect) = (&setting.name, &setting.unit, setting.effect);
    format!("| `{name}` | {unit} | {default} | {effect} | {kafka} |")
}

#[test]
fn the_book_has_a_row_for_each_setting_and_no_other() {
    let page = include_str!("../../docs/guide/settings.md");
    let table = page.split("<!-- settings -->").nth(1).expect("the page has the table between two marks");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let settings = builder(SettingSources::new()).settings_in_use().unwrap();
    let wanted: Vec<String> = settings.iter().map(book_row).collect();
    assert_eq!(rows, wanted, "\n{}\n", wanted.join("\n"));
    assert!(settings.iter().all(|setting| setting.origin == SettingOrigin::Default));
}
