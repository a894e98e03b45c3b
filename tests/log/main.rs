//! The memory log and the embedded log: the rules that both keep, a model that judges them, crashes and faults.

mod clean;
mod crash;
mod durability;
mod faults;
mod folder;
mod model;
mod retention;
mod workload;

mod memory {
    use tidemill::log::{Log, MemoryLog};

    tidemill_testkit::log_conformance!(|| (Box::new(MemoryLog::new()) as Box<dyn Log>, ()));
}

mod embedded {
    use std::time::Duration;

    use tempfile::TempDir;
    use tidemill::log::{Durability, EmbeddedLog, Log, LogSettings};

    /// Small segments and little memory, so that the rules are kept across segments and from the disk.
    fn settings() -> LogSettings {
        let durability = Durability::Interval(Duration::from_millis(1));
        LogSettings { durability, segment_bytes: 1 << 10, recent_bytes: 1 << 8, ..LogSettings::default() }
    }

    fn open(folder: &TempDir) -> Box<dyn Log> {
        Box::new(EmbeddedLog::open(folder.path().join("log"), settings()).unwrap())
    }

    tidemill_testkit::log_conformance!(|| {
        let folder = TempDir::new().unwrap();
        (open(&folder), folder)
    });

    tidemill_testkit::durable_log_conformance!(|| {
        let folder = TempDir::new().unwrap();
        move || open(&folder)
    });
}

mod embedded_every_commit {
    use tempfile::TempDir;
    use tidemill::log::{Durability, EmbeddedLog, Log, LogSettings};

    tidemill_testkit::log_conformance!(|| {
        let folder = TempDir::new().unwrap();
        let settings = LogSettings { durability: Durability::EveryCommit, ..LogSettings::default() };
        (Box::new(EmbeddedLog::open(folder.path(), settings).unwrap()) as Box<dyn Log>, folder)
    });
}
