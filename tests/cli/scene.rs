//! A folder with topics in it, and the program on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tidemill::log::{
    Append, Cleanup, Durability, EmbeddedLog, InputProgress, Log, LogErrorKind, LogSettings, Notes, Progress,
    TopicConfig, TopicSpec,
};
use tidemill::record::{BatchBuilder, Headers, Offset, Timestamp, TopicPartition};

/// What the program left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn tidemill(arguments: &[&str]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_tidemill")).args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

pub(crate) struct Scene {
    folder: TempDir,
}

impl Scene {
    /// `orders` has records of all kinds in two partitions, `prices` is compacted and empty; `shop` has processed some.
    pub(crate) fn new() -> Self {
        let scene = Scene { folder: tempfile::tempdir().unwrap() };
        let log = scene.log();
        let config = TopicConfig { cleanup: Cleanup::Compact, ..TopicConfig::default() };
        log.create_topic(&TopicSpec { config, ..TopicSpec::new("prices", 1) }).unwrap();
        log.create_topic(&TopicSpec::new("orders", 2)).unwrap();
        let mut records = BatchBuilder::default();
        for (n, time) in (0..4_i64).map(|n| (n, 1_700_000_000_000 + n * 60_000)) {
            let value = format!(r#"{{"amount":{n}}}"#);
            records.push(Timestamp::from_millis(time), Some(b"alice"), Some(value.as_bytes()), &Headers::NONE);
        }
        append(&log, 0, &mut records);
        let headers = Headers::default().with("trace", "7").with("raw", vec![0xff, 0]);
        records.push(Timestamp::from_millis(-1), None, Some(&[0xff, 0xfe]), &headers);
        records.push(Timestamp::ZERO, Some(b"bob"), None, &Headers::NONE);
        append(&log, 1, &mut records);
        let at =
            InputProgress { next: Offset::new(3), partition_time: Some(Timestamp::from_millis(1_700_000_120_000)) };
        let progress = Progress { inputs: [(TopicPartition::new("orders", 0), at)].into(), notes: Notes::new() };
        log.session("shop").unwrap().commit(&progress).unwrap();
        scene
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> EmbeddedLog {
        open(&self.path())
    }

    /// Runs `tidemill log COMMAND FOLDER ARGUMENTS..`.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Ended {
        let folder = self.path();
        tidemill(&[&["log", command, folder.to_str().unwrap()], arguments].concat())
    }

    /// What it prints when it succeeds.
    #[track_caller]
    pub(crate) fn prints(&self, command: &str, arguments: &[&str]) -> String {
        let ended = once_free(|| Some(self.run(command, arguments)).filter(|ended| !ended.stderr.contains(IN_USE)));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    }

    /// That it fails with this code, and says all this.
    #[track_caller]
    pub(crate) fn fails(&self, command: &str, arguments: &[&str], code: i32, said: &[&str]) {
        let ended = self.run(command, arguments);
        assert_eq!(ended.code, Some(code), "{}{}", ended.stdout, ended.stderr);
        for text in said {
            assert!(ended.stderr.contains(text), "`{text}` is not in: {}", ended.stderr);
        }
    }
}

/// What the program says of a folder that somebody has open.
const IN_USE: &str = "open: close it first";

/// Tries until a folder is free. A process that another test is just starting has a copy of all locks of this one until its
/// program begins.
#[track_caller]
fn once_free<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    for _ in 0..5_000 {
        if let Some(done) = attempt() {
            return done;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    panic!("the folder stays locked");
}

pub(crate) fn open(folder: &Path) -> EmbeddedLog {
    let settings = LogSettings { durability: Durability::Never, ..LogSettings::default() };
    once_free(|| match EmbeddedLog::open(folder, settings) {
        Err(error) if error.kind() == LogErrorKind::Locked => None,
        opened => Some(opened.unwrap()),
    })
}

pub(crate) fn append(log: &EmbeddedLog, partition: u32, records: &mut BatchBuilder) {
    let append = Append { to: TopicPartition::new("orders", partition), records: records.finish(Offset::ZERO) };
    log.append(vec![append], "", Notes::new()).unwrap();
}
