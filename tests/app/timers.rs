//! Timers in a running application: by the clock while no record comes, by the records, and after a restart.

use std::sync::Arc;
use std::time::Duration;

use tidemill::processor::PunctuationType::{self, StreamTime, WallClock};
use tidemill::processor::{Context, Flow, Processor, SilentContext};
use tidemill::record::{Headers, Record, Timestamp};
use tidemill::state::{Store, StoreSpec};
use tidemill::stream::StreamsBuilder;
use tidemill::topology::Topology;
use tidemill::{App, AppState, ErrorKind};

use crate::support::{IN, OUT, never, out, shared_log, soon, start, wait_until};

const HELD: Store<String, i64> = Store::of("held");

/// Holds values back until the timer forwards them; a value of 0 makes the timer fail, 1 asks for a commit then.
struct Hold(PunctuationType, Duration);

impl Processor<String, i64, String, i64> for Hold {
    fn stores(&self) -> Vec<StoreSpec> {
        vec![StoreSpec::plain(&HELD)]
    }

    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        ctx.schedule("release", self.1, self.0)
    }

    fn process(&mut self, record: Record<'_, String, i64>, ctx: &mut Context<'_, String, i64>) -> Flow {
        ctx.store(&HELD)?.put(record.key, *record.value, record.timestamp)
    }

    fn punctuate(&mut self, _: &str, time: Timestamp, ctx: &mut Context<'_, String, i64>) -> Flow {
        let mut rows = ctx.scan(&HELD, ..)?;
        while let Some((key, value)) = rows.next(ctx)? {
            if value == 0 {
                return Err("zero is never released".into());
            }
            if value == 1 {
                ctx.request_commit();
            }
            ctx.store(&HELD)?.delete(&key, time)?;
            ctx.forward(Record::new(&key, &value, time))?;
        }
        Ok(())
    }
}

fn hold(kind: PunctuationType, every: u64) -> Topology {
    let builder = StreamsBuilder::new();
    let held = builder.stream(&IN).process(move || Hold(kind, Duration::from_millis(every)), &[]);
    held.named("hold").to(&OUT);
    builder.build().unwrap()
}

#[tokio::test]
async fn timers_wait_for_the_end_of_a_pause() {
    let clock = tidemill::ManualClock::default();
    let builder = App::builder("app", hold(WallClock, 60_000)).log(shared_log()).settings(soon());
    let app = builder.clock(clock.clone()).start().await.unwrap();
    app.send(&IN, "a", 7).await.unwrap();
    app.settled_within_a_commit(&clock).await;
    app.pause().await.unwrap();
    clock.advance(Duration::from_secs(60));
    app.send(&IN, "b", 8).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(out(&app).is_empty());
    app.resume().await.unwrap();
    clock.advance(Duration::from_millis(5));
    wait_until("the timer", || out(&app).first() == Some(&7)).await;
    app.close().await.unwrap();
}

#[tokio::test]
async fn the_clock_wakes_an_idle_application_and_what_it_forwards_is_committed() {
    let app = start(hold(WallClock, 20), &shared_log(), soon()).await;
    app.send(&IN, "a", 7).await.unwrap();
    wait_until("the release", || out(&app) == [7]).await;
    app.send(&IN, "b", 8).await.unwrap();
    wait_until("the second release", || out(&app) == [7, 8]).await;
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_manual_clock_says_when_timers_fire() {
    let clock = tidemill::ManualClock::default();
    let builder = App::builder("app", hold(WallClock, 60_000)).log(shared_log()).settings(soon());
    let app = builder.clock(clock.clone()).start().await.unwrap();
    app.send(&IN, "a", 7).await.unwrap();
    app.settled_within_a_commit(&clock).await;
    assert!(out(&app).is_empty());
    clock.advance(Duration::from_secs(60));
    app.send(&IN, "b", 8).await.unwrap();
    wait_until("the release", || {
        clock.advance(Duration::from_millis(5));
        out(&app).contains(&7)
    })
    .await;
    app.close().await.unwrap();
}

/// Waiting on a clock that the test moves.
trait Settle {
    async fn settled_within_a_commit(&self, clock: &tidemill::ManualClock);
}

impl Settle for App {
    async fn settled_within_a_commit(&self, clock: &tidemill::ManualClock) {
        wait_until("the commit", || {
            clock.advance(Duration::from_millis(5));
            self.backlog().unwrap() == 0
        })
        .await;
    }
}

#[tokio::test]
async fn records_move_the_stream_time_also_when_they_come_as_one_batch() {
    let app = start(hold(StreamTime, 100), &shared_log(), soon()).await;
    let feed = app.feed("times");
    let mut batch = feed.batch();
    for (time, value) in [(10, 2), (20, 3), (90, 4), (100, 5), (110, 6)] {
        let key = format!("key {value}");
        batch.add_with(&IN, key, value, Timestamp::from_millis(time), &Headers::NONE).unwrap();
    }
    batch.send(vec![]).await.unwrap();
    app.settled().await.unwrap();
    assert_eq!(out(&app), [2, 3, 4, 5], "at 10 what had come till then, at 100 the rest; 6 waits");
    app.close().await.unwrap();
}

#[tokio::test]
async fn what_is_held_stays_over_a_restart_and_timers_begin_anew() {
    let log = shared_log();
    let app = start(hold(StreamTime, 100), &log, soon()).await;
    let send = async |app: &App, value: i64, time: i64| {
        let time = Timestamp::from_millis(time);
        app.send_with(&IN, format!("key {value}"), value, time, &Headers::NONE).await.unwrap();
        app.settled().await.unwrap();
    };
    send(&app, 2, 150).await;
    send(&app, 3, 160).await;
    assert_eq!(out(&app), [2]);
    app.close().await.unwrap();

    let app = start(hold(StreamTime, 100), &log, soon()).await;
    assert_eq!(out(&app), [2], "no record, no stream-time punctuation");
    send(&app, 4, 155).await;
    assert_eq!(out(&app), [2, 3, 4], "a new timer is due at once; stream time was 160 already");
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_timer_that_fails_fails_the_application_and_is_named() {
    let app = start(hold(WallClock, 10), &shared_log(), soon()).await;
    app.send(&IN, "a", 0).await.unwrap();
    let error = app.ended().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Processing);
    assert_eq!(error.to_string(), "task 0_0: node `hold` failed on timer `release` of `hold`: zero is never released");
    assert!(matches!(app.state(), AppState::Failed(_)));
}

#[tokio::test]
async fn a_commit_that_is_asked_for_does_not_wait_for_the_interval() {
    let app = Arc::new(start(hold(WallClock, 10), &shared_log(), never()).await);
    app.send(&IN, "a", 1).await.unwrap();
    wait_until("the commit", || out(&app) == [1]).await;
}
