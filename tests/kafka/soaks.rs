//! Processes of one application while input flows and something dies again and again: the broker, processes, or each process in
//! turn for a restart. What must come of the input is computed from it alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tidemill::log::kafka::{Guarantee, KafkaLog, KafkaSettings};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, AppState, Clock, SystemClock};

use crate::instances::{Chance, StopAtEnd, rounds, rounds_asked_for};
use crate::ledger::{Names, Outputs, PARTITIONS, record};
use crate::support::{
    ByKey, Child, Committed, Group, Input, Output, OwnBroker, Producer, at_least_once, brokers, by_key, ends, itself,
    pause, read_all, tell, wait_until,
};

/// Which application a process of this test program runs, and where.
const INSTANCE: &str = "TIDEMILL_KAFKA_SOAK";

/// When the first record happened. A broker that starts again has forgotten producers whose last record is older than a day, unless
/// they have a transaction open: it may take one of the input twice, and none of the outputs.
const LONG_AGO: i64 = 1_700_000_000_000;

/// An application, and the broker that it is on.
struct Site {
    names: Names,
    brokers: String,
    guarantee: Guarantee,
}

impl Site {
    fn new(brokers: &str, guarantee: Guarantee) -> Site {
        let site = Site { names: Names::new(&crate::prefix()), brokers: brokers.to_owned(), guarantee };
        site.names.create(&site.log());
        site
    }

    fn settings(&self) -> KafkaSettings {
        KafkaSettings {
            guarantee: self.guarantee,
            session_timeout: Duration::from_secs(6),
            transaction_timeout: Duration::from_secs(10),
            ..KafkaSettings::new(self.brokers.clone())
        }
    }

    fn log(&self) -> KafkaLog {
        KafkaLog::open(self.settings()).expect("the broker can be reached")
    }

    /// Sums and counts where each record counts once; copies, also behind a repartition topic, where it may count twice.
    fn topology(&self) -> Topology {
        match self.guarantee {
            Guarantee::ExactlyOnce => self.names.topology(),
            Guarantee::AtLeastOnce => {
                let builder = StreamsBuilder::new();
                let input = builder.stream(&self.names.input());
                input.to(&self.names.sums());
                let again = input.select_key(|key, _| key.clone()).repartition().named("again");
                again.to(&self.names.counts());
                builder.build().unwrap()
            }
        }
    }

    fn start(&self, folder: &Path) -> Child {
        let (application, guarantee) = (&self.names.application, self.guarantee == Guarantee::ExactlyOnce);
        let work = format!("{application} {} {guarantee} {}", self.brokers, folder.display());
        Child::start(&mut itself("soaks::an_instance", INSTANCE, &work))
    }

