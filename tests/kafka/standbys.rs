//! Processes that keep each other's stores on a real broker: one is killed, and the others go on from what they have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidemill::log::Log;
use tidemill::log::kafka::{GroupProtocol, KafkaLog, KafkaSettings};
use tidemill::record::TopicPartition;
use tidemill::{App, AppState, Settings};

use crate::ledger::{Names, Outputs, PARTITIONS};
use crate::support::{Child, itself, pause, wait_until};

/// Which application a process of this test program runs, where, and by which protocol.
const INSTANCE: &str = "TIDEMILL_KAFKA_STANDBY";
/// The file in its folder in which a process says how it is.
const STATUS: &str = "status";
/// Two sub-topologies.
const TASKS: usize = 2 * PARTITIONS as usize;
const RECORDS: u64 = 30_000;

fn settings(protocol: GroupProtocol) -> KafkaSettings {
    KafkaSettings {
        group_protocol: protocol,
        session_timeout: Duration::from_secs(6),
        transaction_timeout: Duration::from_secs(10),
        ..KafkaSettings::new(crate::brokers())
    }
}

/// What a process says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Status {
    /// How many records its restores have read, of tasks that came after the start too.
    restored: u64,
    active: Vec<String>,
    /// Task and lag.
    standbys: BTreeMap<String, u64>,
}

impl Status {
    fn of(app: &App) -> Status {
        let all = app.instances();
        let own = all.iter().find(|instance| instance.is_here).expect("this process is one of them");
        Status {
            restored: app.restores().restored(),
            active: own.active.iter().map(|active| active.task.to_string()).collect(),
            standbys: own.standbys.iter().map(|standby| (standby.task.to_string(), standby.lag())).collect(),
        }
    }

    fn write(&self, folder: &Path) {
        let standbys: Vec<String> = self.standbys.iter().map(|(task, lag)| format!("{task}={lag}")).collect();
        let text = format!("{}\n{}\n{}\n", self.restored, self.active.join(" "), standbys.join(" "));
        // Whoever reads it must not see half of it.
        std::fs::write(folder.join("status.new"), text).unwrap();
        std::fs::rename(folder.join("status.new"), folder.join(STATUS)).unwrap();
    }

    fn read(folder: &Path) -> Status {
        let text = std::fs::read_to_string(folder.join(STATUS)).unwrap_or_else(|_| "0\n\n\n".to_owned());
        let lines: Vec<&str> = text.lines().collect();
        let standby = |text: &str| {
            let (task, lag) = text.split_once('=').unwrap();
            (task.to_owned(), lag.parse().unwrap())
        };
        Status {
            restored: lines[0].parse().unwrap(),
            active: lines[1].split_whitespace().map(str::to_owned).collect(),
            standbys: lines[2].split_whitespace().map(standby).collect(),
        }
    }
}

