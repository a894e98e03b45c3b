//! Holds the table of the guide against what is published: whoever changes one of them hears of the other.

use std::collections::BTreeSet;
use std::time::Duration;

use tidemill_dsl::record::{Offset, Timestamp, TopicPartition};

use super::catalogue::{ALL, Info};
use super::samples::samples;
use super::{Metrics, TaskMetrics, TaskNow, WorkerMetrics};
use crate::exec::{Activity, ObservedInput, ObservedStore, Waiting};
use crate::runtime::{AppState, MemoryUse, StandbyStore, StandbyTask, TaskRestore};
use crate::task::TaskId;

const PAGE: &str = include_str!("../../../docs/guide/operating.md");

/// Name, unit and labels of each row.
fn documented() -> Vec<(String, String, String)> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `tidemill_"));
    let cells = |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().replace('`', "")).collect() };
    rows.map(cells).map(|cells| (cells[1].clone(), cells[2].clone(), cells[3].clone())).collect()
}

fn told(info: &Info) -> (String, String, String) {
    (info.name.to_owned(), info.unit.as_str().to_owned(), info.labels.join(", "))
}

#[test]
fn the_table_of_the_guide_has_what_the_catalogue_has() {
    assert_eq!(documented(), ALL.iter().map(told).collect::<Vec<_>>());
}

#[test]
fn all_of_the_catalogue_is_published_and_nothing_else() {
    let published: BTreeSet<&str> = samples(&everything()).iter().map(|sample| sample.info.name).collect();
    assert_eq!(published, ALL.iter().map(|info| info.name).collect());
    for sample in samples(&everything()) {
        assert_eq!(sample.labels.len(), sample.info.labels.len(), "{sample:?}");
    }
}

/// An application that does all that there is to do.
fn everything() -> Metrics {
    let task = TaskId { subtopologies: vec![0], partition: 1 };
    let input = TopicPartition::new("in", 1);
    let offset = Offset::new;
    let now = TaskNow {
        worker: 0,
        waits: Waiting::Nothing,
        stream_time: None,
        open_calls: 0,
        inputs: vec![ObservedInput { partition: input.clone(), processed: offset(3), end: offset(9), buffered: 2 }],
        stores: vec![ObservedStore { store: "s".into(), memory: 48, on_disk: true, cached: 0, unflushed: 1 }],
    };
    let read = [(input, Default::default())].into();
    let written = [("out".into(), Default::default())].into();
    let metrics = TaskMetrics { now: Some(now), read, written, ..TaskMetrics::default() };
    let spent = Activity::ALL.map(|activity| (activity, Duration::from_secs(1))).into();
    let store = StandbyStore { store: "s".to_owned(), reached: offset(1), end: offset(4) };
    Metrics {
        application: "app".to_owned(),
        instance: "here".to_owned(),
        at: Timestamp::ZERO,
        state: AppState::Running,
        workers: [(0, WorkerMetrics { spent, ..WorkerMetrics::default() })].into(),
        tasks: [(task.clone(), metrics)].into(),
        restoring: vec![TaskRestore { task: task.clone(), restored: 1, left: 2, since: Timestamp::ZERO }],
        restored: 7,
        standbys: vec![StandbyTask { task, stores: vec![store] }],
        memory: MemoryUse::default(),
        rebalances: 1,
        errors: Vec::new(),
    }
}
