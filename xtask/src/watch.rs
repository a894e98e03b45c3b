//! Shows what a process prints, and ends it when its tests are stuck.
//!
//! Rule: a compiler may be silent for as long as it likes, a test that runs may not: whoever waits for it would wait for ever.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long tests may print nothing.
pub(crate) const SILENCE: Duration = Duration::from_secs(600);

/// Hands over each line that a child prints until it has ended; an error when its tests print nothing for `silence`.
pub(crate) fn follow(child: &mut Child, silence: Duration, mut line: impl FnMut(&str)) -> Result<(), String> {
    let output = child.stdout.take().expect("standard output is piped");
    let lines = read(output);
    let mut tests_run = false;
    loop {
        let next = if tests_run { lines.recv_timeout(silence) } else { lines.recv().map_err(RecvTimeoutError::from) };
        match next {
            // Bytes, not text: a test may print anything, and a step must not fail for that.
            Ok(Ok(bytes)) => {
                let text = String::from_utf8_lossy(&bytes);
                // Cargo's own words about what it builds are not among these lines: they go to standard error.
                tests_run = (tests_run || is_begin(&text)) && !text.starts_with("test result: ");
                line(&text);
            }
            Ok(Err(error)) => return Err(format!("cannot read what cargo prints: {error}")),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                end_with_all_it_started(child);
                return Err(format!(
                    "a test is stuck: nothing was printed for {} s, so all of it was ended; see above which tests began and \
                     did not end",
                    silence.as_secs()
                ));
            }
        }
    }
}

/// Whether tests run after this line, such as `running 12 tests`.
fn is_begin(line: &str) -> bool {
    line.strip_prefix("running ").is_some_and(|rest| rest.ends_with(" tests") || rest.ends_with(" test"))
}

/// Reads lines on a thread of their own, which ends with the output.
fn read(output: impl Read + Send + 'static) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let all = BufReader::new(output).split(b'\n');
        all.take_while(|line| line.is_ok()).all(|line| sender.send(line).is_ok())
    });
    lines
}

/// Ends a process and those that it started: cargo does not take its tests along.
fn end_with_all_it_started(child: &mut Child) {
    let listed = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).stderr(Stdio::null()).output();
    let table = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let started = descendants(&table, child.id());
    // It first, so that it does not go on when what it waits for ends. Whoever has ended already is not there to be killed.
    drop(child.kill());
    for number in started {
        let ended = Command::new("sh").args(["-c", "kill -KILL \"$0\""]).arg(number.to_string()).status();
        if let Err(error) = ended {
            println!("cannot end process {number}: {error}; end it by hand");
        }
    }
    drop(child.wait());
}

/// The processes below `root` in lines of `number parent`.
fn descendants(table: &str, root: u32) -> BTreeSet<u32> {
    let number = |word: Option<&str>| word.and_then(|word| word.parse::<u32>().ok());
    let pair = |line: &str| {
        let mut words = line.split_whitespace();
        Some((number(words.next())?, number(words.next())?))
    };
    let all: Vec<(u32, u32)> = table.lines().filter_map(pair).collect();
    let (mut found, mut parents) = (BTreeSet::new(), vec![root]);
    while let Some(parent) = parents.pop() {
        let children = all.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child);
        parents.extend(children.filter(|child| found.insert(*child)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn all_lines_are_handed_over() {
        let (mut child, mut lines) = (shell("echo running 2 tests; echo 'test result: ok.'; printf end"), Vec::new());
        follow(&mut child, SILENCE, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["running 2 tests", "test result: ok.", "end"]);
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn a_stuck_test_is_ended_with_what_it_started() {
        // Both wait for a line that nobody writes; the inner one holds the output open.
        let mut child = shell("echo running 1 test; sh -c 'read line; read line'; echo never");
        let _held = child.stdin.take();
        let mut lines = Vec::new();
        let stuck = follow(&mut child, Duration::from_millis(50), |line| lines.push(line.to_owned())).unwrap_err();
        assert!(stuck.contains("stuck") && lines == ["running 1 test"], "{stuck} {lines:?}");
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_compiler_may_be_silent() {
        let mut child = shell("echo compiling; sleep 0.3; echo done");
        follow(&mut child, Duration::from_millis(50), |_| ()).unwrap();
        assert!(is_begin("running 1 test") && !is_begin("running late"));
    }

    #[test]
    fn descendants_are_all_that_are_below() {
        let table = " 1 0\n 20 1\n 30 20\n 31 20\n 40 31\n 50 1\n";
        assert_eq!(descendants(table, 20), [30, 31, 40].into());
        assert_eq!(descendants("", 20), BTreeSet::new());
    }
}
