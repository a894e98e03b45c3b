//! The help teaches, and a wrong command line is told from an error.

use crate::scene::{Scene, tidemill};

const COMMANDS: [&str; 9] = ["topics", "describe", "offsets", "lag", "dump", "create", "delete", "export", "import"];

#[test]
fn every_command_is_named_with_examples_and_exit_codes() {
    let all = tidemill(&["--help"]);
    assert_eq!(all.code, Some(0));
    for text in ["Exit codes", "  3  another process", "tidemill log topics ./bank-data", "completions"] {
        assert!(all.stdout.contains(text), "{}", all.stdout);
    }
    let log = tidemill(&["log", "--help"]);
    for command in COMMANDS {
        assert!(log.stdout.contains(&format!("\n  {command} ")), "{}", log.stdout);
        let help = tidemill(&["log", command, "--help"]);
        assert_eq!(help.code, Some(0), "{command}");
        let shown = format!("tidemill log {command} ");
        assert!(log.stdout.contains(&shown) || help.stdout.contains(&shown), "{command} has no example");
    }
    for command in ["reset", "plan", "describe", "repartition", "backup", "restore"] {
        let help = tidemill(&[command, "--help"]);
        assert_eq!(help.code, Some(0), "{command}");
        assert!(help.stdout.contains(&format!("\n  tidemill {command} ")), "{command} has no example");
        assert!(all.stdout.contains(&format!("\n  {command} ")), "{}", all.stdout);
    }
}

#[test]
fn no_line_of_an_example_is_broken() {
    let begins = |line: &&str| line.trim_start().starts_with("tidemill ");
    for command in [&["--help"][..], &["reset", "--help"], &["backup", "--help"], &["log", "dump", "--help"]] {
        let help = tidemill(command).stdout;
        let examples = help.split_once("Examples:\n").expect("it has examples").1;
        let lines: Vec<&str> = examples.lines().take_while(|line| !line.is_empty()).collect();
        assert!(lines.len() > 1 && lines.iter().all(begins), "{lines:#?}");
    }
}

#[test]
fn a_wrong_command_line_has_an_exit_code_of_its_own() {
    let wrong: [&[&str]; 5] = [
        &[],
        &["log", "tpoics", "."],
        &["log", "dump", ".", "orders", "--key", "utf7"],
        &["log", "dump", ".", "orders", "--since", "soon"],
        &["log", "create", ".", "orders", "--partitions", "0"],
    ];
    for arguments in wrong {
        let ended = tidemill(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn shells_get_a_script_that_completes_words() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = tidemill(&["completions", shell]);
        assert_eq!(script.code, Some(0));
        assert!(script.stdout.contains("tidemill") && script.stdout.contains("describe"), "{shell}");
    }
}

#[test]
fn a_folder_without_a_log_is_refused_and_left_alone() {
    let scene = Scene::new();
    let empty = scene.file("empty");
    std::fs::create_dir(&empty).unwrap();
    for command in COMMANDS {
        let more: &[&str] = match command {
            "topics" | "lag" => &[],
            "import" => &[empty.to_str().unwrap()],
            _ => &["orders"],
        };
        let ended = tidemill(&[&["log", command, empty.to_str().unwrap()], more].concat());
        assert_eq!(ended.code, Some(1), "{command}: {}", ended.stderr);
    }
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0);
}
