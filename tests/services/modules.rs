//! In which order the modules of a service start and end, and what ends all of them.

use std::future::pending;
use std::sync::{Arc, Mutex};

use crate::failing::Failure;
use crate::parts::{Modules, Stop};

type Log = Arc<Mutex<Vec<String>>>;

fn note(log: &Log, what: &str, name: &str) {
    log.lock().unwrap().push(format!("{what} {name}"));
}

/// Starts, runs until it is told to end, and writes both down.
async fn started(
    log: &Log,
    name: &'static str,
    stop: Stop,
) -> Result<((), impl Future<Output = Result<(), Failure>> + use<>), Failure> {
    note(log, "start", name);
    let log = log.clone();
    let running = async move {
        stop.told().await;
        note(&log, "end", name);
        Ok(())
    };
    Ok(((), running))
}

async fn two(log: &Log) -> Modules {
    let (modules, ()) = Modules::new().start("first", |stop| started(log, "first", stop)).await.unwrap();
    modules.start("second", |stop| started(log, "second", stop)).await.unwrap().0
}

fn noted(log: &Log) -> Vec<String> {
    log.lock().unwrap().clone()
}

#[tokio::test]
async fn modules_end_in_the_other_order() {
    let log = Log::default();
    let modules = two(&log).await;
    assert_eq!(modules.run(async { 143 }).await.unwrap(), Some(143));
    assert_eq!(noted(&log), ["start first", "start second", "end second", "end first"]);
}

#[tokio::test]
async fn one_that_fails_ends_all() {
    let log = Log::default();
    let failing = |_| async { Ok(((), async { Err(Failure::from("the disk is full")) })) };
    let (modules, ()) = two(&log).await.start("third", failing).await.unwrap();
    let error = modules.run(pending::<()>()).await.unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");
    assert_eq!(noted(&log), ["start first", "start second", "end second", "end first"]);
}

#[tokio::test]
async fn one_that_ends_by_itself_ends_all() {
    let log = Log::default();
    let (modules, ()) = two(&log).await.start("third", |_| async { Ok(((), async { Ok(()) })) }).await.unwrap();
    assert_eq!(modules.run(pending::<()>()).await.unwrap(), None);
    assert_eq!(noted(&log), ["start first", "start second", "end second", "end first"]);
}

#[tokio::test]
async fn one_that_panics_ends_all_and_is_named() {
    let log = Log::default();
    let panics = |_| async { Ok(((), async { panic!("no") })) };
    let (modules, ()) = two(&log).await.start("third", panics).await.unwrap();
    let error = modules.run(pending::<()>()).await.unwrap_err().to_string();
    assert!(error.starts_with("module `third` panicked"), "{error}");
    assert_eq!(noted(&log).len(), 4);
}

#[tokio::test]
async fn one_that_cannot_start_ends_those_before_it() {
    let log = Log::default();
    type Never = std::future::Pending<Result<(), Failure>>;
    let failing = |_| async { Err::<((), Never), _>(Failure::from("the port is taken")) };
    let error = two(&log).await.start("third", failing).await.err().unwrap();
    assert_eq!(error.to_string(), "the port is taken");
    assert_eq!(noted(&log), ["start first", "start second", "end second", "end first"]);
}
