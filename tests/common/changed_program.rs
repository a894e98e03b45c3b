//! The rows of the table of changes in docs/guide/changing.md, on whatever log an application runs.

use std::time::Duration;

use tidemill::prelude::*;
use tidemill::record::Timestamp;
use tidemill::serde::{SerdeRef, Upcasting};
use tidemill::state::Changelog;
use tidemill::stream::Materialized;
use tidemill::topology::Topology;
use tidemill::{App, AppBuilder, Clock, ErrorKind, SystemClock};

/// An application that is started again and again, as one program and then as another.
pub(crate) struct Scene {
    pub(crate) application: String,
    /// Where its topics and its state are.
    pub(crate) place: Box<dyn Fn(AppBuilder) -> AppBuilder>,
}

impl Scene {
    fn topic(&self, name: &str) -> Topic<String, i64> {
        Topic::new(format!("{}-{name}", self.application), SerdeRef::of(), SerdeRef::of())
    }

    fn builder(&self, topology: Topology) -> AppBuilder {
        let settings = Settings { commit_interval: Duration::from_millis(20), partitions: 2, ..Settings::default() };
        let app = ["in", "out", "counts"]
            .iter()
            .fold(App::builder(&self.application, topology), |app, name| app.topic(&self.topic(name), 2));
        (self.place)(app.settings(settings))
    }

    /// Lets a program process the values of one key.
    async fn run(&self, builder: AppBuilder, values: &[i64]) -> App {
        let app = builder.start().await.unwrap();
        for value in values {
            app.send(&self.topic("in"), "key", *value).await.unwrap();
        }
        app.settled().await.unwrap();
        app
    }

    /// What a program put out, the last one first to fail where rows were lost.
    async fn answers(&self, builder: AppBuilder, values: &[i64]) -> Vec<i64> {
        let app = self.run(builder, values).await;
        let out = app.subscribe(&self.topic("out")).unwrap().read().unwrap();
        app.close().await.unwrap();
        out.into_iter().map(|record| record.value.unwrap()).collect()
    }

    /// The words with which a program is refused.
    async fn refusal(&self, builder: AppBuilder) -> String {
        let refused = builder.start().await.err().expect("it is refused");
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
        let told = refused.to_string();
        assert!(told.contains("nothing of it was changed"), "{told}");
        told
    }

    /// Sums by key, behind a filter or not, in a store that is declared so.
    fn sums(&self, filtered: bool, store: Materialized<String, i64>) -> Topology {
        let builder = StreamsBuilder::new();
        let mut input = builder.stream(&self.topic("in"));
        if filtered {
            input = input.filter(|_, value| *value > 0);
        }
        input.group_by_key().reduce_with(store, |sum, value| sum + value).to_stream().to(&self.topic("out"));
        builder.build().unwrap()
    }

    fn named(&self, name: &'static str) -> Topology {
        self.sums(false, Materialized::store(&Store::of(name)))
    }

    /// Sums by key, and counts by value behind a repartition topic.
    fn with_counts(&self) -> Topology {
        let builder = StreamsBuilder::new();
        let input = builder.stream(&self.topic("in"));
        let sums = input.group_by_key().reduce_with(&Store::of("sums"), |sum, value| sum + value);
        sums.to_stream().to(&self.topic("out"));
        let counts = input.group_by(|_, value| value.to_string()).named("by-value").count_with(&Store::of("counts"));
        counts.to_stream().to(&self.topic("counts"));
        builder.build().unwrap()
    }
}

/// A filter above moves the number in the name of a store that was given none; one with a name does not notice.
pub(crate) async fn added_filter(scene: &Scene) {
    let first = scene.answers(scene.builder(scene.sums(false, Materialized::default())), &[1, 2]).await;
    assert_eq!(first, [1, 3]);
    let filtered = || scene.builder(scene.sums(true, Materialized::default()));
    let (was, is) = ("KSTREAM-REDUCE-STATE-STORE-0000000001", "KSTREAM-REDUCE-STATE-STORE-0000000002");
    let told = scene.refusal(filtered()).await;
    assert!(told.contains(&format!("store `{was}`")) && told.contains(&format!("`{is}` is new")), "{told}");
    assert!(told.contains(&format!("rename_state(\"{was}\"")), "{told}");
    let answers = scene.answers(filtered().rename_state(was, is), &[-5, 4]).await;
    assert_eq!(answers, [1, 3, 7], "the rows went along, and what is filtered does not count");
    // The call may stay, and may go.
    assert_eq!(scene.answers(filtered().rename_state(was, is), &[1]).await.last(), Some(&8));
    assert_eq!(scene.answers(filtered(), &[1]).await.last(), Some(&9));
}

pub(crate) async fn added_filter_above_a_named_store(scene: &Scene) {
    scene.answers(scene.builder(scene.named("sums")), &[1, 2]).await;
    let filtered = scene.builder(scene.sums(true, Materialized::store(&Store::of("sums"))));
    assert_eq!(scene.answers(filtered, &[-5, 4]).await, [1, 3, 7]);
}

