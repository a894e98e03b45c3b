//! The log takes only a folder that is its own, and leaves every other as it is.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tidemill::log::{EmbeddedLog, Log, LogErrorKind, LogSettings, TopicSpec};

fn open(folder: &Path) -> Result<EmbeddedLog, (LogErrorKind, String)> {
    EmbeddedLog::open(folder, LogSettings::default()).map_err(|error| (error.kind(), error.to_string()))
}

fn refused(folder: &Path, kind: LogErrorKind, words: &[&str]) {
    let before = names(folder);
    let (found, message) = open(folder).expect_err("the folder is refused");
    assert_eq!(found, kind, "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
    assert_eq!(names(folder), before, "nothing is created or removed");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn somebody_elses_folder_is_left_alone() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("thesis.txt"), "precious").unwrap();
    refused(folder.path(), LogErrorKind::Invalid, &["thesis.txt", "not empty", &folder.path().display().to_string()]);
}

#[test]
fn a_file_is_no_folder() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    assert_eq!(open(&file).unwrap_err().0, LogErrorKind::Invalid);
    assert_eq!(open(&file.join("log")).unwrap_err().0, LogErrorKind::Invalid);
    assert_eq!(fs::read_to_string(&file).unwrap(), "x");
}

#[test]
fn a_folder_is_open_once() {
    let folder = TempDir::new().unwrap();
    let log = open(folder.path()).unwrap();
    refused(folder.path(), LogErrorKind::Locked, &[&folder.path().display().to_string(), "close it"]);
    let session = log.session("app").unwrap();
    drop(log);
    refused(folder.path(), LogErrorKind::Locked, &[]);
    drop(session);
    open(folder.path()).unwrap();
}

#[test]
fn another_format_is_refused() {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()).unwrap());
    fs::write(folder.path().join("tidemill-log"), "tidemill log, format 1\n").unwrap();
    refused(folder.path(), LogErrorKind::Invalid, &["format 1", "format 3"]);
}

#[test]
fn a_segment_of_another_format_is_refused() {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()).unwrap());
    let segment = folder.path().join("00000000000000000000.segment");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8] = 9;
    let crc = crc32c::crc32c(&bytes[..28]);
    bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    fs::write(&segment, &bytes).unwrap();
    refused(folder.path(), LogErrorKind::Invalid, &["format 9", "00000000000000000000.segment"]);
    assert_eq!(fs::read(&segment).unwrap(), bytes);
}

#[test]
fn lost_files_are_noticed() {
    let folder = TempDir::new().unwrap();
    let settings = LogSettings { segment_bytes: 1, ..LogSettings::default() };
    let log = EmbeddedLog::open(folder.path(), settings).unwrap();
    for topic in ["a", "b", "c"] {
        log.create_topic(&TopicSpec::new(topic, 1)).unwrap();
    }
    drop(log);
    let segments: Vec<_> = names(folder.path()).into_iter().filter(|name| name.ends_with(".segment")).collect();
    let middle = fs::read(folder.path().join(&segments[1])).unwrap();
    fs::remove_file(folder.path().join(&segments[1])).unwrap();
    refused(folder.path(), LogErrorKind::Corrupt, &[&segments[2]]);
    fs::write(folder.path().join(&segments[1]), middle).unwrap();
    let marker = fs::read(folder.path().join("tidemill-log")).unwrap();
    fs::remove_file(folder.path().join("tidemill-log")).unwrap();
    refused(folder.path(), LogErrorKind::Corrupt, &["tidemill-log"]);
    fs::write(folder.path().join("tidemill-log"), marker).unwrap();
    assert_eq!(open(folder.path()).unwrap().topics().unwrap().len(), 3);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("log");
    drop(open(&folder).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for name in names(&folder) {
        assert_eq!(mode(&folder.join(&name)), 0o600, "{name}");
    }
}
