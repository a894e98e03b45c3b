//! What users and their machines do to a bank: each is a clear error or goes well, and nothing is lost or applied twice.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::chance::Chance;
use crate::inputs::Scene;
use crate::model::{Books, Operation};
use crate::process::{Ended, bank, fail, succeed, wait_until};

const FORMS: [&str; 2] = ["join", "event-sourced"];

/// The books of a bank that has read everything in the scene's file.
#[track_caller]
fn assert_complete(scene: &Scene, form: &str) {
    let ended = succeed(bank(&scene.data(), form).arg(scene.file()));
    Books::printed(&ended.stdout).assert_equal(&Books::of(&scene.operations, form), form);
}

#[test]
fn the_sample_gives_the_figures_that_come_with_it() {
    for form in FORMS {
        let scene = Scene::new();
        let books = Books::printed(&succeed(&mut bank(&scene.data(), form)).stdout);
        assert_eq!(books.counts(), (1_000, 115), "{form}");
        let named = ["alice", "heidi", "mallory"].map(|account| books.balance(account));
        assert_eq!(named, [Some(1_558), Some(28), Some(2_610)], "{form}");
    }
}

#[test]
fn a_second_run_applies_nothing_again_and_a_grown_file_goes_on() {
    for form in FORMS {
        let mut chance = Chance::new(2);
        let mut scene = Scene::with_operations(500, &mut chance);
        assert_complete(&scene, form);
        let again = succeed(bank(&scene.data(), form).arg(scene.file()));
        assert!(again.stderr.contains("0 new lines, 500 read before"), "{}", again.stderr);
        scene.grow(300, &mut chance);
        assert_complete(&scene, form);
    }
}

#[test]
fn both_forms_in_one_folder_keep_apart() {
    let scene = Scene::with_operations(200, &mut Chance::new(3));
    for form in [FORMS[0], FORMS[1], FORMS[0]] {
        assert_complete(&scene, form);
    }
}

#[test]
fn standard_input_is_new_each_time_and_another_file_too() {
    let scene = Scene::with_operations(200, &mut Chance::new(4));
    let other = scene.path().join("other.jsonl");
    fs::copy(scene.file(), &other).unwrap();
    assert_complete(&scene, "join");
    let from_stdin = || bank(&scene.data(), "join").arg("-").stdin(fs::File::open(scene.file()).unwrap()).output();
    from_stdin().unwrap();
    from_stdin().unwrap();
    let ended = succeed(bank(&scene.data(), "join").arg(other));
    let four_times: Vec<_> = scene.operations.iter().cycle().take(4 * scene.operations.len()).collect();
    Books::printed(&ended.stdout).assert_equal(&Books::of(four_times, "join"), "four times");
}

#[test]
fn a_broken_line_is_an_error_until_it_is_corrected() {
    for form in FORMS {
        let mut scene = Scene::with_operations(1, &mut Chance::new(5));
        let good = fs::read_to_string(scene.file()).unwrap();
        let last = Operation { account: "zoe".into(), amount: 9 };
        fs::write(scene.file(), format!("{good}{{\"account\":\"zoe\",\"amount\":\"9\"}}\n{}", last.line())).unwrap();
        let said =
            ["operations.jsonl, line 2", "invalid type", "nothing of this line was applied", "run the same command"];
        fail(bank(&scene.data(), form).arg(scene.file()), &said);
        // The lines before it are applied, and are all there is.
        let so_far = succeed(bank(&scene.data(), form).arg("/dev/null"));
        Books::printed(&so_far.stdout).assert_equal(&Books::of(&scene.operations, form), form);
        fs::write(scene.file(), format!("{good}{}{}", last.line(), last.line())).unwrap();
        scene.operations.extend([last.clone(), last]);
        assert_complete(&scene, form);
    }
}

#[test]
fn a_file_that_shrank_is_an_error_and_changes_nothing() {
    let scene = Scene::with_operations(300, &mut Chance::new(6));
    assert_complete(&scene, "join");
    let text = fs::read(scene.file()).unwrap();
    for left in [text.len() - 1, 10, 0] {
        fs::write(scene.file(), &text[..left]).unwrap();
        fail(bank(&scene.data(), "join").arg(scene.file()), &["operations.jsonl` shrank", "300 lines"]);
    }
    fs::write(scene.file(), &text).unwrap();
    assert_complete(&scene, "join");
}

