//! What goes wrong once, each with its outcome: records that cannot be read, topics that do not fit, records that are gone, a
//! transaction that takes too long, a process that is killed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, TopicPartitionList};
use tidemill::log::Log;
use tidemill::log::kafka::{Guarantee, KafkaLog, KafkaSettings};
use tidemill::processor::{ERROR_OFFSET, ERROR_TOPIC, ErrorHandler, ErrorSettings};
use tidemill::record::{Offset, TopicPartition};
use tidemill::serde::SerdeRef;
use tidemill::state::Store;
use tidemill::stream::StreamsBuilder;
use tidemill::topology::{OffsetReset, Topology};
use tidemill::{App, AppState, Error, ErrorKind, OnError, Settings, Topic};

use crate::support::{
    ByKey, Child, Group, Input, LIMIT, Names, Output, OwnBroker, Producer, brokers, by_key, create_topic, ends,
    exactly_once, itself, pause, read_all, wait_until,
};

const SUMS: Store<String, i64> = Store::of("sums");

/// Sums by key, of the topic `in` to the topic `out`.
struct Scene {
    names: Names,
    partitions: u32,
}

impl Scene {
    fn new(word: &str, partitions: u32) -> Scene {
        let scene = Scene { names: Names::of(word), partitions };
        ["in", "out"].iter().for_each(|topic| create_topic(brokers(), &scene.names.topic(topic), partitions, &[]));
        scene
    }

    fn topic(&self, name: &str) -> Topic<String, i64> {
        let serdes = (SerdeRef::of(), SerdeRef::of());
        Topic::new(self.names.topic(name), serdes.0, serdes.1)
    }

    fn sums(&self) -> Topology {
        let builder = StreamsBuilder::new();
        let sums = builder.stream(&self.topic("in")).group_by_key();
        sums.aggregate(&SUMS, || 0, |sum: i64, _, value| sum + value).to_stream().to(&self.topic("out"));
        builder.build().unwrap()
    }

    fn settings() -> Settings {
        Settings { commit_interval: Duration::from_millis(50), flush_rows: 5, ..Settings::default() }
    }

    async fn start(&self, topology: Topology, settings: Settings, folder: Option<&Path>) -> Result<App, Error> {
        let kafka = KafkaSettings { session_timeout: Duration::from_secs(6), ..KafkaSettings::new(brokers()) };
        let app = App::builder(&self.names.application(), topology).kafka(kafka).settings(settings);
        match folder {
            Some(folder) => app.state_folder(folder).start().await,
            None => app.start().await,
        }
    }

    fn write(&self, numbers: std::ops::Range<i64>) {
        let inputs: Vec<Input> =
            numbers.map(|n| Input::long(&format!("key-{}", n % 20), n, 1_700_000_000_000 + n)).collect();
        Producer::new(brokers()).write(&self.names.topic("in"), &inputs);
    }

    /// The sums of records 0 to `count`, in the order of each key.
    fn expected(count: i64) -> ByKey<i64> {
        let mut expected: ByKey<i64> = ByKey::new();
        for n in 0..count {
            let sums = expected.entry(format!("key-{}", n % 20)).or_default();
            sums.push(sums.last().copied().unwrap_or(0) + n);
        }
        expected
    }

    fn out(&self) -> Vec<Output> {
        read_all(brokers(), &self.names.topic("out"))
    }

    #[track_caller]
    fn check(&self, count: i64) -> usize {
        self.check_all(&Scene::expected(count))
    }

    /// Waits for the outputs. Gives how many were compared.
    #[track_caller]
    fn check_all(&self, expected: &ByKey<i64>) -> usize {
        let enough = expected.values().map(Vec::len).sum();
        wait_until("all outputs", || self.out().len() >= enough);
        exactly_once(expected, &by_key(&self.out(), |record| record.long().unwrap()))
    }
}

