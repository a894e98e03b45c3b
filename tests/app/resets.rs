//! An application that was reset begins again, where it was told to, as if it had never been there.

use std::path::Path;

use tidemill::log::{Durability, EmbeddedLog, Log, LogSettings};
use tidemill::record::{Offset, Timestamp};
use tidemill::reset::{Reset, ResetTo};
use tidemill::{App, ErrorKind};

use crate::restarts::start_on;
use crate::support::{IN, SUMS, append, out, shared_log, soon, start, sums};

async fn sum_of_a(app: &App) -> Option<i64> {
    app.settled().await.unwrap();
    app.table(&SUMS).get("a").await.unwrap()
}

fn open(folder: &Path) -> EmbeddedLog {
    EmbeddedLog::open(folder, LogSettings { durability: Durability::Never, ..LogSettings::default() }).unwrap()
}

#[tokio::test]
async fn everything_is_done_again_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("data");
    let app = start_on(&folder, &sums(), &soon()).await;
    for value in [1, 2, 3] {
        app.send(&IN, "a", value).await.unwrap();
    }
    assert_eq!(sum_of_a(&app).await, Some(6));
    app.close().await.unwrap();
    let state = folder.join("state").join("app");
    assert!(state.exists(), "the stores are on disk");
    {
        let log = open(&folder);
        let reset = Reset::of("app").folder(&folder);
        let plan = reset.plan(&log).unwrap();
        let shown = plan.to_string();
        assert!(shown.contains("begin in-0 at 0 instead of 3\ndelete topic app-sums-changelog\nremove "), "{shown}");
        assert!(state.exists() && log.topic("app-sums-changelog").unwrap().is_some(), "looking changes nothing");
        plan.carry_out(&log).unwrap();
        assert!(!state.exists() && log.topic("app-sums-changelog").unwrap().is_none());
        assert!(log.topic("in").unwrap().is_some() && log.topic("out").unwrap().is_some());
    }
    let app = start_on(&folder, &sums(), &soon()).await;
    assert_eq!(app.restored(), 0);
    assert_eq!(sum_of_a(&app).await, Some(6));
    assert_eq!(out(&app), [1, 3, 6, 1, 3, 6]);
    app.close().await.unwrap();
}

#[tokio::test]
async fn it_begins_at_a_time_or_at_the_end() {
    let log = shared_log();
    start(sums(), &log, soon()).await.close().await.unwrap();
    for (value, time) in [(1, 1_000), (2, 2_000), (4, 3_000)] {
        append(&*log, &IN, value, time);
    }
    let app = start(sums(), &log, soon()).await;
    assert_eq!(sum_of_a(&app).await, Some(7));
    app.close().await.unwrap();
    for (to, offset, sum) in [
        (ResetTo::Time(Timestamp::from_millis(1_500)), 1, Some(6)),
        (ResetTo::Time(Timestamp::from_millis(9_999)), 3, None),
        (ResetTo::End, 3, None),
        (ResetTo::Start, 0, Some(7)),
    ] {
        let plan = Reset::of("app").to(to).plan(&*log).unwrap();
        let targets: Vec<Offset> = plan.inputs.iter().map(|input| input.to).collect();
        assert_eq!(targets, [Offset::new(offset)], "{to:?}");
        plan.carry_out(&*log).unwrap();
        let app = start(sums(), &log, soon()).await;
        assert_eq!(sum_of_a(&app).await, sum, "{to:?}");
        app.close().await.unwrap();
    }
}

#[tokio::test]
async fn inputs_that_are_not_named_stay_where_they_are() {
    let log = shared_log();
    let app = start(sums(), &log, soon()).await;
    app.send(&IN, "a", 5).await.unwrap();
    assert_eq!(sum_of_a(&app).await, Some(5));
    app.close().await.unwrap();
    let plan = Reset::of("app").inputs(Vec::<&str>::new()).plan(&*log).unwrap();
    assert!(plan.inputs.is_empty());
    plan.carry_out(&*log).unwrap();
    let app = start(sums(), &log, soon()).await;
    assert_eq!(sum_of_a(&app).await, None, "the state is gone, and nothing is read again");
    app.close().await.unwrap();
    let wrong = Reset::of("app").inputs(["inn"]).plan(&*log).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Invalid);
    assert_eq!(wrong.to_string(), "application `app` has read nothing of `inn`: it has read `in`");
}

#[tokio::test]
async fn a_running_application_is_left_alone() {
    let log = shared_log();
    let app = start(sums(), &log, soon()).await;
    app.send(&IN, "a", 5).await.unwrap();
    assert_eq!(sum_of_a(&app).await, Some(5));
    let plan = Reset::of("app").plan(&*log).unwrap();
    assert_eq!(plan.members.len(), 1);
    let refused = plan.carry_out(&*log).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Locked);
    assert!(refused.to_string().contains("`app` is running"), "{refused}");
    assert_eq!(sum_of_a(&app).await, Some(5));
    app.close().await.unwrap();
    plan.carry_out(&*log).unwrap();
    assert!(Reset::of("app").plan(&*log).unwrap().is_empty(), "nothing is left to do");
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for name in ["", "..", "../other", "a/b"] {
        let refused = Reset::of(name).folder("here").plan(&*shared_log()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{name}");
    }
}
