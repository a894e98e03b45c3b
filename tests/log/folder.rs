//! The log takes only a folder that is its own, and leaves every other as it is.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tidemill::log::{Append, EmbeddedLog, Log, LogErrorKind, LogSettings, Notes, TopicSpec};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};

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

fn append(log: &EmbeddedLog, value: &str) -> Result<Vec<Offset>, LogErrorKind> {
    let mut records = BatchBuilder::default();
    records.push(Timestamp::ZERO, Some(b"key"), Some(value.as_bytes()), &Headers::NONE);
    let append = Append { to: TopicPartition::new("orders", 0), records: records.finish(Offset::ZERO) };
    log.append(vec![append], "", Notes::new()).map_err(|error| error.kind())
}

#[test]
fn a_reader_takes_the_folder_as_it_is_and_can_write_nothing() {
    let folder = TempDir::new().unwrap();
    let writer = open(folder.path()).unwrap();
    writer.create_topic(&TopicSpec::new("orders", 1)).unwrap();
    append(&writer, "first").unwrap();
    let reader = EmbeddedLog::open_read_only(folder.path(), LogSettings::default()).unwrap();
    let orders = TopicPartition::new("orders", 0);
    append(&writer, "second").unwrap();
    assert_eq!(reader.bounds(&orders).unwrap().end, Offset::new(1), "what came later is not seen");
    assert_eq!(append(&reader, "third"), Err(LogErrorKind::Unavailable));
    assert_eq!(reader.read(&orders, Offset::ZERO, 1).unwrap().len(), 1, "reading goes on");
    drop(reader);
    append(&writer, "third").unwrap();
    drop(writer);
    let segment = folder.path().join(format!("{:020}.segment", 0));
    let bytes = fs::read(&segment).unwrap();
    // Any moment of a writer's append: what is whole is there, and the disk is left alone.
    for length in (bytes.len() - 200..bytes.len()).rev() {
        fs::write(&segment, &bytes[..length]).unwrap();
        let reader = EmbeddedLog::open_read_only(folder.path(), LogSettings::default()).unwrap();
        let end = reader.bounds(&orders).unwrap().end;
        assert!(end < Offset::new(3), "the last record is not whole at {length}");
        assert_eq!(fs::read(&segment).unwrap().len(), length);
    }
    assert_eq!(
        EmbeddedLog::open_read_only(folder.path().join("none"), LogSettings::default()).err().unwrap().kind(),
        LogErrorKind::Invalid
    );
}

#[test]
fn readers_find_a_whole_log_while_it_is_written_and_cleaned() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let folder = TempDir::new().unwrap();
    let small = LogSettings { segment_bytes: 4 << 10, ..LogSettings::default() };
    let small = LogSettings { durability: tidemill::log::Durability::Never, ..small };
    let writer = EmbeddedLog::open(folder.path(), small).unwrap();
    let config = tidemill::log::TopicConfig {
        cleanup: tidemill::log::Cleanup::Compact,
        ..tidemill::log::TopicConfig::default()
    };
    writer.create_topic(&TopicSpec { config, ..TopicSpec::new("orders", 1) }).unwrap();
    let (done, orders) = (AtomicBool::new(false), TopicPartition::new("orders", 0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..4_000 {
                append(&writer, &format!("{n:0100}")).unwrap();
                if n % 50 == 0 {
                    writer.clean(Timestamp::ZERO).unwrap();
                }
            }
            done.store(true, Ordering::SeqCst);
        });
        let (mut looks, mut last) = (0, Offset::ZERO);
        while !done.load(Ordering::SeqCst) || looks < 5 {
            let reader = EmbeddedLog::open_read_only(folder.path(), LogSettings::default()).unwrap();
            let bounds = reader.bounds(&orders).unwrap();
            assert!(bounds.end >= last, "time goes on");
            last = bounds.end;
            let (mut next, mut records) = (bounds.start, 0);
            while next < bounds.end {
                for batch in reader.read(&orders, next, 4 << 10).unwrap() {
                    records += batch.count();
                    next = batch.end();
                }
            }
            assert!(records > 0 || last == Offset::ZERO);
            looks += 1;
        }
    });
}
