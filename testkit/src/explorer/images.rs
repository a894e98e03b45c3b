//! Stores on disk as a crash may leave them: as of any checkpoint before.
//!
//! Rule: which checkpoint that is makes no difference, so it is no part of a world; and that is checked. A task that starts is
//! restored from every earlier checkpoint of its stores too, and has to be the same, byte by byte, as the one that was
//! restored from nothing. And what a running task writes down after a commit has to be what a restored one would write
//! there; so all checkpoints that there can be are those of restored ones.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tidemill::exec::{Executor, Settings};
use tidemill::log::{Progress, Session};
use tidemill::processor::GlobalStores;
use tidemill::record::TopicPartition;
use tidemill::state::Changelog;
use tidemill::task::{Fingerprint, Task};
use tidemill::topology::changelog_topic;
use tidemill::{Error, ManualClock};

use super::disk::Disk;
use super::frozen_log::FrozenLog;
use super::model::{APPLICATION, Model, TaskPlace};
use super::world::World;

/// Restores tasks of a model by the runtime's code, and remembers what was compared.
pub(super) struct Images<'m> {
    model: &'m Model,
    compared: BTreeSet<Fingerprint>,
}

/// What there is when a task starts.
#[derive(Clone, Copy)]
pub(super) struct Committed<'a> {
    pub(super) log: &'a FrozenLog,
    pub(super) progress: &'a Progress,
    pub(super) world: &'a World,
}

/// How many records each partition has that rows come from, in a checkpoint.
type Checkpoint = BTreeMap<TopicPartition, usize>;

impl<'m> Images<'m> {
    pub(super) fn new(model: &'m Model) -> Self {
        Images { model, compared: BTreeSet::new() }
    }

    /// A task as it starts in a process with these global stores, its own stores on this disk, or in memory.
    pub(super) fn started(
        &self,
        number: usize,
        (globals, disk): (&Arc<GlobalStores>, Option<&Disk>),
        committed: Committed<'_>,
    ) -> Result<Executor, Error> {
        let TaskPlace { subtopologies, partition, inputs, .. } = &self.model.tasks[number];
        let open = &mut |store: &str| disk.map(|disk| disk.open(store));
        let task = self.model.make_task_on((subtopologies, *partition), globals, open);
        let session: Arc<dyn Session> = Arc::new(committed.log.clone());
        let (log, clock) = (Arc::new(committed.log.clone()), Arc::new(ManualClock::default()));
        let mut executor = Executor::new(log, session.clone(), Arc::new(session), clock, Settings::default());
        executor.add_task(task, APPLICATION, committed.progress)?;
        let rules = self.model.rules;
        if rules.idling && !rules.exact_ends {
            // It does not run before the first fetch of each input was answered.
            let (task, logs) = (the_task(&mut executor), &committed.world.logs);
            inputs.iter().for_each(|(queue, log)| task.learn_end(*queue, logs[*log].readable_end(rules)));
        }
        Ok(executor)
    }

    /// Compares a task that was restored from nothing with those that are restored from a checkpoint. Says which of them is
    /// another one.
    pub(super) fn compare(
        &mut self,
        number: usize,
        globals: &Arc<GlobalStores>,
        committed: Committed<'_>,
        restored: &[u8],
    ) -> Result<(), String> {
        let origins = self.origins(number, globals);
        if !self.is_new(number, restored, &origins, committed) {
            return Ok(());
        }
        for checkpoint in checkpoints(&origins, committed.log) {
            let disk = self.image(number, globals, committed, &checkpoint).map_err(in_text)?;
            let started = self.started(number, (&self.process(number, globals), Some(&disk)), committed);
            if snapshot_of(&mut started.map_err(in_text)?)? != restored {
                return Err(format!(
                    "restored from a checkpoint with {} it is another task than restored from nothing",
                    in_words(&checkpoint)
                ));
            }
        }
        Ok(())
    }

    /// Compares what a running task writes down after a commit with what a restored one would.
    pub(super) fn compare_flushed(
        &mut self,
        number: usize,
        globals: &Arc<GlobalStores>,
        committed: Committed<'_>,
        running: &[u8],
    ) -> Result<(), String> {
        let origins = self.origins(number, globals);
        // Both comparisons may have the same bytes.
        if origins.is_empty() || !self.is_new(self.model.tasks.len() + number, running, &origins, committed) {
            return Ok(());
        }
        let written = |running: Option<&[u8]>| {
            let disk = Disk::default();
            let started = self.started(number, (&self.process(number, globals), Some(&disk)), committed);
            let mut executor = started.map_err(in_text)?;
            if let Some(running) = running {
                the_task(&mut executor).restore(running).map_err(in_text)?;
            }
            executor.flush_all().map_err(in_text)?;
            disk.written().map_err(in_text)
        };
        // A store that finds that it must not be written down panics.
        let of_running = catch_unwind(AssertUnwindSafe(|| written(Some(running))));
        let of_running = of_running.map_err(|_| "its stores refuse to be written down after a commit")??;
        let of_restored = written(None)?;
        let other = of_running.iter().find(|(store, (rows, _))| of_restored[*store].0 != *rows);
        other.map_or(Ok(()), |(store, _)| {
            Err(format!("what it writes down of store `{store}` after a commit is not what its changelog makes"))
        })
    }