    /// Runs as many processes while input flows, lets `faults` happen to them, and waits until all input is done with. Gives how
    /// much that was.
    fn run(&self, processes: usize, faults: impl FnOnce(&mut [(Child, TempDir)])) -> Vec<(String, i64)> {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Also when the test fails, or it would wait for the sender for ever.
            let _stop = StopAtEnd(&stop);
            let sender = scope.spawn(|| self.send(&stop));
            let begin = |_| {
                let folder = tempfile::tempdir().unwrap();
                (self.start(folder.path()), folder)
            };
            let mut processes: Vec<(Child, TempDir)> = (0..processes).map(begin).collect();
            pause(Duration::from_secs(4));
            faults(&mut processes);
            stop.store(true, Ordering::SeqCst);
            let sent = sender.join().expect("everything was sent");
            let input = self.input();
            assert!(input.len() as u64 >= sent, "{sent} records were sent, and {} are there", input.len());
            self.wait(input.len(), &mut processes);
            // The folders stay until the processes have ended.
            let (children, _folders): (Vec<Child>, Vec<TempDir>) = processes.into_iter().unzip();
            children.into_iter().for_each(|mut process| process.end_in_peace());
            input
        })
    }

    /// Gives how much was sent.
    fn send(&self, stop: &AtomicBool) -> u64 {
        let mut sent = 0;
        let (producer, topic) = (Producer::new(&self.brokers), self.names.input());
        while !stop.load(Ordering::SeqCst) {
            for number in sent..sent + 50 {
                let (key, value) = record(number);
                producer.send(topic.name(), &Input::long(&key, value, LONG_AGO + number as i64));
            }
            sent += 50;
            pause(Duration::from_millis(20));
        }
        producer.flush();
        sent
    }

    /// What lies in the input, in the order of each key.
    fn input(&self) -> Vec<(String, i64)> {
        let records = read_all(&self.brokers, self.names.input().name());
        records.iter().map(|record| (record.text_key(), record.long().unwrap())).collect()
    }

    /// Waits until the group is through the input, and through what it sent itself.
    fn wait(&self, records: usize, processes: &mut [(Child, TempDir)]) {
        let group = Group::of(&self.brokers, &self.names.application);
        let own = match self.guarantee {
            Guarantee::ExactlyOnce => None,
            Guarantee::AtLeastOnce => Some(format!("{}-again-repartition", self.names.application)),
        };
        wait_until("the end of the input", || {
            processes.iter_mut().for_each(|(process, _)| process.must_be_there());
            group.done(self.names.input().name(), PARTITIONS) == records as i64
                && match &own {
                    Some(own) => {
                        let end: i64 = ends(&self.brokers, own, PARTITIONS).into_iter().sum();
                        group.done(own, PARTITIONS) == end
                    }
                    None => Outputs::read(&self.names, &self.log()).len() >= 2 * records,
                }
        });
    }

    /// Waits until every partition of the input is further than now. Gives how many milliseconds that took.
    fn recovery(&self, processes: &mut [(Child, TempDir)]) -> i64 {
        let begun = SystemClock.now().as_millis();
        let group = Group::of(&self.brokers, &self.names.application);
        let places = || group.committed(self.names.input().name(), PARTITIONS);
        let before = places();
        wait_until("progress in every partition", || {
            processes.iter_mut().for_each(|(process, _)| process.must_be_there());
            let now = places();
            (0..PARTITIONS.cast_signed()).all(|number| {
                let next = |places: &BTreeMap<i32, Committed>| places.get(&number).map_or(0, |place| place.next);
                next(&now) > next(&before)
            })
        });
        SystemClock.now().as_millis() - begun
    }

    /// Every sum of each key and every count of each group is there once, in order. Gives how many those are.
    fn exactly_once(&self, input: &[(String, i64)]) -> usize {
        let (expected, found) = (Outputs::of(input.iter().cloned()), Outputs::read(&self.names, &self.log()));
        crate::support::exactly_once(&expected.sums, &found.sums)
            + crate::support::exactly_once(&expected.counts, &found.counts)
    }

    /// Every record is there, in the order of its key, in both topics. Gives how many were looked for and how many found.
    fn at_least_once(&self, input: &[(String, i64)]) -> (usize, usize) {
        let mut expected: ByKey<i64> = ByKey::new();
        for (key, value) in input {
            expected.entry(key.clone()).or_default().push(*value);
        }
        let (mut looked_for, mut there) = (0, 0);
        for topic in [self.names.sums(), self.names.counts()] {
            let found: Vec<Output> = read_all(&self.brokers, topic.name());
            there += found.len();
            looked_for += at_least_once(&expected, &by_key(&found, |record| record.long().unwrap()));
        }
        (looked_for, there)
    }
}

/// Does nothing unless it is a process of its own.
#[tokio::test]
async fn an_instance() {
    let Ok(work) = std::env::var(INSTANCE) else { return };
    tell();
    let words: Vec<&str> = work.splitn(4, ' ').collect();
    let [application, brokers, guarantee, folder] = words[..] else { panic!("`{work}` says too little") };
    let guarantee = if guarantee == "true" { Guarantee::ExactlyOnce } else { Guarantee::AtLeastOnce };
    let names = Names { application: application.to_owned() };
    let site = Site { names, brokers: brokers.to_owned(), guarantee };
    // It may be told to end before it has its share.
    let mut told = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
    let app = App::builder(application, site.topology()).kafka(site.settings()).settings(Names::settings());
    let app = app.state_folder(folder).start().await.unwrap();
    let mut states = app.states();
    tokio::select! {
        _ = told.recv() => app.close().await.unwrap(),
        state = states.wait_for(AppState::is_over) => panic!("{}", *state.unwrap()),
    }
}

