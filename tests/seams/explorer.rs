//! Brute force over the real task: every interleaving of fetch, process and commit, by snapshot and restore.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tidemill::log::OwnRecords;
use tidemill::record::{Batch, BatchBuilder, Offset};
use tidemill::state::Changelog;
use tidemill::task::{Fingerprint, Readiness, Task};
use tidemill::topology::Topology;

use super::bank::{self, MOVEMENTS, Movement, OPERATIONS};
use super::tasks::{batch, queue, task};

/// When a task meets its own records, and whether it knows the ends of its inputs.
#[derive(Clone, Copy)]
struct Backend {
    own_records: OwnRecords,
    exact_ends: bool,
}

const KAFKA: Backend = Backend { own_records: OwnRecords::AtCommit, exact_ends: false };
const EMBEDDED: Backend = Backend { own_records: OwnRecords::AtOnce, exact_ends: true };

/// A task, and the records that its inputs have, by queue.
#[derive(Clone)]
struct World {
    task: Vec<u8>,
    logs: Vec<Vec<Arc<Batch>>>,
    story: Vec<String>,
}

#[derive(Clone, Copy)]
enum Step {
    Fetch(usize),
    Process,
    Commit,
}

#[derive(Debug, PartialEq)]
struct Found {
    states: usize,
    transitions: usize,
    /// The shortest way to a refused operation.
    refusal: Option<Vec<String>>,
}

fn explore(topology: &Topology, backend: Backend) -> Found {
    let mut task = task(topology, Changelog::LastPerCommit);
    let mut start = World { task: Vec::new(), logs: vec![Vec::new(); task.inputs().count()], story: Vec::new() };
    let operations = [(1, "alice", 10), (2, "alice", 10), (3, "alice", -20)];
    append(&mut start.logs[queue(&task, OPERATIONS.name())], &batch(0, &operations));
    task.snapshot(&mut start.task).unwrap();
    let mut found = Found { states: 1, transitions: 0, refusal: None };
    let mut seen = HashSet::from([fingerprint(&start)]);
    let mut open = VecDeque::from([start]);
    while let Some(world) = open.pop_front() {
        for step in enabled(&mut task, &world, backend) {
            let (next, refused) = take(&mut task, &world, step, backend);
            found.transitions += 1;
            if seen.insert(fingerprint(&next)) {
                found.states += 1;
                if refused && found.refusal.is_none() {
                    found.refusal = Some(next.story.clone());
                }
                open.push_back(next);
            }
        }
    }
    found
}

fn enter(task: &mut Task, world: &World, backend: Backend) {
    task.restore(&world.task).unwrap();
    if backend.exact_ends {
        (0..world.logs.len()).for_each(|queue| task.learn_end(queue, end(&world.logs[queue])));
    }
}

fn enabled(task: &mut Task, world: &World, backend: Backend) -> Vec<Step> {
    enter(task, world, backend);
    let unread = |queue: &usize| task.buffered(*queue) == 0 && task.fetch_position(*queue) < end(&world.logs[*queue]);
    let mut steps: Vec<Step> = (0..world.logs.len()).filter(unread).map(Step::Fetch).collect();
    steps.extend((task.readiness() == Readiness::Ready).then_some(Step::Process));
    steps.extend(task.has_progress().then_some(Step::Commit));
    steps
}

/// The world after a step, and whether an operation was refused in it.
fn take(task: &mut Task, world: &World, step: Step, backend: Backend) -> (World, bool) {
    let mut next = World { task: Vec::new(), ..world.clone() };
    enter(task, world, backend);
    let line = match step {
        Step::Fetch(queue) => {
            let record = &world.logs[queue][usize::try_from(task.fetch_position(queue).get()).unwrap()];
            task.enqueue(queue, record).unwrap();
            format!("fetch   {} {}", name(task, queue), record.base())
        }
        Step::Process => {
            let done = task.process().unwrap().unwrap();
            format!("process {} {}", name(task, done.queue), done.offset)
        }
        Step::Commit => {
            task.prepare_commit().unwrap();
            task.take_progress();
            "commit".to_owned()
        }
    };
    let visible = match (step, backend.own_records) {
        (Step::Commit, _) => task.state().outputs().take_all(),
        (_, OwnRecords::AtOnce) => task.state().outputs().take_own_input(),
        (_, OwnRecords::AtCommit) => Vec::new(),
    };
    for (to, records) in &visible {
        if let Some((queue, _)) = task.inputs().find(|(_, input)| *input == to) {
            append(&mut next.logs[queue], records);
        }
    }
    task.snapshot(&mut next.task).unwrap();
    // The task is restored before it is used again, so what waits in it can be taken out to be looked at.
    let written = visible.into_iter().chain(task.state().outputs().take_all());
    let moved: Vec<Movement> = written.filter(|(to, _)| *to.topic == *MOVEMENTS.name()).flat_map(movements).collect();
    let writes = matches!(step, Step::Process).then(|| moved.last().map(|movement| format!(": {movement:?}")));
    next.story.push(line + &writes.flatten().unwrap_or_default());
    (next, moved.iter().any(|movement| movement.error.is_some()))
}