fn with_errors(handler: ErrorHandler) -> Settings {
    let mut settings = Scene::settings();
    settings.tasks.errors = ErrorSettings::all(handler);
    settings
}

async fn failure(app: &App) -> Error {
    let mut states = app.states();
    let over = tokio::time::timeout(LIMIT, states.wait_for(AppState::is_over)).await;
    match over.expect("it ends within the limit").unwrap().clone() {
        AppState::Failed(error) => error,
        other => panic!("it should have failed and is {other}"),
    }
}

/// A record whose value is no number, between others of the same partition.
#[tokio::test]
async fn a_poison_record_stops_is_skipped_or_becomes_a_dead_letter() {
    let scene = Scene::new("poison", 1);
    let (input, dead) = (scene.names.topic("in"), scene.names.topic("dead"));
    create_topic(brokers(), &dead, 1, &[]);
    scene.write(0..10);
    Producer::new(brokers()).write(&input, &[Input::new("key-0", "poison", 1)]);
    scene.write(10..20);
    for round in 0..2 {
        let app = scene.start(scene.sums(), with_errors(ErrorHandler::fail()), None).await.unwrap();
        let error = failure(&app).await.to_string();
        assert!(error.contains(&input) && error.contains("10"), "round {round}: {error}");
        drop(app);
        assert!(Group::of(brokers(), &scene.names.application()).done(&input, 1) <= 10, "it stays before it");
    }
    let app = scene.start(scene.sums(), with_errors(ErrorHandler::dead_letter(&dead)), None).await.unwrap();
    scene.check(20);
    app.close().await.unwrap();
    let letters = read_all(brokers(), &dead);
    let header =
        |name: &str| letters[0].headers.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.clone());
    assert_eq!((letters.len(), letters[0].value.as_deref()), (1, Some(&b"poison"[..])));
    assert_eq!(header(ERROR_TOPIC).as_deref(), Some(input.as_bytes()));
    assert_eq!(header(ERROR_OFFSET).as_deref(), Some(&b"10"[..]));
    Producer::new(brokers()).write(&input, &[Input::new("key-0", "another", 1)]);
    let app = scene.start(scene.sums(), with_errors(ErrorHandler::skip()), None).await.unwrap();
    scene.write(20..40);
    let records = scene.check(40);
    app.close().await.unwrap();
    assert_eq!(read_all(brokers(), &dead).len(), 1, "what is skipped is no letter, and the first one came once");
    println!("poison: 3 policies, 2 poison records, {records} outputs checked");
}

/// KAFKA-16903: an error of one task's record was told of another's. What brokers refuse is named, and voids the work of all tasks that
/// are in the transaction; a corrected program does it again.
#[tokio::test]
async fn a_record_that_brokers_refuse_is_named_and_voids_what_was_done_with_it() {
    const LONGEST: usize = 2_000;
    let scene = Scene::new("refused", 2);
    let narrow = scene.names.topic("narrow");
    create_topic(brokers(), &narrow, 2, &[("max.message.bytes", &LONGEST.to_string())]);
    let topology = |longest: usize| {
        let (builder, serdes) = (StreamsBuilder::new(), (SerdeRef::of(), SerdeRef::of()));
        let texts = builder.stream(&scene.topic("in")).map_values_with_key(move |_, value| {
            // Of one task only: its key is in one partition.
            let length = if *value == 7 { longest } else { 3 };
            format!("{value:0length$}")
        });
        texts.to(&Topic::<String, String>::new(narrow.clone(), serdes.0, serdes.1));
        builder.build().unwrap()
    };
    scene.write(0..20);
    for round in 0..2 {
        // It may come while the application starts.
        let error = match scene.start(topology(2 * LONGEST), Scene::settings(), None).await {
            Ok(app) => failure(&app).await,
            Err(error) => error,
        };
        let told = error.to_string();
        let refused = (0..2).find(|partition| told.contains(&format!("`{narrow}-{partition}`")));
        assert!(refused.is_some() && told.contains("max.message.bytes"), "round {round}: {told}");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{told}");
        // The other task may have come to a commit before this one had its records.
        let committed = read_all(brokers(), &narrow).iter().filter(|output| Some(output.partition) == refused).count();
        assert_eq!(committed, 0, "round {round}: nothing of it is committed");
    }
    let app = scene.start(topology(3), Scene::settings(), None).await.unwrap();
    let text = |record: &Output| String::from_utf8(record.value.clone().unwrap()).unwrap();
    wait_until("all outputs", || read_all(brokers(), &narrow).len() >= 20);
    let expected: ByKey<String> = (0..20).map(|n| (format!("key-{n}"), vec![format!("{n:03}")])).collect();
    let records = exactly_once(&expected, &by_key(&read_all(brokers(), &narrow), text));
    app.close().await.unwrap();
    println!("a refused record: 2 rounds, {records} outputs checked");
}