#[test]
fn a_killed_broker_loses_nothing_with_at_least_once() {
    let broker = OwnBroker::start(&[]);
    let site = Site::new(broker.address(), Guarantee::AtLeastOnce);
    let (kills, mut chance) = (rounds().div_ceil(2), Chance(11));
    let input = site.run(2, |_| {
        for _ in 0..kills {
            pause(Duration::from_millis(500 + chance.below(500)));
            broker.kill();
            pause(Duration::from_millis(chance.below(1_000)));
            broker.resume();
            pause(Duration::from_secs(2));
        }
    });
    let (records, found) = site.at_least_once(&input);
    println!("broker killed: {kills} rounds, {kills} kills, {records} records looked for among {found}");
}

/// Trap 15: of the commits that were under way nobody knows the outcome, so each process finds out and goes on from there. How soon
/// they do is from the moment when the broker answers until every partition of the input is further than it was.
///
/// One kill unless somebody asks for more: after some two hundred a broker has offsets pending for ever, see docs/reliability.md.
#[test]
fn a_killed_broker_loses_nothing_and_repeats_nothing_with_exactly_once() {
    let rounds = rounds_asked_for().unwrap_or(1);
    let broker = OwnBroker::start(&[]);
    let site = Site::new(broker.address(), Guarantee::ExactlyOnce);
    let (kills, mut chance, mut slowest) = (rounds.div_ceil(2), Chance(11), 0);
    let input = site.run(2, |processes| {
        for _ in 0..kills {
            pause(Duration::from_millis(500 + chance.below(500)));
            broker.kill();
            pause(Duration::from_millis(chance.below(1_000)));
            broker.resume();
            slowest = slowest.max(site.recovery(processes));
        }
    });
    let outputs = site.exactly_once(&input);
    println!(
        "broker killed in mid-transaction: {kills} rounds, {kills} kills, {} records, {outputs} outputs checked; the slowest \
         recovery took {slowest} ms",
        input.len()
    );
}

/// Trap 22, as far as Kafka goes: with at-least-once a record may come twice, and is never left out.
#[test]
fn killed_processes_lose_nothing_with_at_least_once() {
    let site = Site::new(brokers(), Guarantee::AtLeastOnce);
    let (kills, mut chance) = (rounds(), Chance(5));
    let input = site.run(2, |processes| {
        for _ in 0..kills {
            let which = usize::try_from(chance.below(2)).unwrap();
            let (process, folder) = &mut processes[which];
            process.kill();
            pause(Duration::from_millis(chance.below(500)));
            *process = site.start(folder.path());
            pause(Duration::from_secs(2));
        }
    });
    let (records, found) = site.at_least_once(&input);
    println!("at-least-once: {kills} rounds, {kills} kills, {records} records looked for among {found}");
}

/// Traps 13 and 25: what is asked back is committed with everything else of its worker, and each process comes back to its place.
#[test]
fn a_rolling_restart_loses_nothing_and_does_nothing_twice() {
    let site = Site::new(brokers(), Guarantee::ExactlyOnce);
    let (rounds, mut restarts) = (rounds().div_ceil(3), 0);
    let input = site.run(3, |processes| {
        for which in (0..rounds).flat_map(|_| 0..3) {
            let (process, folder) = &mut processes[which];
            process.end_in_peace();
            *process = site.start(folder.path());
            restarts += 1;
            pause(Duration::from_secs(2));
        }
    });
    let outputs = site.exactly_once(&input);
    println!(
        "rolling restart: {rounds} rounds, {restarts} restarts, {} records, {outputs} outputs checked",
        input.len()
    );
}
