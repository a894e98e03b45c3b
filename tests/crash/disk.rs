//! A disk that fails, is full, or may not be written: the shop stops with an error that says so, and has everything when the
//! cause is gone.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tidemill::log::{Durability, EmbeddedLog, Log, LogSettings};
use tidemill::{App, Error, ErrorKind, Settings};
use tidemill_testkit::fault::{Fault, SimulatedFiles};

use crate::chance::Chance;
use crate::market::{Books, differs, read, settings, topology, work};
use crate::rounds::rounds;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Runs the shop on these files until it has made `until` records or fails.
async fn run(files: &SimulatedFiles, until: u64) -> Result<Books, Error> {
    let settings = Settings {
        log: LogSettings {
            segment_bytes: 16 << 10,
            durability: Durability::Interval(Duration::from_millis(2)),
            ..settings().log
        },
        ..settings()
    };
    let log: Arc<dyn Log> = Arc::new(EmbeddedLog::open_on(Arc::new(files.clone()), settings.log)?);
    let app = App::builder("shop", topology().unwrap()).log(log).settings(settings).start().await?;
    let made = match work(&app, until).await {
        Ok(made) => made,
        Err(error) => {
            // Whoever asked hears of the failure, and so does whoever waits for the end.
            let ended = app.ended().await.expect_err("an application that failed has ended with its error");
            assert_eq!(ended.kind(), error.kind(), "{ended}; {error}");
            return Err(error);
        }
    };
    let books = read(&app, made).await?;
    app.close().await?;
    Ok(books)
}

#[test]
fn an_error_at_any_operation_of_the_log_stops_the_shop_and_loses_nothing() {
    const UNTIL: u64 = 3_000;
    let clean = SimulatedFiles::new();
    block_on(run(&clean, UNTIL)).unwrap();
    let operations = clean.operations() as u64;
    let (mut chance, mut met, mut stopped) = (Chance::new(Chance::seed()), 0, 0);
    for round in 0..20 * u64::from(rounds()) {
        // The first operations one after another, then any.
        let operation = if round < 30 { round } else { chance.below(operations) };
        let files = SimulatedFiles::new();
        files.fail(usize::try_from(operation).unwrap(), if round % 2 == 0 { Fault::Error } else { Fault::ShortWrite });
        let story = format!("operation {operation} of about {operations}, round {round}");
        if let Err(error) = block_on(run(&files, UNTIL)) {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{story}: {error}");
            stopped += 1;
        }
        met += files.faults_met();
        let books = block_on(run(&files.after_kill(), 0)).unwrap_or_else(|error| panic!("{story}: {error}"));
        assert!(books == Books::of(books.made), "{story}: {}", differs(&books));
        let books = block_on(run(&files.after_kill(), UNTIL)).unwrap_or_else(|error| panic!("{story}: {error}"));
        assert!(books == Books::of(UNTIL), "{story}: {}", differs(&books));
    }
    println!("disk: {met} faults met, {stopped} times the shop stopped, each followed by a start and a comparison");
    assert!(stopped > 50 && met >= stopped, "{stopped} of {met}");
}

#[test]
fn a_loss_of_power_at_any_moment_leaves_the_shop_consistent() {
    const UNTIL: u64 = 3_000;
    let files = SimulatedFiles::new();
    block_on(run(&files, UNTIL)).unwrap();
    let mut chance = Chance::new(Chance::seed());
    let images = 25 * u64::from(rounds());
    for image in 0..images {
        let operation = usize::try_from(chance.below(files.operations() as u64 + 1)).unwrap();
        let story = format!("crash before operation {operation}, seed {image}");
        let books = block_on(run(&files.crash(operation, image), 0)).unwrap_or_else(|error| panic!("{story}: {error}"));
        assert!(books == Books::of(books.made), "{story}: after {}: {}", books.made, differs(&books));
    }
    println!("disk: {images} crash images of a whole shop opened and compared");
}

/// A small file system of its own.
struct Mount(TempDir);

impl Mount {
    /// `None` where this process may not mount; that is said.
    fn new(options: &str) -> Option<Mount> {
        let folder = tempfile::tempdir().unwrap();
        if !cfg!(target_os = "linux") || !mount(&["-t", "tmpfs", "-o", options, "tidemill-test"], folder.path()) {
            eprintln!("SKIPPED: a full and a read-only disk are not tried: mounting a tmpfs needs Linux and root");
            return None;
        }
        Some(Mount(folder))
    }

    fn remount(&self, options: &str) {
        assert!(mount(&["-o", &format!("remount,{options}")], self.0.path()), "remount with {options}");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // What does not let go now goes with the test's folder.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    Command::new("mount").args(arguments).arg(folder).output().is_ok_and(|output| output.status.success())
}

async fn on_disk(folder: &Path, until: u64) -> Result<Books, Error> {
    let app = App::builder("shop", topology().unwrap()).embedded(folder).settings(settings()).start().await?;
    let made = match work(&app, until).await {
        Ok(made) => made,
        Err(error) => {
            let ended = app.ended().await.expect_err("it has ended with its error");
            println!("the shop stopped: {ended}");
            return Err(error);
        }
    };
    let books = read(&app, made).await?;
    app.close().await?;
    Ok(books)
}

/// Starts again while threads of the last application may still hold the folder.
async fn again(folder: &Path, until: u64) -> Result<Books, Error> {
    loop {
        match on_disk(folder, until).await {
            Err(error) if error.kind() == ErrorKind::Locked => tokio::task::yield_now().await,
            done => return done,
        }
    }
}

#[test]
fn a_full_disk_stops_the_shop_and_more_room_lets_it_go_on() {
    let mut full = 0;
    for megabytes in [3, 5, 8] {
        let Some(mount) = Mount::new(&format!("size={megabytes}m,mode=700")) else { return };
        let folder = mount.0.path().join("data");
        let error = block_on(again(&folder, 1_000_000)).expect_err("the disk is too small");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("No space left"), "{error}");
        // Still full: the same error, and nothing changes.
        let still = block_on(again(&folder, 1_000_000)).expect_err("the disk is full");
        assert_eq!(still.kind(), ErrorKind::Unavailable, "{still}");
        full += 2;
        mount.remount("size=200m");
        let books = block_on(again(&folder, 0)).unwrap();
        assert!(books.made > 0 && books == Books::of(books.made), "{}", differs(&books));
        let until = books.made + 20_000;
        let books = block_on(again(&folder, until)).unwrap();
        assert!(books == Books::of(until), "{}", differs(&books));
    }
    println!("disk: {full} times full, each recovered");
}

#[test]
fn a_disk_that_may_only_be_read_is_said_so_and_nothing_is_lost() {
    let Some(mount) = Mount::new("size=64m,mode=700") else { return };
    let folder = mount.0.path().join("data");
    block_on(again(&folder, 20_000)).unwrap();
    // The threads of the last application let go of the folder a moment after it has closed.
    let read_only = || self::mount(&["-o", "remount,ro"], mount.0.path());
    crate::process::wait_until("remounting read-only", read_only);
    let error = block_on(again(&folder, 0)).expect_err("nothing can be written");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("Read-only") && error.to_string().contains("right to write"), "{error}");
    // Those who only read can.
    let log = EmbeddedLog::open_read_only(&folder, LogSettings::default()).unwrap();
    assert_eq!(log.applications().unwrap(), ["shop"]);
    drop(log);
    mount.remount("rw");
    let books = block_on(again(&folder, 30_000)).unwrap();
    assert!(books == Books::of(30_000), "{}", differs(&books));
}
