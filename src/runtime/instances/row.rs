//! An instance as the topic of instances has it: lines of text, so that anybody's console can read them.
//!
//! ```text
//! tidemill-instance 1                           what it is, and the version
//! address 127.0.0.1:8080                        left out if it answers no queries
//! keeps 1                                       `Settings::standbys`
//! active 0_1 orders-1@17 prices-1@4             task; next offset of each input
//! standby 0_2 totals@120/130 names@7/7          task; of each store the next offset of its changelog, and that one's end
//! ```
//!
//! Rule: lines that begin with another word are skipped, so a later version may say more; a text of another version is no row.

use std::fmt::Write;

use tidemill_dsl::record::{Offset, Timestamp};

use super::{ActiveTask, Instance, StandbyStore, StandbyTask};
use crate::task::TaskId;

const FIRST: &str = "tidemill-instance 1";

/// The text of an instance, without its id, which is the record's key.
pub(super) fn write(instance: &Instance) -> String {
    let mut text = format!("{FIRST}\n");
    if let Some(address) = &instance.address {
        line(&mut text, format_args!("address {address}"));
    }
    line(&mut text, format_args!("keeps {}", instance.keeps_standbys));
    for ActiveTask { task, position } in &instance.active {
        line(&mut text, format_args!("active {task} {position}"));
    }
    for StandbyTask { task, stores } in &instance.standbys {
        let stores: Vec<String> =
            stores.iter().map(|store| format!("{}@{}/{}", store.store, store.reached, store.end)).collect();
        line(&mut text, format_args!("standby {task} {}", stores.join(" ")));
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{line}");
}

/// Reads what [`write`] wrote; `None` for anything else.
pub(super) fn read(id: &str, text: &str, seen: Timestamp) -> Option<Instance> {
    let mut lines = text.lines();
    if lines.next() != Some(FIRST) {
        return None;
    }
    let (id, address, is_here) = (id.to_owned(), None, false);
    let mut instance =
        Instance { id, address, is_here, active: Vec::new(), standbys: Vec::new(), keeps_standbys: 0, seen };
    for line in lines {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (task, places) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "address" => instance.address = Some(rest.to_owned()),
            "keeps" => instance.keeps_standbys = rest.parse().ok()?,
            "active" => instance.active.push(ActiveTask { task: task_of(task)?, position: places.parse().ok()? }),
            "standby" => {
                let stores = places.split_whitespace().map(store_of).collect::<Option<_>>()?;
                instance.standbys.push(StandbyTask { task: task_of(task)?, stores });
            }
            _ => {}
        }
    }
    Some(instance)
}

/// Reads what a task's `Display` writes.
fn task_of(text: &str) -> Option<TaskId> {
    let (subtopologies, partition) = text.split_once('_')?;
    let subtopologies = subtopologies.split('+').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    Some(TaskId { subtopologies, partition: partition.parse().ok()? })
}

fn store_of(text: &str) -> Option<StandbyStore> {
    let (store, places) = text.rsplit_once('@')?;
    let (reached, end) = places.split_once('/')?;
    let offset = |text: &str| Some(Offset::new(text.parse().ok()?));
    Some(StandbyStore { store: store.to_owned(), reached: offset(reached)?, end: offset(end)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_dsl::record::TopicPartition;

    fn instance() -> Instance {
        let task = |partition| TaskId { subtopologies: vec![0], partition };
        let position = [("in", 17), ("other-in", 4)];
        let position = position.map(|(topic, next)| (TopicPartition::new(topic, 1), Offset::new(next)));
        let store = |store: &str, reached, end| StandbyStore {
            store: store.to_owned(),
            reached: Offset::new(reached),
            end: Offset::new(end),
        };
        Instance {
            id: "abc".to_owned(),
            address: Some("[::1]:8080".to_owned()),
            is_here: false,
            active: vec![ActiveTask { task: task(1), position: position.into_iter().collect() }],
            standbys: vec![StandbyTask {
                task: task(2),
                stores: vec![store("totals", 120, 130), store("a.b_c", 7, 7)],
            }],
            keeps_standbys: 1,
            seen: Timestamp::from_millis(5),
        }
    }

    #[test]
    fn an_instance_comes_back_as_it_was_written() {
        let busy = instance();
        let idle = Instance { address: None, active: Vec::new(), standbys: Vec::new(), ..instance() };
        for instance in [busy, idle] {
            assert_eq!(read("abc", &write(&instance), instance.seen), Some(instance));
        }
    }

    #[test]
    fn what_a_later_version_adds_is_skipped_and_another_version_is_no_row() {
        let text = write(&instance());
        assert_eq!(read("abc", &format!("{text}rack eu-1\n"), instance().seen), Some(instance()));
        assert_eq!(read("abc", &text.replace("instance 1", "instance 2"), instance().seen), None);
        assert_eq!(read("abc", "", instance().seen), None);
        assert_eq!(read("abc", &text.replace("0_1", "0"), instance().seen), None);
    }
}