/// What is joined has equally many partitions, and a topic that is there is taken as it is.
#[tokio::test]
async fn a_topic_with_too_few_partitions_is_refused_by_name() {
    let scene = Scene::new("few", 4);
    create_topic(brokers(), &scene.names.topic("prices"), 2, &[]);
    let builder = StreamsBuilder::new();
    let prices = builder.table(&scene.topic("prices"));
    builder.stream(&scene.topic("in")).join(&prices, |value, price| value * price).to(&scene.topic("out"));
    let refused = scene.start(builder.build().unwrap(), Scene::settings(), None).await.err().expect("it is refused");
    let told = refused.to_string();
    assert!(told.contains(&scene.names.topic("prices")) && told.contains(&scene.names.topic("in")), "{told}");

    let changelog = format!("{}-sums-changelog", scene.names.application());
    create_topic(brokers(), &changelog, 1, &[("cleanup.policy", "compact")]);
    let refused = scene.start(scene.sums(), Scene::settings(), None).await.err().expect("it is refused");
    let told = refused.to_string();
    assert!(told.contains(&changelog) && told.contains('4') && told.contains('1'), "{told}");
}

/// Trap 28: a restore ends at a position, not at a record; the last offsets of a changelog are the ends of transactions.
#[tokio::test]
async fn a_changelog_that_ends_in_ends_of_transactions_is_restored() {
    let scene = Scene::new("markers", 2);
    let app = scene.start(scene.sums(), Scene::settings(), None).await.unwrap();
    scene.write(0..100);
    scene.check(100);
    app.close().await.unwrap();
    let changelog = format!("{}-sums-changelog", scene.names.application());
    let ended_by_commits = ends(brokers(), &changelog, 2);
    // Somebody dies after records that are never committed.
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers()).set("transactional.id", scene.names.topic("stranger"));
    let stranger: BaseProducer = config.create().unwrap();
    stranger.init_transactions(LIMIT).unwrap();
    stranger.begin_transaction().unwrap();
    for partition in 0..2 {
        let value = 7_777_777_i64.to_be_bytes();
        stranger.send(BaseRecord::to(&changelog).partition(partition).key("key-1").payload(&value[..])).unwrap();
    }
    stranger.flush(LIMIT).unwrap();
    stranger.abort_transaction(LIMIT).unwrap();
    wait_until("the end of the aborted transaction", || {
        ends(brokers(), &changelog, 2).iter().zip(&ended_by_commits).all(|(now, then)| *now == then + 2)
    });
    let app = tokio::time::timeout(LIMIT, scene.start(scene.sums(), Scene::settings(), None)).await;
    let app = app.expect("the restore ends").unwrap();
    let restored = app.restored();
    assert!(
        (20..=100).contains(&restored),
        "{restored} records: at least a row of each key, and nothing that was aborted"
    );
    scene.write(100..200);
    let records = scene.check(200);
    app.close().await.unwrap();
    println!(
        "markers: {restored} records restored, 2 partitions with a marker of each kind, {records} outputs checked"
    );
}