fn movements((_, records): (impl Sized, Batch)) -> Vec<Movement> {
    let mut movements = Vec::new();
    let read = |bytes: Option<&[u8]>| MOVEMENTS.value_serde().read(bytes.unwrap());
    records.for_each(|_, record| read(record.value).map(|movement| movements.push(movement))).unwrap();
    movements
}

/// Adds records one by one, so that each can be fetched alone.
fn append(log: &mut Vec<Arc<Batch>>, records: &Batch) {
    let one_by_one = |_, record: tidemill::record::StoredRecord<'_>| {
        let mut one = BatchBuilder::default();
        one.push_stored(&record);
        log.push(Arc::new(one.finish(end(log))));
        Ok::<_, ()>(())
    };
    records.for_each(one_by_one).unwrap();
}

fn end(log: &[Arc<Batch>]) -> Offset {
    Offset::new(log.len() as u64)
}

fn name(task: &Task, queue: usize) -> String {
    task.inputs().nth(queue).unwrap().1.to_string()
}

fn fingerprint(world: &World) -> Fingerprint {
    let mut bytes = world.task.clone();
    for log in &world.logs {
        bytes.extend(log.len().to_le_bytes());
        log.iter().for_each(|record| bytes.extend(record.bytes()));
    }
    Fingerprint::of(&bytes)
}

fn say(what: &str, found: &Found) {
    println!("{what}: {} states, {} transitions", found.states, found.transitions);
    found.refusal.iter().flatten().enumerate().for_each(|(number, line)| println!("  {:2} {line}", number + 1));
}

#[test]
fn the_join_reads_a_stale_balance_where_own_records_come_at_the_commit() {
    let found = explore(&bank::join(), KAFKA);
    say("join, own records at the commit", &found);
    let story = [
        "fetch   operations-0 0",
        "process operations-0 0: Movement { amount: 10, error: None }",
        "fetch   operations-0 1",
        "process operations-0 1: Movement { amount: 10, error: None }",
        "fetch   operations-0 2",
        "process operations-0 2: Movement { amount: -20, error: Some(\"insufficient funds\") }",
    ];
    assert_eq!(found.refusal.unwrap(), story, "the shortest story");
    assert!(found.states > 50 && found.transitions > found.states, "every interleaving was looked at");
}

#[test]
fn the_join_reads_no_stale_balance_where_own_records_come_at_once_and_ends_are_exact() {
    let found = explore(&bank::join(), EMBEDDED);
    say("join, own records at once, exact ends", &found);
    assert_eq!(found.refusal, None);
    assert!(found.states > 20 && found.transitions > found.states, "every interleaving was looked at");
}

#[test]
fn either_half_of_the_embedded_log_alone_is_not_enough() {
    for backend in [Backend { exact_ends: false, ..EMBEDDED }, Backend { exact_ends: true, ..KAFKA }] {
        let found = explore(&bank::join(), backend);
        say("join, own records at once or exact ends", &found);
        assert!(found.refusal.is_some());
    }
}

#[test]
fn the_single_step_reads_no_stale_balance_anywhere() {
    for backend in [KAFKA, EMBEDDED] {
        let found = explore(&bank::single_step(), backend);
        say("single step", &found);
        assert_eq!(found.refusal, None);
        assert!(found.states > 10 && found.transitions > found.states, "every interleaving was looked at");
    }
}
