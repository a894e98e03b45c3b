//! Applications of one and of several processes on a real broker, while input flows: processes join, leave, are killed and are
//! stopped for longer than the group waits. Everything that must come of the input is there, once.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tidemill::log::Log;
use tidemill::log::kafka::{KafkaLog, KafkaSettings};
use tidemill::state::Store;
use tidemill::{App, AppState};

use crate::ledger::{Names, Outputs};
use crate::support::{Child, itself, pause, wait_until};

/// Which application a process of this test program runs, and where.
const INSTANCE: &str = "TIDEMILL_KAFKA_INSTANCE";
/// How often something happens to a process, unless `TIDEMILL_KAFKA_ROUNDS` says how often.
const ROUNDS: u32 = 3;

fn settings() -> KafkaSettings {
    KafkaSettings {
        session_timeout: Duration::from_secs(6),
        transaction_timeout: Duration::from_secs(10),
        ..KafkaSettings::new(crate::brokers())
    }
}

fn open() -> KafkaLog {
    KafkaLog::open(settings()).expect("the broker can be reached")
}

pub(crate) fn rounds() -> u32 {
    rounds_asked_for().unwrap_or(ROUNDS)
}

pub(crate) fn rounds_asked_for() -> Option<u32> {
    let rounds = std::env::var("TIDEMILL_KAFKA_ROUNDS").ok()?;
    Some(rounds.parse().expect("a number of rounds"))
}

#[tokio::test]
async fn one_process_does_all_and_goes_on_where_it_was() {
    let (names, log, folder) = (Names::new(&crate::prefix()), open(), tempfile::tempdir().unwrap());
    names.create(&log);
    let mut done = 0;
    for round in 0..3_u64 {
        let app = App::builder(&names.application, names.topology()).kafka(settings()).settings(Names::settings());
        let app = app.state_folder(folder.path()).start().await.unwrap();
        assert_eq!(app.restored(), 0, "a close leaves nothing to be restored");
        names.append(&log, done, 500);
        done += 500;
        app.settled().await.unwrap();
        let expected = Outputs::expected(done);
        // Brokers tell of a transaction's end a moment after it has ended.
        wait_until("the outputs of all records", || Outputs::read(&names, &log).len() == expected.len());
        let found = Outputs::read(&names, &log);
        assert_eq!(found.sums, expected.sums, "round {round}");
        assert_eq!(found.counts.values().map(Vec::len).sum::<usize>(), done as usize);
        const SUMS: Store<String, i64> = Store::of("sums");
        let last = expected.sums["key-1"].last().copied();
        assert_eq!(app.table(&SUMS).get("key-1").await.unwrap(), last);
        app.close().await.unwrap();
    }
}

/// Does nothing unless it is a process of its own.
#[tokio::test]
async fn an_instance() {
    let Ok(work) = std::env::var(INSTANCE) else { return };
    let (application, folder) = work.split_once(' ').expect("an application and a folder");
    let names = Names { application: application.to_owned() };
    let app = App::builder(&names.application, names.topology()).kafka(settings()).settings(Names::settings());
    let app = app.state_folder(folder).start().await.unwrap();
    let mut states = app.states();
    let mut told = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
    tokio::select! {
        _ = told.recv() => app.close().await.unwrap(),
        state = states.wait_for(AppState::is_over) => panic!("{}", *state.unwrap()),
    }
}

/// A process of the application.
fn start(names: &Names, folder: &Path) -> Child {
    let work = format!("{} {}", names.application, folder.display());
    Child::start(&mut itself("instances::an_instance", INSTANCE, &work))
}

/// Stops the sender when it is dropped.
pub(crate) struct StopAtEnd<'a>(pub(crate) &'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Chance by a seed, so that a run can be repeated.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn killed_stopped_and_restarted_processes_lose_nothing_and_do_nothing_twice() {
    let (names, log) = (Names::new(&crate::prefix()), open());
    names.create(&log);
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let paths: Vec<PathBuf> = folders.iter().map(|folder| folder.path().to_owned()).collect();
    let (sent, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (mut kills, mut stops, mut leaves) = (0, 0, 0);
    std::thread::scope(|scope| {
        // Also when the test fails, or it would wait for the sender for ever.
        let _stop = StopAtEnd(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                names.append(&log, sent.load(Ordering::SeqCst), 50);
                sent.fetch_add(50, Ordering::SeqCst);
                pause(Duration::from_millis(20));
            }
        });
        let mut processes: Vec<Child> = paths.iter().map(|path| start(&names, path)).collect();
        let mut chance = Chance(7);
        pause(Duration::from_secs(4));
        for round in 0..rounds() {
            let which = chance.below(3) as usize;
            pause(Duration::from_millis(chance.below(1_500)));
            match round % 3 {
                0 => {
                    kills += 1;
                    processes.remove(which).kill();
                    pause(Duration::from_millis(chance.below(500)));
                    processes.insert(which, start(&names, &paths[which]));
                }
                1 => {
                    stops += 1;
                    processes[which].pause();
                    // Longer than the group waits: its partitions are somebody else's when it wakes.
                    pause(Duration::from_secs(13));
                    processes[which].go_on();
                }
                _ => {
                    leaves += 1;
                    processes.remove(which).end_in_peace();
                    processes.insert(which, start(&names, &paths[which]));
                }
            }
            pause(Duration::from_secs(3));
        }
        stop.store(true, Ordering::SeqCst);
        wait_for_outputs(&names, &log, &sent, &mut processes);
        processes.iter_mut().for_each(Child::end_in_peace);
    });
    let count = sent.load(Ordering::SeqCst);
    let (expected, found) = (Outputs::expected(count), Outputs::read(&names, &log));
    assert_eq!(found.sums, expected.sums, "every sum of each key once, in order");
    for (group, counts) in &expected.counts {
        assert_eq!(found.counts.get(group), Some(counts), "every count of {group} once, in order");
    }
    println!(
        "instances: {kills} kills, {stops} stops beyond the session's time, {leaves} leaves; {count} records, {} outputs checked",
        expected.len()
    );
}

/// Waits until there are as many outputs as there must be.
fn wait_for_outputs(names: &Names, log: &dyn Log, sent: &AtomicU64, processes: &mut [Child]) {
    let wanted = Outputs::expected(sent.load(Ordering::SeqCst)).len();
    wait_until("as many outputs as there must be", || {
        assert!(processes.iter_mut().all(Child::is_there), "an instance ended by itself");
        Outputs::read(names, log).len() >= wanted
    });
}