    /// The bytes below the stores of a task that wrote them down amid a transaction: a fault that can be planted.
    pub(super) fn dirty(
        &self,
        (number, running): (usize, &[u8]),
        globals: &Arc<GlobalStores>,
        committed: Committed<'_>,
    ) -> Result<Disk, String> {
        let disk = Disk::default();
        let started = self.started(number, (&self.process(number, globals), Some(&disk)), committed);
        let mut executor = started.map_err(in_text)?;
        let task = the_task(&mut executor);
        task.restore(running).map_err(in_text)?;
        task.prepare_commit().map_err(in_text)?;
        executor.flush_all().map_err(in_text)?;
        Ok(disk)
    }

    /// The bytes below the stores of a task, as one leaves them that knew only so much.
    fn image(
        &self,
        number: usize,
        globals: &Arc<GlobalStores>,
        committed: Committed<'_>,
        checkpoint: &Checkpoint,
    ) -> Result<Disk, Error> {
        let (log, mut progress) = (committed.log.up_to(checkpoint), committed.progress.clone());
        for (input, at) in &mut progress.inputs {
            at.next = at.next.min(log.end_of(input));
        }
        let (disk, earlier) = (Disk::default(), Committed { log: &log, progress: &progress, ..committed });
        self.started(number, (&self.process(number, globals), Some(&disk)), earlier)?.flush_all()?;
        Ok(disk)
    }

    /// The global stores that a task is given: its own, if it is the one that fills them.
    fn process(&self, number: usize, globals: &Arc<GlobalStores>) -> Arc<GlobalStores> {
        if self.model.tasks[number].is_global { self.model.global_stores() } else { globals.clone() }
    }

    /// The partitions that the rows of a task's stores come from.
    fn origins(&self, number: usize, globals: &Arc<GlobalStores>) -> BTreeSet<TopicPartition> {
        let TaskPlace { subtopologies, partition, .. } = &self.model.tasks[number];
        let globals = self.process(number, globals);
        let mut task = self.model.make_task((subtopologies, *partition), &globals);
        task.with_stores(|task| {
            let inputs: Vec<(usize, TopicPartition)> =
                task.inputs().map(|(queue, input)| (queue, input.clone())).collect();
            let topic = |name: &str| TopicPartition::new(changelog_topic(APPLICATION, name), *partition);
            let stores: Vec<(usize, Option<TopicPartition>)> = (task.state().stores())
                .map(|(store, kept)| (store, (kept.changelog() != Changelog::Off).then(|| topic(kept.name()))))
                .collect();
            let of_store = |(store, changelog): &(usize, Option<TopicPartition>)| {
                let fills = |queue: usize| task.source_of(*store) == Some(queue) || task.fills(queue) == Some(*store);
                let filled: Vec<_> = inputs.iter().filter(|(queue, _)| fills(*queue)).collect();
                filled.into_iter().map(|(_, input)| input.clone()).chain(changelog.clone()).collect::<Vec<_>>()
            };
            stores.iter().flat_map(of_store).filter(|origin| self.model.knows(origin)).collect()
        })
    }

    /// Whether this was not compared before.
    fn is_new(
        &mut self,
        number: usize,
        task: &[u8],
        origins: &BTreeSet<TopicPartition>,
        committed: Committed<'_>,
    ) -> bool {
        let mut bytes = Vec::new();
        bytes.extend((number as u64).to_le_bytes());
        bytes.extend(Fingerprint::of(task).0.to_le_bytes());
        for record in origins.iter().flat_map(|origin| committed.log.records_of(origin)) {
            bytes.extend(record.base().get().to_le_bytes());
            bytes.extend((record.bytes().len() as u64).to_le_bytes());
            bytes.extend(record.bytes());
        }
        self.compared.insert(Fingerprint::of(&bytes))
    }
}