pub(crate) async fn renamed_store(scene: &Scene) {
    scene.answers(scene.builder(scene.named("sums")), &[1, 2]).await;
    let told = scene.refusal(scene.builder(scene.named("totals"))).await;
    assert!(told.contains("rename_state(\"sums\"") && told.contains("`totals` is new"), "{told}");
    let wrong = scene.builder(scene.named("totals")).rename_state("sums", "others");
    let told = scene.refusal(wrong).await;
    assert!(told.contains("cannot be renamed to `others`: the program has no store of that name"), "{told}");
    let renamed = || scene.builder(scene.named("totals")).rename_state("sums", "totals");
    assert_eq!(scene.answers(renamed(), &[4]).await, [1, 3, 7]);
    // Back again, with the old name's topic gone: nothing of the first rows may come back.
    let back = scene.builder(scene.named("sums")).rename_state("totals", "sums");
    assert_eq!(scene.answers(back, &[1]).await, [1, 3, 7, 8]);
}

pub(crate) async fn dropped_store(scene: &Scene) {
    scene.answers(scene.builder(scene.named("sums")), &[1, 2]).await;
    let fresh = || scene.builder(scene.named("totals")).drop_state("sums");
    assert_eq!(scene.answers(fresh(), &[4]).await, [1, 3, 4]);
    // The old name is free, and has no rows.
    let again = scene.builder(scene.named("sums")).drop_state("totals");
    assert_eq!(scene.answers(again, &[5]).await, [1, 3, 4, 5]);
}

pub(crate) async fn other_partition_count(scene: &Scene) {
    scene.answers(scene.builder(scene.named("sums")), &[1, 2]).await;
    let wider = || {
        let builder = StreamsBuilder::new();
        let sums = builder.stream(&scene.topic("wide")).group_by_key();
        sums.reduce_with(&Store::of("sums"), |sum, value| sum + value).to_stream().to(&scene.topic("out"));
        let topology = builder.build().unwrap();
        scene.builder(topology).topic(&scene.topic("wide"), 3)
    };
    let told = scene.refusal(wider()).await;
    assert!(told.contains("store `sums` is kept in 2 partitions, and what the program reads has 3"), "{told}");
    let app = wider().drop_state("sums").start().await.unwrap();
    app.send(&scene.topic("wide"), "key", 9).await.unwrap();
    app.settled().await.unwrap();
    assert_eq!(app.table(&Store::<String, i64>::of("sums")).get("key").await.unwrap(), Some(9));
    app.close().await.unwrap();
}

pub(crate) async fn other_serde(scene: &Scene) {
    scene.answers(scene.builder(scene.named("sums")), &[1, 2]).await;
    let unsigned = || {
        let builder = StreamsBuilder::new();
        let input = builder.stream(&scene.topic("in")).map_values(|value| value.unsigned_abs());
        let sums = input.group_by_key().reduce_with(&Store::of("sums"), |sum: u64, value| sum + value);
        sums.to_stream().map_values(|sum| sum.map(u64::cast_signed)).to(&scene.topic("out"));
        builder.build().unwrap()
    };
    let told = scene.refusal(scene.builder(unsigned())).await;
    assert!(told.contains("i64") && told.contains("u64") && told.contains("adopt(\"sums\")"), "{told}");
    let adopted = scene.builder(unsigned()).adopt("sums");
    assert_eq!(scene.answers(adopted, &[-4]).await, [1, 3, 7], "the bytes of both serdes are the same");
    assert_eq!(scene.answers(scene.builder(unsigned()), &[1]).await.last(), Some(&8), "the decision is made");
    let told = scene.refusal(scene.builder(scene.named("sums"))).await;
    assert!(told.contains("was made as `timestamped key-value string -> u64`"), "{told}");
}

pub(crate) async fn removed_part(scene: &Scene) {
    scene.answers(scene.builder(scene.with_counts()), &[1, 2]).await;
    let told = scene.refusal(scene.builder(scene.named("sums"))).await;
    assert!(told.contains("store `counts`") && told.contains("drop_state(\"counts\")"), "{told}");
    assert!(!told.contains("by-value-repartition"), "all of it was processed, so nothing is lost: {told}");
    let without = scene.builder(scene.named("sums")).drop_state("counts");
    assert_eq!(scene.answers(without, &[4]).await, [1, 3, 7]);
}

pub(crate) async fn other_changelog(scene: &Scene) {
    let with =
        |changelog| scene.builder(scene.sums(false, Materialized::store(&Store::of("sums")).changelog(changelog)));
    scene.answers(with(Changelog::LastPerCommit), &[1, 2]).await;
    assert_eq!(scene.answers(with(Changelog::EveryUpdate), &[4]).await.last(), Some(&7), "both have every row");
    let told = scene.refusal(with(Changelog::Off)).await;
    assert!(
        told.contains("store `sums` has its rows in a changelog, and the program declares it without one"),
        "{told}"
    );
    assert_eq!(scene.answers(with(Changelog::Off).drop_state("sums"), &[5]).await.last(), Some(&5));
    assert_eq!(scene.answers(with(Changelog::Off), &[1]).await.last(), Some(&6));
    let told = scene.refusal(with(Changelog::LastPerCommit)).await;
    assert!(told.contains("store `sums` has its rows on disk alone"), "{told}");
    assert_eq!(scene.answers(with(Changelog::LastPerCommit).drop_state("sums"), &[3]).await.last(), Some(&3));
}

