//! A commit can be held at each point where something of it can be seen: whatever happens there, all of it counts or none.

use std::sync::{Arc, Mutex};

use tidemill::exec::{Committer, EagerChooser, Executor, Settings};
use tidemill::log::{Log, LogErrorKind, Progress, Session};
use tidemill::record::{Offset, TopicPartition};
use tidemill::{Error, ErrorKind};

use super::bank::{self, MOVEMENTS, Movement, OPERATIONS};
use super::house::{House, run};

const MOVED: [i64; 4] = [10, 10, -20, -5];

fn house() -> House {
    let house = House::new(&bank::join(), &[("operations", 1), ("movements", 1), ("accounts", 1)]);
    for (number, amount) in MOVED.into_iter().enumerate() {
        house.send(&OPERATIONS, "alice", amount, i64::try_from(number).unwrap());
    }
    house
}

fn movements(house: &House) -> Vec<Movement> {
    let read = |bytes: Option<Vec<u8>>| MOVEMENTS.value_serde().read(&bytes.unwrap()).unwrap();
    house.records("movements").remove(0).into_iter().map(|(_, value)| read(value)).collect()
}

/// The embedded rule: own records count at once, so the second withdrawal alone is refused.
fn expected() -> Vec<Movement> {
    vec![Movement::accepted(10), Movement::accepted(10), Movement::accepted(-20), Movement::refused(-5)]
}

/// Fails a commit: before the session has it, or after.
struct Failing {
    session: Arc<dyn Session>,
    commits: bool,
    /// What others see of the movements at this point, before and after.
    seen: Mutex<Vec<Offset>>,
    log: Arc<dyn Log>,
}

impl Failing {
    fn look(&self) {
        let end = self.log.bounds(&TopicPartition::new("movements", 0)).unwrap().end;
        self.seen.lock().unwrap().push(end);
    }
}

struct Shared(Arc<Failing>);

impl Committer for Shared {
    fn commit(&self, progress: Progress) -> Result<(), Error> {
        let operations = TopicPartition::new("operations", 0);
        assert_eq!(
            progress.inputs[&operations].next,
            Offset::new(4),
            "the progress of everything processed comes along"
        );
        self.0.look();
        if self.0.commits {
            Session::commit(&*self.0.session, &progress)?;
            self.0.look();
        }
        // Any error will do: the executor does not know which side of the commit it came from.
        Err(self.0.log.bounds(&TopicPartition::new("nowhere", 0)).unwrap_err().into())
    }
}

/// Runs everything and lets the commit fail; gives what others saw of the movements meanwhile.
fn fail_commit(house: &House, commits: bool) -> Vec<Offset> {
    let session = house.session();
    let failing =
        Arc::new(Failing { session: session.clone(), commits, seen: Mutex::default(), log: house.log.clone() });
    let settings = Settings { flush_rows: 1, ..Settings::default() };
    let (mut executor, _) = house.executor_on(session, Arc::new(Shared(failing.clone())), settings);
    run(&mut executor, &mut EagerChooser::default());
    assert_eq!(executor.commit().unwrap_err().kind(), ErrorKind::Unknown);
    drop::<Executor>(executor);
    failing.seen.lock().unwrap().clone()
}

/// A new executor does what is left to do.
fn finish(house: &House) {
    let (mut executor, _) = house.executor(Settings::default());
    run(&mut executor, &mut EagerChooser::default());
    executor.commit().unwrap();
}

#[test]
fn what_is_staged_is_seen_by_nobody_before_the_commit_and_by_all_after_it() {
    let house = house();
    assert_eq!(fail_commit(&house, true), [Offset::ZERO, Offset::new(4)]);
    assert_eq!(movements(&house), expected());
}

#[test]
fn a_commit_that_did_not_happen_leaves_nothing() {
    let house = house();
    let ends = house.ends();
    assert_eq!(fail_commit(&house, false), [Offset::ZERO]);
    assert_eq!(house.ends(), ends);
    assert_eq!(house.session().progress().unwrap(), Progress::default());
    assert_eq!(house.checkpoints(), [None], "no store is ahead of its changelog");
    finish(&house);
    assert_eq!(movements(&house), expected());
}

#[test]
fn a_commit_that_happened_unheard_is_not_done_again() {
    let house = house();
    fail_commit(&house, true);
    let ends = house.ends();
    finish(&house);
    assert_eq!(house.ends(), ends);
    assert_eq!(movements(&house), expected());
}

#[test]
fn an_executor_that_another_replaced_commits_nothing() {
    let house = house();
    let (mut executor, _) = house.executor(Settings::default());
    run(&mut executor, &mut EagerChooser::default());
    let ends = house.ends();
    let session = house.session();
    assert_eq!(executor.commit().unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(house.ends(), ends);
    assert_eq!(
        session.read(&TopicPartition::new("movements", 0), Offset::new(1), 1).unwrap_err().kind(),
        LogErrorKind::OutOfRange
    );
    drop(session);
    finish(&house);
    assert_eq!(movements(&house), expected());
}