/// Does nothing unless it is a process of its own.
#[tokio::test]
async fn an_instance() {
    let Ok(work) = std::env::var(INSTANCE) else { return };
    let mut words = work.splitn(3, ' ');
    let (application, protocol, folder) =
        (words.next().unwrap(), words.next().unwrap(), Path::new(words.next().unwrap()));
    let protocol = if protocol == "classic" { GroupProtocol::Classic } else { GroupProtocol::Consumer };
    let names = Names { application: application.to_owned() };
    let how = Settings { standbys: 1, ..Names::settings() };
    let app = App::builder(&names.application, names.topology()).kafka(settings(protocol)).settings(how);
    let app = app.state_folder(folder).start().await.unwrap();
    let mut states = app.states();
    let mut told = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
    loop {
        Status::of(&app).write(folder);
        tokio::select! {
            _ = told.recv() => return app.close().await.unwrap(),
            state = states.wait_for(AppState::is_over) => panic!("{}", *state.unwrap()),
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
}

/// All changelogs' records: what a restore without a standby may have to read.
fn changelog_records(names: &Names, log: &dyn Log, tasks: &[String]) -> u64 {
    let mut records = 0;
    for task in tasks {
        let (subtopology, partition) = task.split_once('_').unwrap();
        let store = if subtopology == "0" { "sums" } else { "counts" };
        let topic = format!("{}-{store}-changelog", names.application);
        let bounds = log.bounds(&TopicPartition::new(topic, partition.parse().unwrap())).unwrap();
        records += bounds.end.get() - bounds.start.get();
    }
    records
}

fn a_killed_process_is_replaced_by_its_standbys(protocol: GroupProtocol) {
    let word = if protocol == GroupProtocol::Classic { "classic" } else { "consumer" };
    let (names, log) = (Names::new(&crate::prefix()), KafkaLog::open(settings(protocol)).unwrap());
    names.create(&log);
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let paths: Vec<PathBuf> = folders.iter().map(|folder| folder.path().to_owned()).collect();
    let start = |path: &PathBuf| {
        let work = format!("{} {word} {}", names.application, path.display());
        Child::start(&mut itself("standbys::an_instance", INSTANCE, &work))
    };
    let mut processes: Vec<Child> = paths.iter().map(start).collect();
    let all = || paths.iter().map(|path| Status::read(path)).collect::<Vec<_>>();
    wait_until("all tasks run", || all().iter().map(|status| status.active.len()).sum::<usize>() == TASKS);
    // In parts, so that there are many commits, and changelogs have many records.
    for part in 0..RECORDS / 500 {
        names.append(&log, part * 500, 500);
        pause(Duration::from_millis(30));
    }
    wait_until("the outputs", || Outputs::read(&names, &log).len() == Outputs::expected(RECORDS).len());
    let is_caught_up = |status: &Status| status.standbys.values().all(|lag| *lag <= 2);
    wait_until("every task is on standby, without lag but for the marks of transactions", || {
        let all = all();
        all.iter().map(|status| status.standbys.len()).sum::<usize>() >= TASKS && all.iter().all(is_caught_up)
    });
    let before = all();
    let victim = (0..3).max_by_key(|number| before[*number].active.len()).unwrap();
    let behind = changelog_records(&names, &log, &before[victim].active);
    let begun = std::time::UNIX_EPOCH.elapsed().unwrap();
    processes.remove(victim).kill();
    let left: Vec<usize> = (0..3).filter(|number| *number != victim).collect();
    wait_until("the others run everything", || {
        let all = all();
        left.iter().map(|number| all[*number].active.len()).sum::<usize>() == TASKS
    });
    let took = std::time::UNIX_EPOCH.elapsed().unwrap() - begun;
    let after = all();
    let restored: u64 = left.iter().map(|number| after[*number].restored - before[*number].restored).sum();
    let moved: Vec<String> = left
        .iter()
        .flat_map(|number| after[*number].active.clone())
        .filter(|task| before[victim].active.contains(task))
        .collect();
    let prepared = left.iter().flat_map(|number| {
        let (before, after) = (&before[*number], &after[*number]);
        after.active.iter().filter(|task| before.standbys.contains_key(*task))
    });
    println!(
        "standbys, {word}: {} tasks of a killed process ran elsewhere after {took:?}, {} with a standby there; {restored} records \
         restored of {behind} in their changelogs",
        moved.len(),
        prepared.count()
    );
    // How many commits a busy machine makes of the input decides how much that is.
    assert!(behind > 300, "there is something to restore: {behind}");
    assert!(restored < 100, "{restored} records were restored of {behind}: the standbys were not used");
    names.append(&log, RECORDS, 500);
    let expected = Outputs::expected(RECORDS + 500);
    wait_until("the outputs of what came later", || Outputs::read(&names, &log).len() >= expected.len());
    let found = Outputs::read(&names, &log);
    assert_eq!(found.sums, expected.sums, "every sum of each key once, in order");
    for mut process in processes {
        process.terminate();
        assert!(process.wait().success());
    }
}

#[test]
fn a_killed_process_is_replaced_by_its_standbys_where_a_member_decides() {
    a_killed_process_is_replaced_by_its_standbys(GroupProtocol::Classic);
}

#[test]
fn a_killed_process_is_replaced_by_its_standbys_where_brokers_decide() {
    a_killed_process_is_replaced_by_its_standbys(GroupProtocol::Consumer);
}
