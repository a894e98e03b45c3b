//! A fixed sequence of calls on a log, and what the log must hold after each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill::log::{
    Append, Durability, EmbeddedLog, InputProgress, Log, LogError, LogSettings, Notes, Progress, Session, TopicSpec,
};
use tidemill::record::{Batch, BatchBuilder, Headers, Offset, Timestamp, TopicPartition};
use tidemill_testkit::fault::SimulatedFiles;

/// All that a log holds: records by partition, an application's progress, a scope's notes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) records: BTreeMap<TopicPartition, Vec<Vec<u8>>>,
    pub(crate) progress: Progress,
    pub(crate) notes: Notes,
}

impl Contents {
    pub(crate) fn of(log: &dyn Log) -> Contents {
        let mut contents = Contents { notes: log.notes("scope").unwrap(), ..Contents::default() };
        for topic in log.topics().unwrap() {
            for partition in 0..topic.partitions {
                let partition = TopicPartition::new(topic.name.clone(), partition);
                let values = values(log.read(&partition, Offset::ZERO, usize::MAX).unwrap());
                contents.records.insert(partition, values);
            }
        }
        contents.progress = log.session("app").map_or_else(|_| Progress::default(), |app| app.progress().unwrap());
        contents
    }
}

pub(crate) fn values(batches: Vec<Arc<Batch>>) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for batch in &batches {
        assert_eq!(batch.base().get(), out.len() as u64, "read from the start, offsets continue");
        let mut records = batch.records();
        while let Some(record) = records.peek() {
            out.push(record.value.unwrap_or_default().to_vec());
            records.advance();
        }
    }
    out
}

pub(crate) fn batch(values: &[Vec<u8>]) -> Batch {
    let mut builder = BatchBuilder::default();
    for value in values {
        builder.push(Timestamp::from_millis(7), Some(b"key"), Some(value), &Headers::NONE);
    }
    builder.finish(Offset::ZERO)
}

pub(crate) fn settings(durability: Durability) -> LogSettings {
    LogSettings { durability, segment_bytes: 4 << 10, recent_bytes: 1 << 10, ..LogSettings::default() }
}

pub(crate) fn open(files: &SimulatedFiles, durability: Durability) -> Result<EmbeddedLog, LogError> {
    EmbeddedLog::open_on(Arc::new(files.clone()), settings(durability))
}

/// One state after another, as the calls make them.
#[derive(Default)]
pub(crate) struct History {
    /// What the log holds after each change; the first state is the empty log.
    pub(crate) states: Vec<Contents>,
    /// For each state, the count of file operations when its change began.
    pub(crate) begun: Vec<usize>,
    /// For each state, the count of file operations when it was promised to be durable.
    pub(crate) promised: Vec<Option<usize>>,
}

impl History {
    /// The states that a log may have after a crash before operation `operation`.
    pub(crate) fn possible(&self, operation: usize) -> std::ops::RangeInclusive<usize> {
        let first = self.promised.iter().rposition(|at| at.is_some_and(|at| at <= operation)).unwrap_or(0);
        let last = self.begun.iter().rposition(|at| *at < operation).unwrap_or(0);
        first..=last.max(first)
    }
}

/// The workload's state while it runs.
pub(crate) struct Run<'a> {
    files: &'a SimulatedFiles,
    log: &'a EmbeddedLog,
    durability: Durability,
    now: Contents,
    pub(crate) history: History,
}

impl<'a> Run<'a> {
    pub(crate) fn new(files: &'a SimulatedFiles, log: &'a EmbeddedLog, durability: Durability) -> Self {
        let mut history = History::default();
        history.states.push(Contents::default());
        history.begun.push(0);
        history.promised.push(None);
        Run { files, log, durability, now: Contents::default(), history }
    }

    /// Does one call that changes the log as `now` says.
    fn change(&mut self, call: impl FnOnce(&EmbeddedLog) -> Result<(), LogError>) -> Result<(), LogError> {
        self.history.begun.push(self.files.operations());
        self.history.states.push(self.now.clone());
        self.history.promised.push(None);
        call(self.log)?;
        if self.durability == Durability::EveryCommit {
            *self.history.promised.last_mut().unwrap() = Some(self.files.operations());
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LogError> {
        self.log.sync()?;
        *self.history.promised.last_mut().unwrap() = Some(self.files.operations());
        Ok(())
    }

    /// Runs `rounds` rounds of appends and epochs. On an error the history says how far it came.
    pub(crate) fn run(&mut self, rounds: u64) -> Result<(), LogError> {
        let [a0, a1, b0] = [("a", 0), ("a", 1), ("b", 0)].map(|(topic, number)| TopicPartition::new(topic, number));
        for (spec, partitions) in [("a", vec![&a0, &a1]), ("b", vec![&b0])] {
            let spec = TopicSpec::new(spec, u32::try_from(partitions.len()).unwrap());
            partitions.into_iter().for_each(|partition| _ = self.now.records.insert(partition.clone(), Vec::new()));
            self.change(|log| log.create_topic(&spec))?;
        }
        let session = self.log.session("app")?;
        for round in 0..rounds {
            self.append(&[&a0], round)?;
            self.epoch(&*session, &[&a1, &b0, &a0], round)?;
            if round % 4 == 1 {
                session.stage(Append { to: b0.clone(), records: batch(&[b"aborted".to_vec()]) })?;
                session.abort()?;
            }
            self.append(&[&b0, &a0], round)?;
            if round % 3 == 2 {
                self.sync()?;
            }
        }
        self.sync()
    }

    fn append(&mut self, targets: &[&TopicPartition], round: u64) -> Result<(), LogError> {
        let mut appends = Vec::new();
        for (at, to) in targets.iter().enumerate() {
            let values: Vec<_> = (0..=at).map(|n| value(round, n, 40 + 97 * at)).collect();
            self.now.records.get_mut(*to).unwrap().extend(values.iter().cloned());
            appends.push(Append { to: (*to).clone(), records: batch(&values) });
        }
        let notes = Notes::from([("round".to_owned(), round.to_le_bytes().to_vec())]);
        self.now.notes.extend(notes.clone());
        self.change(|log| log.append(appends, "scope", notes).map(|_| ()))
    }

    fn epoch(&mut self, session: &dyn Session, targets: &[&TopicPartition], round: u64) -> Result<(), LogError> {
        for at in 0..6 {
            let to = targets[at % targets.len()];
            let value = value(round, at, 30);
            session.stage(Append { to: to.clone(), records: batch(std::slice::from_ref(&value)) })?;
            self.now.records.get_mut(to).unwrap().push(value);
        }
        let reached = InputProgress { next: Offset::new(round), partition_time: None };
        let notes = Notes::from([("epoch".to_owned(), round.to_le_bytes().to_vec())]);
        let progress = Progress { inputs: [(targets[0].clone(), reached)].into(), notes };
        self.now.progress.inputs.extend(progress.inputs.clone());
        self.now.progress.notes.extend(progress.notes.clone());
        self.change(|_| session.commit(&progress))
    }
}

fn value(round: u64, number: usize, length: usize) -> Vec<u8> {
    format!("{round}.{number}.").into_bytes().into_iter().cycle().take(length).collect()
}
