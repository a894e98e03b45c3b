//! Which processes keep the stores of a task on standby.
//!
//! Rule: every process computes it alike, from what the processes say of themselves. The first standby of a task is where the group
//! would put it if its owner were gone: range assignment by the instances' names is the group's rule, and so it is the rule here. The
//! next one is where it would go if that were gone too.

use std::collections::BTreeSet;

use super::Instance;
use crate::task::TaskId;

/// The tasks of `all`, each with the number of partitions of its sub-topology, that the instance `own` is to keep, `count` for each
/// task.
///
/// What is kept already is kept on until whoever is to keep it instead has caught up, and as long as nobody runs the task.
pub(in crate::runtime) fn standbys_of(
    own: &str,
    instances: &[Instance],
    all: &[(TaskId, u32)],
    count: usize,
) -> BTreeSet<TaskId> {
    let wanted = all.iter().filter(|(task, partitions)| {
        let mut claims = instances.iter().filter(|instance| runs(instance, task));
        let Some(owner) = claims.next() else { return keeps(instances, own, task) };
        if claims.next().is_some() {
            // It is on its way from one to the other.
            return keeps(instances, own, task);
        }
        let placed = places(&owner.id, instances, task.partition, *partitions, count);
        let is_placed = placed.contains(&own);
        let is_bridge = owner.id != own
            && count > 0
            && keeps(instances, own, task)
            && !placed.iter().all(|id| has_caught_up(instances, id, task));
        is_placed || is_bridge
    });
    wanted.map(|(task, _)| task.clone()).collect()
}

/// How many records of a changelog a standby may lack for others to let go of theirs.
const CAUGHT_UP: u64 = 1_000;

fn runs(instance: &Instance, task: &TaskId) -> bool {
    instance.active.iter().any(|active| active.task == *task)
}

fn keeps(instances: &[Instance], id: &str, task: &TaskId) -> bool {
    let of = |instance: &&Instance| instance.id == id;
    instances.iter().find(of).is_some_and(|own| own.standbys.iter().any(|standby| standby.task == *task))
}

fn has_caught_up(instances: &[Instance], id: &str, task: &TaskId) -> bool {
    let of = |instance: &&Instance| instance.id == id;
    let standbys = instances.iter().find(of).map(|instance| &instance.standbys);
    standbys.is_some_and(|all| all.iter().any(|standby| standby.task == *task && standby.lag() <= CAUGHT_UP))
}

/// Where the standbys of a partition are, by the ids of those who keep any.
fn places<'a>(owner: &str, instances: &'a [Instance], partition: u32, partitions: u32, count: usize) -> Vec<&'a str> {
    let keepers = instances.iter().filter(|instance| instance.id != owner && instance.keeps_standbys > 0);
    let mut left: BTreeSet<&str> = keepers.map(|instance| &*instance.id).collect();
    let mut placed = Vec::new();
    while placed.len() < count {
        let ids: Vec<&str> = left.iter().copied().collect();
        let Some(next) = range_owner(partition, partitions, &ids) else { break };
        left.remove(next);
        placed.push(next);
    }
    placed
}

/// Who has a partition of so many when they are dealt out in ranges, in the order of names.
fn range_owner<'a>(partition: u32, partitions: u32, ids: &[&'a str]) -> Option<&'a str> {
    let members = u32::try_from(ids.len()).ok().filter(|members| *members > 0)?;
    let (each, extra) = (partitions / members, partitions % members);
    let longer = extra * (each + 1);
    let place = if partition < longer { partition / (each + 1) } else { extra + (partition - longer) / each.max(1) };
    ids.get(place as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Position;
    use crate::runtime::instances::{ActiveTask, StandbyTask};
    use tidemill_dsl::record::Timestamp;

    fn task(partition: u32) -> TaskId {
        TaskId { subtopologies: vec![0], partition }
    }

    fn instance(id: &str, active: &[u32], standbys: &[u32]) -> Instance {
        let active = active.iter().map(|number| ActiveTask { task: task(*number), position: Position::new() });
        let standby = |number: &u32| StandbyTask { task: task(*number), stores: Vec::new() };
        Instance {
            id: id.to_owned(),
            address: None,
            is_here: false,
            active: active.collect(),
            standbys: standbys.iter().map(standby).collect(),
            keeps_standbys: 1,
            seen: Timestamp::ZERO,
        }
    }

    fn numbers(own: &str, instances: &[Instance], partitions: u32, count: usize) -> Vec<u32> {
        let all: Vec<_> = (0..partitions).map(|number| (task(number), partitions)).collect();
        standbys_of(own, instances, &all, count).iter().map(|task| task.partition).collect()
    }

    #[test]
    fn partitions_are_dealt_out_in_ranges() {
        let owners = |partitions: u32, ids: &[&str]| {
            (0..partitions).map(|number| range_owner(number, partitions, ids).unwrap().to_owned()).collect::<String>()
        };
        assert_eq!(owners(5, &["a", "b", "c"]), "aabbc");
        assert_eq!(owners(4, &["a", "b"]), "aabb");
        assert_eq!(owners(2, &["a", "b", "c"]), "ab");
        assert_eq!(range_owner(0, 4, &[]), None);
    }

    #[test]
    fn every_task_is_on_standby_where_the_group_would_put_it() {
        let three = [instance("a", &[0, 1], &[]), instance("b", &[2], &[]), instance("c", &[3], &[])];
        assert_eq!(numbers("a", &three, 4, 1), [0; 0]);
        assert_eq!(numbers("b", &three, 4, 1), [0, 1, 3]);
        assert_eq!(numbers("c", &three, 4, 1), [2]);
        assert_eq!(numbers("c", &three, 4, 2), [0, 1, 2]);
        let alone = [instance("a", &[0, 1, 2, 3], &[])];
        assert_eq!(numbers("a", &alone, 4, 1), [0; 0]);
        assert_eq!(numbers("b", &three, 4, 0), [0; 0]);
    }

    #[test]
    fn a_standby_is_kept_until_another_has_caught_up_and_while_nobody_runs_the_task() {
        let two = |of_a: &[u32], of_c: &[u32]| {
            [instance("a", of_a, &[]), instance("b", &[2, 3], &[0, 1]), instance("c", &[], of_c)]
        };
        // With the owner gone, the partitions would be dealt out to b and c: 0 and 1 to b.
        assert_eq!(numbers("b", &two(&[0, 1], &[]), 4, 1), [0, 1]);
        assert_eq!(numbers("b", &two(&[], &[]), 4, 1), [0, 1], "its owner is gone");
        let moved =
            |of_a: &[u32]| [instance("a", &[], of_a), instance("b", &[2, 3], &[0]), instance("c", &[0, 1], &[])];
        // With c gone, 0 and 1 would go to a; with b gone, 2 and 3 to c.
        assert_eq!(numbers("a", &moved(&[]), 4, 1), [0, 1]);
        assert_eq!(numbers("b", &moved(&[]), 4, 1), [0], "a has not caught up");
        assert_eq!(numbers("b", &moved(&[0]), 4, 1), [0; 0], "a has");
    }
}