/// What an application was told once does not keep its next programs from changing.
pub(crate) async fn two_renames_at_once(scene: &Scene) {
    let both = |first: &'static str, second: &'static str| {
        let builder = StreamsBuilder::new();
        let input = builder.stream(&scene.topic("in"));
        let sums = input.group_by_key().reduce_with(&Store::of(first), |sum, value| sum + value);
        sums.to_stream().to(&scene.topic("out"));
        input.group_by_key().count_with(&Store::of(second)).to_stream().to(&scene.topic("counts"));
        builder.build().unwrap()
    };
    scene.answers(scene.builder(both("a", "b")), &[5, 6]).await;
    let told = scene.refusal(scene.builder(both("c", "d")).rename_state("a", "c").rename_state("b", "c")).await;
    assert!(told.contains("another one is to have that name too"), "{told}");
    let app = scene.run(scene.builder(both("c", "d")).rename_state("a", "c").rename_state("b", "d"), &[7]).await;
    let rows = (app.table(&Store::<String, i64>::of("c")), app.table(&Store::<String, i64>::of("d")));
    assert_eq!((rows.0.get("key").await.unwrap(), rows.1.get("key").await.unwrap()), (Some(18), Some(3)));
    app.close().await.unwrap();
}

/// A window's row is found under its new name with its time, so that it ends when it should.
pub(crate) async fn renamed_windows(scene: &Scene) {
    let minutes = |name: &'static str| {
        let builder = StreamsBuilder::new();
        let windows = Tumbling::of(Duration::from_secs(60)).with_grace(Duration::ZERO);
        let counts = builder.stream(&scene.topic("in")).group_by_key().windowed_by(windows);
        let counts = counts.count_with(&WindowStore::of(name)).to_stream();
        counts.map(|row, count| (row.key.clone(), *count)).to(&scene.topic("out"));
        builder.build().unwrap()
    };
    // Brokers delete what is too old.
    let minute = SystemClock.now().as_millis() / 60_000 * 60_000;
    let send = async |app: &App, at: i64| {
        let at = Timestamp::from_millis(minute + at);
        app.send_with(&scene.topic("in"), "key", 1, at, &Headers::NONE).await.unwrap();
        app.settled().await.unwrap();
    };
    let app = scene.builder(minutes("minutes")).start().await.unwrap();
    send(&app, 0).await;
    app.close().await.unwrap();
    let app = scene.builder(minutes("by-minute")).rename_state("minutes", "by-minute").start().await.unwrap();
    send(&app, 10_000).await;
    // Too late: the time of the stream is no part of a store.
    send(&app, -60_000).await;
    let out = app.subscribe(&scene.topic("out")).unwrap().read().unwrap();
    assert_eq!(out.into_iter().map(|record| record.value.unwrap()).collect::<Vec<_>>(), [1, 2]);
    app.close().await.unwrap();
}

/// Rows of before become what they are today when they are read, and are written so when they change; a restore knows both.
pub(crate) async fn older_values(scene: &Scene) {
    let as_text = || {
        let builder = StreamsBuilder::new();
        let input = builder.stream(&scene.topic("in")).map_values(|value| value.to_string());
        let longest = |old: String, new: &String| if new.len() > old.len() { new.clone() } else { old };
        input.group_by_key().reduce_with(&Store::of("longest"), longest);
        builder.build().unwrap()
    };
    let lengths = || {
        let versions = Upcasting::new(1, SerdeRef::<u32>::of());
        let versions = versions.unversioned(SerdeRef::<String>::of(), |text| u32::try_from(text.len()).unwrap());
        Store::<String, u32>::new("longest", SerdeRef::of(), SerdeRef::new(versions))
    };
    let as_length = || {
        let builder = StreamsBuilder::new();
        let input = builder.stream(&scene.topic("in")).map_values(|value| value.to_string().len() as u32);
        input.group_by_key().reduce_with(&lengths(), |old: u32, new| old.max(*new));
        builder.build().unwrap()
    };
    let app = scene.builder(as_text()).start().await.unwrap();
    for key in ["kept", "changed"] {
        app.send(&scene.topic("in"), key, 777).await.unwrap();
    }
    app.settled().await.unwrap();
    app.close().await.unwrap();
    let told = scene.refusal(scene.builder(as_length())).await;
    assert!(told.contains("adopt(\"longest\")"), "{told}");
    let app = scene.builder(as_length()).adopt("longest").start().await.unwrap();
    app.send(&scene.topic("in"), "changed", 55_555).await.unwrap();
    app.settled().await.unwrap();
    app.close().await.unwrap();
    // Whatever was read from a disk or a changelog, the next start is past the decision.
    let app = scene.builder(as_length()).start().await.unwrap();
    let rows = app.table(&lengths()).all().await.unwrap();
    assert_eq!(rows, [("changed".to_owned(), 5), ("kept".to_owned(), 3)]);
    app.close().await.unwrap();
}
