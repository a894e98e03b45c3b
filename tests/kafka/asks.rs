//! Two processes of one application on a real broker: whoever is asked, the one that has the key answers; threads that come and go
//! meanwhile are no news to the group.

use std::path::Path;
use std::time::Duration;

use tidemill::event_sourcing::{Aggregate, CommandContext, Commands, Reply};
use tidemill::log::Log;
use tidemill::log::kafka::{KafkaLog, KafkaSettings};
use tidemill::serde::SerdeRef;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, AppState, Settings, Topic};

use crate::support::{Child, itself, wait_until};

/// Which application a process of this test program runs, and where.
const INSTANCE: &str = "TIDEMILL_KAFKA_ASKED";
const PARTITIONS: u32 = 4;
const COUNTERS: Store<String, Counter> = Store::of("counters");
const LIMIT: Duration = Duration::from_secs(60);

/// What was added to it.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, tidemill::serde::Data)]
#[data(json)]
struct Counter(i64);

impl Aggregate for Counter {
    type Key = String;
    type Command = i64;
    type Event = i64;
    type Refusal = String;

    fn decide(&self, amount: &i64, _: &CommandContext<'_, String>) -> Result<Vec<i64>, String> {
        if self.0 + amount >= 0 { Ok(vec![*amount]) } else { Err(format!("{} is all there is", self.0)) }
    }

    fn evolve(&mut self, amount: &i64) {
        self.0 += amount;
    }
}

fn commands(application: &str) -> Commands<Counter> {
    Commands::new(Topic::new(format!("{application}-commands"), SerdeRef::of(), SerdeRef::of()))
}

fn topology(application: &str) -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream(&commands(application)).event_sourced(&COUNTERS);
    builder.build().unwrap()
}

async fn started(application: &str, folder: &Path) -> App {
    let kafka = KafkaSettings {
        session_timeout: Duration::from_secs(6),
        transaction_timeout: Duration::from_secs(10),
        ..KafkaSettings::new(crate::brokers())
    };
    let settings = Settings { commit_interval: Duration::from_millis(50), ..Settings::default() };
    let app = App::builder(application, topology(application)).kafka(kafka).settings(settings).state_folder(folder);
    #[cfg(feature = "http")]
    let app = app.query_server(tidemill::QueryServer::default());
    app.start().await.unwrap()
}

/// Does nothing unless it is a process of its own.
#[tokio::test]
async fn an_instance() {
    let Ok(work) = std::env::var(INSTANCE) else { return };
    let (application, folder) = work.split_once(' ').expect("an application and a folder");
    let app = started(application, Path::new(folder)).await;
    let mut states = app.states();
    let mut told = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
    tokio::select! {
        _ = told.recv() => app.close().await.unwrap(),
        state = states.wait_for(AppState::is_over) => panic!("{}", *state.unwrap()),
    }
}

/// How many partitions this process and the other one run.
fn shares(app: &App) -> (usize, usize) {
    let all = app.instances();
    let of = |is_here| all.iter().filter(|one| one.is_here == is_here).map(|one| one.active.len()).sum();
    (of(true), of(false))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_come_from_the_process_that_has_the_key_while_threads_come_and_go() {
    let application = format!("{}counters", crate::prefix());
    let log = KafkaLog::open(KafkaSettings::new(crate::brokers())).unwrap();
    let commands = commands(&application);
    log.create_topic(&tidemill::log::TopicSpec::new(commands.name(), PARTITIONS)).unwrap();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let work = format!("{application} {}", folders[0].path().display());
    let mut other = Child::start(&mut itself("asks::an_instance", INSTANCE, &work));
    let app = started(&application, folders[1].path()).await;
    tokio::task::block_in_place(|| wait_until("each has half", || shares(&app) == (2, 2)));
    let keys: Vec<String> = (0..16).map(|number| format!("counter-{number}")).collect();
    let is_elsewhere = |key: &String| {
        let owner = app.table(&COUNTERS).owner(key.as_str()).unwrap().unwrap();
        !owner.active.expect("somebody runs it").is_here
    };
    let elsewhere = keys.iter().filter(|key| is_elsewhere(key)).count();
    assert!(elsewhere > 0 && elsewhere < keys.len(), "both have some keys: {elsewhere} of {}", keys.len());
    let mut states = app.states();
    states.borrow_and_update();
    for round in 1..=6_u64 {
        let workers = if round % 2 == 1 { app.add_worker().await } else { app.remove_worker().await };
        assert_eq!(workers.unwrap(), if round % 2 == 1 { 2 } else { 1 });
        for key in &keys {
            let answer = app.ask(&commands, key.as_str(), 1).timeout(LIMIT).await.unwrap();
            assert_eq!(answer.reply, Reply::Accepted { version: round, events: vec![1] }, "{key}");
        }
    }
    assert!(!states.has_changed().unwrap(), "the group has not heard of the threads: {}", app.state());
    // Asked again with its id, a command is decided once, by whichever process.
    for key in &keys {
        let ask = || app.ask(&commands, key.as_str(), 10).id(format!("{key}-ten")).timeout(LIMIT);
        let (first, second) = (ask().await.unwrap(), ask().await.unwrap());
        assert_eq!(first.reply, second.reply);
    }
    let refused = app.ask(&commands, keys[0].as_str(), -17).timeout(LIMIT).await.unwrap();
    assert!(matches!(refused.reply, Reply::Refused(_)), "{:?}", refused.reply);
    #[cfg(feature = "http")]
    {
        let counters = app.table(&COUNTERS).routed(LIMIT);
        for key in &keys {
            assert_eq!(counters.get(key.as_str()).await.unwrap(), Some(Counter(16)), "{key}");
        }
        assert_eq!(counters.all().await.unwrap().len(), keys.len());
    }
    println!("asks: {} replies, {elsewhere} of {} keys with another process", 8 * keys.len() + 1, keys.len());
    other.terminate();
    assert!(other.wait().success());
    app.close().await.unwrap();
}