/// A transaction whose end the brokers do not write keeps a place pending: what it is a place in is said, and what to look at.
#[test]
fn a_place_that_stays_pending_is_named() {
    let scene = Scene::new("pending", 2);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers()).set("group.id", scene.names.application());
    let member: BaseConsumer = config.create().unwrap();
    let group = member.group_metadata().unwrap();
    let place = |next: i64| {
        let mut places = TopicPartitionList::new();
        places.add_partition_offset(&scene.names.topic("in"), 1, rdkafka::Offset::Offset(next)).unwrap();
        places
    };
    member.commit(&place(3), CommitMode::Sync).unwrap();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers()).set("transactional.id", scene.names.topic("open"));
    let open: BaseProducer = config.create().unwrap();
    open.init_transactions(LIMIT).unwrap();
    open.begin_transaction().unwrap();
    open.send_offsets_to_transaction(&place(7), &group, LIMIT).unwrap();
    let settings = KafkaSettings {
        transaction_timeout: Duration::from_secs(1),
        answer_within: Duration::from_secs(2),
        ..KafkaSettings::new(brokers())
    };
    let log = KafkaLog::open(settings).unwrap();
    let error = log.progress(&scene.names.application()).unwrap_err().to_string();
    assert!(error.contains(&format!("`{}-1`", scene.names.topic("in"))), "{error}");
    assert!(error.contains("have not ended within 3s") && error.contains("find-hanging"), "{error}");
    open.commit_transaction(LIMIT).unwrap();
    wait_until("the place", || {
        let place = log.progress(&scene.names.application()).unwrap();
        place.inputs.values().map(|at| at.next).eq([Offset::new(7)])
    });
}

/// Trap 30: the offset that was committed is gone.
#[tokio::test]
async fn records_that_retention_removed_are_missed_aloud() {
    let scene = Scene::new("retention", 1);
    let resetting = |offset_reset| {
        let mut settings = Scene::settings();
        settings.tasks.offset_reset = offset_reset;
        settings
    };
    let app = scene.start(scene.sums(), resetting(OffsetReset::Fail), None).await.unwrap();
    scene.write(0..20);
    scene.check(20);
    app.close().await.unwrap();
    scene.write(20..60);
    let partition = TopicPartition::new(scene.names.topic("in"), 0);
    let log = KafkaLog::open(KafkaSettings::new(brokers())).unwrap();
    log.delete_records(&partition, Offset::new(40)).unwrap();
    let refused = match scene.start(scene.sums(), resetting(OffsetReset::Fail), None).await {
        Err(error) => error,
        Ok(app) => failure(&app).await,
    };
    assert_eq!(refused.kind(), ErrorKind::Lagged, "{refused}");
    assert!(refused.to_string().contains("goes on at 20") && refused.to_string().contains("from 40"), "{refused}");
    let app = scene.start(scene.sums(), resetting(OffsetReset::Earliest), None).await.unwrap();
    wait_until("the outputs of what is left", || scene.out().len() == 40);
    app.close().await.unwrap();
    let found = by_key(&scene.out(), |record| record.long().unwrap());
    // Every key had a record before, one that is gone, and one that is left.
    assert!((0..20).all(|n| found[&format!("key-{n}")] == [n, n + n + 40]), "{found:?}");
}