#[test]
fn lines_that_changed_after_they_were_read_are_an_error() {
    let scene = Scene::with_operations(300, &mut Chance::new(7));
    assert_complete(&scene, "join");
    let text = fs::read_to_string(scene.file()).unwrap();
    fs::write(scene.file(), format!("{}8}}\n", &text[..text.len() - 3])).unwrap();
    let changed = fs::read_to_string(scene.file()).unwrap();
    assert_ne!((changed.len(), &changed), (text.len() + 1, &text));
    fail(bank(&scene.data(), "join").arg(scene.file()), &["the first 300 lines", "changed since they were read"]);
}

#[test]
fn another_beginning_at_the_same_path_is_a_new_file_and_the_old_one_is_still_known() {
    let mut scene = Scene::with_operations(100, &mut Chance::new(8));
    assert_complete(&scene, "event-sourced");
    let first = fs::read(scene.file()).unwrap();
    let other = Operation { account: "another".into(), amount: 77 };
    fs::write(scene.file(), other.line()).unwrap();
    let ended = succeed(bank(&scene.data(), "event-sourced").arg(scene.file()));
    assert!(ended.stderr.contains("1 new lines, 0 read before; another file lay at this path"), "{}", ended.stderr);
    fs::write(scene.file(), first).unwrap();
    scene.operations.push(other);
    assert_complete(&scene, "event-sourced");
}

#[test]
fn a_second_process_on_the_folder_is_refused() {
    let scene = Scene::with_operations(100, &mut Chance::new(9));
    let mut first = bank(&scene.data(), "join");
    let mut first = first.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // The folder is locked before it is marked.
    wait_until("the start of the first", || scene.data().join("tidemill-log").exists());
    fail(bank(&scene.data(), "event-sourced").arg(scene.file()), &["another process", "close it first"]);
    let mut stdin = first.stdin.take().unwrap();
    stdin.write_all(&fs::read(scene.file()).unwrap()).unwrap();
    drop(stdin);
    let ended = first.wait_with_output().unwrap();
    assert!(ended.status.success());
    let printed = Books::printed(std::str::from_utf8(&ended.stdout).unwrap());
    printed.assert_equal(&Books::of(&scene.operations, "join"), "join");
}

#[test]
fn folders_that_cannot_be_used_are_left_alone() {
    let scene = Scene::with_operations(10, &mut Chance::new(10));
    // Below a file nothing can be made, whoever asks.
    fail(bank(&scene.file().join("data"), "join").arg(scene.file()), &["operations.jsonl/data", "name another folder"]);
    fs::create_dir(scene.data()).unwrap();
    fs::write(scene.data().join("letter.txt"), "dear all").unwrap();
    fail(bank(&scene.data(), "join").arg(scene.file()), &["letter.txt", "name an empty or a new folder"]);
    let names: Vec<_> = fs::read_dir(scene.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["letter.txt"]);
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let scene = Scene::new();
    fail(bank(&scene.data(), "join").arg(scene.path().join("missing.jsonl")), &["missing.jsonl", "No such file"]);
    fail(bank(&scene.data(), "join").arg(scene.path()), &["is a folder"]);
}

#[test]
fn a_closed_pipe_ends_the_output_quietly() {
    let scene = Scene::with_operations(5_000, &mut Chance::new(11));
    let mut command = bank(&scene.data(), "event-sourced");
    let mut bank = command.arg(scene.file()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::with_capacity(64, bank.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("movement"), "{first}");
    let ended: Ended = bank.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("panicked") && !ended.stderr.contains("error"), "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn a_bank_that_is_told_to_end_commits_and_goes_on_later() {
    for (form, signal, code) in [("join", "-TERM", 143), ("event-sourced", "-INT", 130)] {
        let scene = Scene::with_operations(60_000, &mut Chance::new(12));
        let mut command = bank(&scene.data(), form);
        let bank = command.arg(scene.file()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let segment = scene.data().join(format!("{:020}.segment", 0));
        wait_until("the first batch", || fs::metadata(&segment).is_ok_and(|meta| meta.len() > 100_000));
        let kill = std::process::Command::new("kill").args([signal, &bank.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let ended: Ended = bank.wait_with_output().unwrap().into();
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains("the same command goes on from here"), "{}", ended.stderr);
        assert_complete(&scene, form);
    }
}