/// Each partition alone at each of its lengths, the others whole; and all together.
fn checkpoints(origins: &BTreeSet<TopicPartition>, log: &FrozenLog) -> BTreeSet<Checkpoint> {
    let lengths: BTreeMap<&TopicPartition, usize> =
        origins.iter().map(|origin| (origin, log.records_of(origin).len())).collect();
    let mut checkpoints = BTreeSet::new();
    for (origin, length) in &lengths {
        checkpoints.extend((0..*length).map(|cut| Checkpoint::from([((*origin).clone(), cut)])));
    }
    for cut in 0..=lengths.values().copied().max().unwrap_or(0) {
        let all = lengths.iter().map(|(origin, length)| ((*origin).clone(), cut.min(*length)));
        checkpoints.insert(all.collect());
    }
    checkpoints
}

fn in_words(checkpoint: &Checkpoint) -> String {
    let parts = checkpoint.iter().map(|(origin, records)| format!("{records} records of `{origin}`"));
    parts.collect::<Vec<_>>().join(" and ")
}

fn the_task(executor: &mut Executor) -> &mut Task {
    executor.tasks().next().expect("it was just added")
}

/// What a task is, in bytes.
pub(super) fn snapshot_of(executor: &mut Executor) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    the_task(executor).snapshot(&mut bytes).map_err(in_text)?;
    Ok(bytes)
}

fn in_text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use tidemill::Topic;
    use tidemill::stream::StreamsBuilder;

    use super::*;
    use crate::explorer::Explorer;
    use crate::explorer::backend::Budgets;
    use crate::explorer::machine::Machine;

    const WORDS: Topic<String, i64> = Topic::of("words");

    fn records(count: u64) -> Vec<Arc<tidemill::record::Batch>> {
        let record = |offset| {
            let mut builder = tidemill::record::BatchBuilder::default();
            let (key, headers) = (Some(b"k".as_slice()), &tidemill::record::Headers::NONE);
            builder.push(tidemill::record::Timestamp::ZERO, key, Some(&[0; 8]), headers);
            Arc::new(builder.finish(tidemill::record::Offset::new(offset)))
        };
        (0..count).map(record).collect()
    }

    fn of_lengths(lengths: &[(&str, u64)]) -> FrozenLog {
        let partition = |(topic, count): &(&str, u64)| {
            let records = records(*count);
            (TopicPartition::new(*topic, 0), (tidemill::record::Offset::new(*count), records))
        };
        FrozenLog { partitions: Arc::new(lengths.iter().map(partition).collect()) }
    }

    #[test]
    fn a_store_may_have_any_beginning_of_its_changelog() {
        let log = of_lengths(&[("a", 2), ("b", 1)]);
        let origins = ["a", "b"].map(|topic| TopicPartition::new(topic, 0)).into();
        let lengths: Vec<Vec<usize>> =
            checkpoints(&origins, &log).into_iter().map(|lengths| lengths.into_values().collect()).collect();
        // `a` alone, both together, `b` alone.
        assert_eq!(lengths, [vec![0], vec![0, 0], vec![1], vec![1, 1], vec![2, 1], vec![0]]);
    }

    #[test]
    fn a_task_that_is_another_one_with_a_store_that_lags_is_found() {
        let builder = StreamsBuilder::new();
        builder.stream(&WORDS).group_by_key().count();
        let explorer = Explorer::new(&builder.build().unwrap()).crashes(1).input(&WORDS, [("a", 1)]);
        let model = explorer.model(Budgets { crashes: 1, ..Budgets::default() });
        let world = Machine::new(&model).first(Vec::new());
        let (changelog, _) = (0..model.partitions.len())
            .map(|log| (&model.partitions[log], log))
            .find(|(_, log)| model.is_changelog(*log))
            .unwrap();
        let log = of_lengths(&[(&changelog.topic, 2), ("words", 1)]);
        let (mut images, globals, progress) = (Images::new(&model), model.global_stores(), Progress::default());
        let committed = Committed { log: &log, progress: &progress, world: &world };
        let restored = snapshot_of(&mut images.started(0, (&globals, None), committed).unwrap()).unwrap();
        assert_eq!(images.compare(0, &globals, committed, &restored), Ok(()));
        let error = images.compare(0, &globals, committed, b"another one").unwrap_err();
        assert!(error.contains("a checkpoint with 0 records"), "{error}");
        assert_eq!(images.compare_flushed(0, &globals, committed, &restored), Ok(()));
        let empty = of_lengths(&[(&changelog.topic, 0), ("words", 1)]);
        let before = Committed { log: &empty, ..committed };
        let error = images.compare_flushed(0, &globals, before, &restored).unwrap_err();
        assert!(error.contains("what it writes down"), "{error}");
    }
}