/// Trap 20: the brokers end a transaction that is open for too long. It opens with the commit, so a slow record keeps none open, also
/// where what came before it goes through a repartition topic.
#[tokio::test]
async fn a_record_that_takes_longer_than_a_transaction_may_counts_once() {
    static HAS_WAITED: AtomicBool = AtomicBool::new(false);
    let scene = Scene::new("slow", 2);
    let builder = StreamsBuilder::new();
    let slowly = |_: &String, value: &i64| {
        if *value == 50 && !HAS_WAITED.swap(true, Ordering::SeqCst) {
            pause(Duration::from_secs(6));
        }
        *value
    };
    let input = builder.stream(&scene.topic("in")).map_values_with_key(slowly).select_key(|key, _| key.clone());
    let sums = input.group_by_key().aggregate(&SUMS, || 0, |sum: i64, _, value| sum + value);
    sums.to_stream().to(&scene.topic("out"));
    let kafka = KafkaSettings { transaction_timeout: Duration::from_secs(2), ..KafkaSettings::new(brokers()) };
    scene.write(0..100);
    let app =
        App::builder(&scene.names.application(), builder.build().unwrap()).kafka(kafka).settings(Scene::settings());
    let app = app.start().await.unwrap();
    let mut states = app.states();
    states.borrow_and_update();
    scene.check(100);
    assert!(!states.has_changed().unwrap(), "the application runs on: {}", *states.borrow());
    scene.write(100..200);
    let records = scene.check(200);
    assert!(HAS_WAITED.load(Ordering::SeqCst));
    app.close().await.unwrap();
    println!("a slow record: no transaction timed out, {records} outputs checked");
}

/// A process waits for brokers that are away as long as it is told to; then that is an error like others, and a later start goes on.
#[tokio::test]
async fn brokers_that_are_away_for_longer_than_the_task_timeout_end_a_process() {
    const COUNT: i64 = 100;
    let (broker, names) = (OwnBroker::start(&[]), Names::of("away"));
    let seen = Arc::new(AtomicI64::new(0));
    ["in", "out"].iter().for_each(|topic| create_topic(broker.address(), &names.topic(topic), 1, &[]));
    let inputs: Vec<Input> = (0..COUNT).map(|n| Input::long("key", n, 1_700_000_000_000 + n)).collect();
    Producer::new(broker.address()).write(&names.topic("in"), &inputs);
    let start = async |pause_for: Duration| {
        let (builder, seen) = (StreamsBuilder::new(), seen.clone());
        let topic = |name: &str| Topic::<String, i64>::new(names.topic(name), SerdeRef::of(), SerdeRef::of());
        let slowly = move |_: &String, value: &i64| {
            pause(pause_for);
            seen.fetch_max(*value, Ordering::SeqCst);
            *value
        };
        builder.stream(&topic("in")).map_values_with_key(slowly).to(&topic("out"));
        let guarantee = Guarantee::AtLeastOnce;
        let answer_within = Duration::from_secs(2);
        let kafka = KafkaSettings { guarantee, answer_within, ..KafkaSettings::new(broker.address()) };
        let mut settings = Scene::settings();
        settings.on_error.task_timeout = Some(Duration::from_secs(3));
        let app = App::builder(&names.application(), builder.build().unwrap()).kafka(kafka).settings(settings);
        app.start().await.unwrap()
    };
    let app = start(Duration::from_millis(200)).await;
    wait_until("some work", || seen.load(Ordering::SeqCst) > 2);
    broker.kill();
    let error = failure(&app).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("the brokers"), "{error}");
    drop(app);
    broker.resume();
    let app = start(Duration::ZERO).await;
    wait_until("all outputs", || {
        let out: BTreeSet<i64> =
            read_all(broker.address(), &names.topic("out")).iter().filter_map(|record| record.long()).collect();
        out == (0..COUNT).collect()
    });
    app.close().await.unwrap();
}

