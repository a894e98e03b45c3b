//! Compares what an application really did with what the explorer thinks possible.
//!
//! Rule: a real run is looked for among all runs, by the very steps of the search. One that is not there is one that the explorer
//! would have left out, and then nothing that it says to hold can be relied on.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use tidemill::exec::TraceEvent;
use tidemill::record::{Offset, TopicPartition};
use tidemill::task::TaskId;

use super::Explorer;
use super::event::Event;
use super::machine::Machine;
use super::model::{APPLICATION, Model};
use super::part::key;
use super::step::Step;
use super::world::{Pools, World};

/// What an application did: the traces of its executors, one after another, and what it left behind.
#[derive(Clone, Debug)]
pub struct RealRun {
    application: String,
    /// What was seen of each executor; between two of them the application crashed.
    lives: Vec<Vec<TraceEvent>>,
    outputs: BTreeMap<TopicPartition, Vec<KeyValue>>,
}

/// A record as bytes.
type KeyValue = (Option<Vec<u8>>, Option<Vec<u8>>);

impl RealRun {
    /// A run of an application with this id, of which nothing was seen yet.
    pub fn new(application: &str) -> Self {
        RealRun { application: application.to_owned(), lives: Vec::new(), outputs: BTreeMap::new() }
    }

    /// What an executor did until it ended. With the next one the application begins anew, from what was committed.
    #[must_use]
    pub fn executor(mut self, trace: impl IntoIterator<Item = TraceEvent>) -> Self {
        self.lives.push(trace.into_iter().collect());
        self
    }

    /// What everybody can read of a partition in the end: keys and values, in their order.
    #[must_use]
    pub fn output(mut self, partition: TopicPartition, records: impl IntoIterator<Item = KeyValue>) -> Self {
        self.outputs.insert(partition, records.into_iter().collect());
        self
    }

    /// What was seen, in its order. A commit of nothing shows nothing.
    fn seen(&self) -> Vec<Seen> {
        let mut seen = Vec::new();
        for (life, trace) in self.lives.iter().enumerate() {
            if life > 0 {
                seen.push(Seen::Crashed);
            }
            let mut dirty = false;
            for event in trace {
                match event {
                    TraceEvent::Processed { task, input, offset } => {
                        seen.push(Seen::Processed { task: task.clone(), input: self.explored(input), offset: *offset });
                        dirty = true;
                    }
                    TraceEvent::Committed { .. } if std::mem::take(&mut dirty) => seen.push(Seen::Committed),
                    _ => {}
                }
            }
        }
        seen
    }

    /// The partition as the explorer calls it, which gives the application a name of its own.
    fn explored(&self, partition: &TopicPartition) -> TopicPartition {
        let own = partition.topic.strip_prefix(&self.application).and_then(|rest| rest.strip_prefix('-'));
        match own {
            Some(rest) => TopicPartition::new(format!("{APPLICATION}-{rest}"), partition.partition),
            None => partition.clone(),
        }
    }
}

/// Something that was seen of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Processed { task: TaskId, input: TopicPartition, offset: Offset },
    Committed,
    Crashed,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Seen::Processed { task, input, offset } => write!(f, "task {task} processed {input}@{offset}"),
            Seen::Committed => f.write_str("a commit"),
            Seen::Crashed => f.write_str("a crash"),
        }
    }
}

/// A run that the explorer thinks impossible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexplained {
    /// How much of what was seen some run of the explorer has, in its order.
    pub explained: usize,
    /// What was seen next, which none of these runs has.
    pub next: String,
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unexplained { explained, next } = self;
        write!(f, "no run of the explorer goes on after the first {explained} of what was seen with: {next}")
    }
}

impl std::error::Error for Unexplained {}

impl Explorer {
    /// Whether a run that really happened is one of those that are explored: the same records were processed by the same tasks in
    /// the same order, with commits and crashes between them, and everybody can read the same in the end. Script, backend and
    /// crashes have to be those of the run. Wall-clock timers leave no trace, so topologies with these are not for it.
    ///
    /// # Errors
    ///
    /// With how far the run could be followed, when it is none of them: the backend is not what was assumed, or the explorer
    /// leaves out what can happen.
    ///
    /// # Panics
    ///
    /// As [`explore`](Self::explore).
    pub fn accepts(&self, run: &RealRun) -> Result<(), Unexplained> {
        let model = self.model(self.budgets);
        let seen = run.seen();
        let mut machine = Machine::new(&model);
        let first = machine.first(Vec::new());
        let (mut known, mut pools, mut explained) = (HashSet::new(), Pools::default(), 0);
        let mut open: Vec<(World, usize)> = vec![(first, 0)];
        while let Some((mut world, place)) = open.pop() {
            if !known.insert((key(world.fingerprint(&mut pools)), place)) {
                continue;
            }
            explained = explained.max(place);
            if place == seen.len() && self.ends_so(&model, &world, run) {
                return Ok(());
            }
            for step in machine.steps(&world) {
                let next = machine.take(&world, step);
                let follows = shown(&model, step, &next.events)
                    .map_or(Some(place), |shows| seen.get(place).filter(|seen| **seen == shows).map(|_| place + 1));
                open.extend(follows.map(|place| (next.world, place)));
            }
        }
        let next = seen.get(explained).map_or_else(|| "what can be read in the end".to_owned(), Seen::to_string);
        Err(Unexplained { explained, next })
    }

    fn ends_so(&self, model: &Model, world: &World, run: &RealRun) -> bool {
        run.outputs.iter().all(|(partition, records)| {
            let partition = run.explored(partition);
            let log = model.knows(&partition).then(|| &world.logs[model.number(&partition)]);
            let read = log.map_or_else(Vec::new, |log| log.committed().map(|record| key_value(record)).collect());
            read == *records
        })
    }
}

fn key_value(record: &tidemill::record::Batch) -> KeyValue {
    let mut read = (None, None);
    let Ok(()) = std::sync::Arc::new(record.clone()).for_each(|_, record| {
        read = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
        Ok::<_, std::convert::Infallible>(())
    });
    read
}

/// What a step shows to whoever watches; nothing of most.
fn shown(model: &Model, step: Step, events: &[Event]) -> Option<Seen> {
    match step {
        Step::Commit { .. } => Some(Seen::Committed),
        Step::Crash { .. } => Some(Seen::Crashed),
        _ => events.iter().find_map(|event| {
            let Event::Processed { task, log, offset } = event else { return None };
            let place = &model.tasks[*task];
            let task = TaskId { subtopologies: place.subtopologies.clone(), partition: place.partition };
            Some(Seen::Processed { task, input: model.partitions[*log].clone(), offset: *offset })
        }),
    }
}