/// The process that failed says why, the other one that it was stopped, and who comes later is not concerned.
#[tokio::test]
async fn an_error_that_is_to_stop_the_application_stops_all_its_processes() {
    let (scene, is_unlucky) = (Scene::new("all", 2), Arc::new(AtomicBool::new(true)));
    let topology = || {
        let (builder, is_unlucky) = (StreamsBuilder::new(), is_unlucky.clone());
        let careful = move |_: &String, value: &i64| match value {
            13 if is_unlucky.load(Ordering::SeqCst) => Err("unlucky"),
            value => Ok(*value),
        };
        let sums = builder.stream(&scene.topic("in")).try_map_values(careful).group_by_key();
        sums.aggregate(&SUMS, || 0, |sum: i64, _, value| sum + value).to_stream().to(&scene.topic("out"));
        builder.build().unwrap()
    };
    let mut settings = Scene::settings();
    settings.on_error.response = OnError::StopApplication;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let here = scene.start(topology(), settings.clone(), Some(folders[0].path())).await.unwrap();
    let there = scene.start(topology(), settings.clone(), Some(folders[1].path())).await.unwrap();
    let share = |app: &App| app.instances().iter().filter(|instance| !instance.active.is_empty()).count();
    wait_until("both work", || share(&here) == 2 && share(&there) == 2);
    scene.write(0..20);
    let mut errors = [failure(&here).await, failure(&there).await];
    errors.sort_by_key(|error| error.kind() == ErrorKind::Closed);
    assert_eq!(errors[0].kind(), ErrorKind::Processing, "{}", errors[0]);
    let told = errors[1].to_string();
    assert!(errors[1].kind() == ErrorKind::Closed && told.contains("stopped all of them"), "{told}");
    assert!(told.contains("unlucky") && told.contains(&scene.names.application()), "{told}");
    // Their folders are free when their threads have ended.
    assert!(here.close().await.is_err() && there.close().await.is_err());
    is_unlucky.store(false, Ordering::SeqCst);
    let app = scene.start(topology(), settings, Some(folders[0].path())).await.unwrap();
    scene.check(20);
    app.close().await.unwrap();
}

/// Which application a process of this test program runs, and where.
const INSTANCE: &str = "TIDEMILL_KAFKA_KILLED";

/// Does nothing unless it is a process of its own.
#[tokio::test]
async fn an_instance() {
    let Ok(work) = std::env::var(INSTANCE) else { return };
    let (prefix, folder) = work.split_once(' ').expect("names and a folder");
    let scene = Scene { names: Names::again(prefix), partitions: 2 };
    let app = scene.start(scene.sums(), Scene::settings(), Some(Path::new(folder))).await.unwrap();
    let mut states = app.states();
    panic!("{}", *states.wait_for(AppState::is_over).await.unwrap());
}

/// Traps 1, 2, 4 and 11: the store on disk is a checkpoint, and only what lies behind it is read again.
#[tokio::test]
async fn a_killed_process_restores_what_lies_behind_its_checkpoint() {
    const COUNT: i64 = 4_000;
    let (scene, folder) = (Scene::new("killed", 2), tempfile::tempdir().unwrap());
    let work = format!("{} {}", scene.names.prefix(), folder.path().display());
    let mut process = Child::start(&mut itself("faults::an_instance", INSTANCE, &work));
    for begin in (0..COUNT).step_by(100) {
        scene.write(begin..begin + 100);
    }
    let mut expected = Scene::expected(COUNT);
    // One row that changes twice is behind the checkpoint, whether or not the first change filled it up.
    for sum in 1..=2 {
        scene.check_all(&expected);
        Producer::new(brokers()).write(&scene.names.topic("in"), &[Input::long("last", 1, 1_700_000_000_000)]);
        expected.entry("last".to_owned()).or_default().push(sum);
    }
    scene.check_all(&expected);
    process.kill();
    let changelog = format!("{}-sums-changelog", scene.names.application());
    let written = read_all(brokers(), &changelog).len() as u64;
    let app = scene.start(scene.sums(), Scene::settings(), Some(folder.path())).await.unwrap();
    let restored = app.restored();
    assert!((1..=10).contains(&restored), "{restored} of {written} records of the changelog were restored");
    Producer::new(brokers()).write(&scene.names.topic("in"), &[Input::long("last", 1, 1_700_000_000_000)]);
    expected.entry("last".to_owned()).or_default().push(3);
    let records = scene.check_all(&expected);
    app.close().await.unwrap();
    println!(
        "killed: {restored} of {written} records restored, {records} outputs checked; {} partitions",
        scene.partitions
    );
}
