//! Any sequence of calls gives what a few vectors say it should.

use std::sync::Arc;
use std::thread;

use proptest::prelude::*;
use tidemill::log::{
    Append, Durability, EmbeddedLog, InputProgress, Log, LogErrorKind, LogSettings, MemoryLog, Notes, Progress,
    Session, TopicSpec,
};
use tidemill::record::{Offset, TopicPartition};
use tidemill_testkit::fault::SimulatedFiles;

use super::workload::{batch, values};

const PARTITIONS: usize = 4;
const APPLICATIONS: usize = 2;

#[derive(Clone, Debug)]
enum Op {
    Append {
        to: Vec<usize>,
        records: usize,
        note: bool,
    },
    Stage {
        app: usize,
        to: usize,
        records: usize,
    },
    Commit {
        app: usize,
        progress: bool,
    },
    Abort {
        app: usize,
    },
    NewSession {
        app: usize,
    },
    /// An append from outside to what `app` staged, which ends the epoch meanwhile.
    AppendBehind {
        app: usize,
        commit: bool,
    },
    /// The application is told how far it is, between two sessions.
    Tell {
        app: usize,
        to: usize,
    },
    Read {
        at: usize,
        from: prop::sample::Index,
        bytes_max: usize,
    },
    Reopen,
}

fn any_op() -> impl Strategy<Value = Op> {
    let (app, at, records) = (0..APPLICATIONS, 0..PARTITIONS, 0..4_usize);
    let to = prop::collection::vec(at.clone(), 0..3);
    prop_oneof![
        3 => (to, records.clone(), any::<bool>()).prop_map(|(to, records, note)| Op::Append { to, records, note }),
        8 => (app.clone(), at.clone(), records).prop_map(|(app, to, records)| Op::Stage { app, to, records }),
        3 => (app.clone(), any::<bool>()).prop_map(|(app, progress)| Op::Commit { app, progress }),
        1 => app.clone().prop_map(|app| Op::Abort { app }),
        1 => app.clone().prop_map(|app| Op::NewSession { app }),
        1 => (app.clone(), any::<bool>()).prop_map(|(app, commit)| Op::AppendBehind { app, commit }),
        1 => (app.clone(), at.clone()).prop_map(|(app, to)| Op::Tell { app, to }),
        5 => (at, any::<prop::sample::Index>(), 0..400_usize).prop_map(|(at, from, bytes_max)| Op::Read { at, from, bytes_max }),
        1 => Just(Op::Reopen),
    ]
}

type Records = Vec<Vec<Vec<u8>>>;

struct Application {
    session: Option<Box<dyn Session>>,
    staged: Records,
    progress: Progress,
}

struct Model<'a> {
    open: &'a dyn Fn() -> Box<dyn Log>,
    durable: bool,
    log: Option<Box<dyn Log>>,
    committed: Records,
    notes: Notes,
    apps: Vec<Application>,
    written: u32,
}

fn partition(number: usize) -> TopicPartition {
    TopicPartition::new(if number < 3 { "three" } else { "one" }, u32::try_from(number % 3).unwrap())
}

impl<'a> Model<'a> {
    fn new(open: &'a dyn Fn() -> Box<dyn Log>, durable: bool) -> Self {
        let app =
            |_| Application { session: None, staged: vec![Vec::new(); PARTITIONS], progress: Progress::default() };
        let apps = (0..APPLICATIONS).map(app).collect();
        let committed = vec![Vec::new(); PARTITIONS];
        let mut model = Model { open, durable, log: None, committed, notes: Notes::new(), apps, written: 0 };
        model.open();
        for (name, partitions) in [("three", 3), ("one", 1)] {
            model.log().create_topic(&TopicSpec::new(name, partitions)).unwrap();
        }
        model
    }

    fn log(&self) -> &dyn Log {
        &**self.log.as_ref().unwrap()
    }

    fn open(&mut self) {
        for app in &mut self.apps {
            (app.session, app.staged) = (None, vec![Vec::new(); PARTITIONS]);
        }
        self.log = None;
        self.log = Some((self.open)());
        for number in 0..APPLICATIONS {
            self.new_session(number);
        }
    }

    fn new_session(&mut self, number: usize) {
        let session = self.log().session(&number.to_string()).unwrap();
        let old = self.apps[number].session.replace(session);
        if let Some(old) = old {
            assert_eq!(old.commit(&Progress::default()).unwrap_err().kind(), LogErrorKind::Fenced);
        }
        self.apps[number].staged = vec![Vec::new(); PARTITIONS];
    }

    fn values(&mut self, count: usize) -> Vec<Vec<u8>> {
        let mut next = || {
            self.written += 1;
            self.written.to_string().repeat(1 + self.written as usize % 30).into_bytes()
        };
        (0..count).map(|_| next()).collect()
    }

    fn is_staged(&self, partition: usize, except: Option<usize>) -> bool {
        let others = self.apps.iter().enumerate().filter(|(number, _)| Some(*number) != except);
        others.into_iter().any(|(_, app)| !app.staged[partition].is_empty())
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Append { to, records, note } => self.append(to, *records, *note),
            Op::Stage { app, to, records } => self.stage(*app, *to, *records),
            Op::Commit { app, progress } => self.commit(*app, *progress),
            Op::Abort { app } => {
                self.apps[*app].session.as_ref().unwrap().abort().unwrap();
                self.apps[*app].staged = vec![Vec::new(); PARTITIONS];
            }
            Op::NewSession { app } => self.new_session(*app),
            Op::AppendBehind { app, commit } => self.append_behind(*app, *commit),
            Op::Tell { app, to } => self.tell(*app, *to),
            Op::Read { at, from, bytes_max } => self.read(*at, from, *bytes_max),
            Op::Reopen if self.durable => self.open(),
            Op::Reopen => {}
        }
    }

    fn append(&mut self, to: &[usize], records: usize, note: bool) {
        // It would wait for the end of an epoch, on the thread that ends it.
        if to.iter().any(|to| self.is_staged(*to, None)) {
            return;
        }
        let (mut appends, mut expected) = (Vec::new(), Vec::new());
        for to in to {
            let values = self.values(records);
            appends.push(Append { to: partition(*to), records: batch(&values) });
            expected.push(Offset::new(self.committed[*to].len() as u64));
            self.committed[*to].extend(values);
        }
        let notes: Notes = note.then(|| ("n".to_owned(), vec![u8::try_from(records).unwrap()])).into_iter().collect();
        self.notes.extend(notes.clone());
        assert_eq!(self.log().append(appends, "scope", notes).unwrap(), expected);
    }

    fn stage(&mut self, app: usize, to: usize, records: usize) {
        let values = self.values(records);
        let taken = records > 0 && self.is_staged(to, Some(app));
        let expected = self.committed[to].len() + self.apps[app].staged[to].len();
        let session = self.apps[app].session.as_ref().unwrap();
        let staged = session.stage(Append { to: partition(to), records: batch(&values) });
        if taken {
            assert_eq!(staged.unwrap_err().kind(), LogErrorKind::Invalid);
            return;
        }
        assert_eq!(staged.unwrap(), Some(Offset::new(expected as u64)));
        self.apps[app].staged[to].extend(values);
    }

    fn commit(&mut self, app: usize, with_progress: bool) {
        let mut progress = Progress::default();
        if with_progress {
            let reached = InputProgress { next: Offset::new(u64::from(self.written)), partition_time: None };
            progress.inputs.insert(partition(self.written as usize % PARTITIONS), reached);
            progress.notes.insert("time".to_owned(), self.written.to_le_bytes().to_vec());
        }
        self.apps[app].session.as_ref().unwrap().commit(&progress).unwrap();
        self.committed_by(app);
        self.apps[app].progress.inputs.extend(progress.inputs);
        self.apps[app].progress.notes.extend(progress.notes);
    }

    fn committed_by(&mut self, app: usize) {
        for (committed, staged) in self.committed.iter_mut().zip(&mut self.apps[app].staged) {
            committed.append(staged);
        }
    }

    fn append_behind(&mut self, app: usize, commit: bool) {
        let Some(to) = (0..PARTITIONS).find(|to| !self.apps[app].staged[*to].is_empty()) else { return };
        let values = self.values(2);
        let append = Append { to: partition(to), records: batch(&values) };
        let log = self.log();
        let session = self.apps[app].session.as_ref().unwrap();
        let offset = thread::scope(|scope| {
            let outside = scope.spawn(|| log.append(vec![append], "", Notes::new()).unwrap());
            if commit {
                session.commit(&Progress::default()).unwrap()
            } else {
                session.abort().unwrap()
            }
            outside.join().unwrap()[0]
        });
        if commit {
            self.committed_by(app);
        }
        self.apps[app].staged = vec![Vec::new(); PARTITIONS];
        assert_eq!(offset.get(), self.committed[to].len() as u64);
        self.committed[to].extend(values);
    }

    fn tell(&mut self, app: usize, to: usize) {
        let reached = InputProgress { next: Offset::new(u64::from(self.written)), partition_time: None };
        let told = Progress { inputs: [(partition(to), reached)].into(), notes: Notes::new() };
        let refused = self.log().set_progress(&app.to_string(), &told).unwrap_err();
        assert_eq!(refused.kind(), LogErrorKind::Invalid);
        self.apps[app].session = None;
        self.log().set_progress(&app.to_string(), &told).unwrap();
        self.apps[app].progress = told;
        self.new_session(app);
    }

    fn read(&self, at: usize, from: &prop::sample::Index, bytes_max: usize) {
        let (name, committed) = (partition(at), &self.committed[at]);
        let from = Offset::new(from.index(committed.len() + 1) as u64);
        let batches = self.log().read(&name, from, bytes_max).unwrap();
        assert_eq!(batches.is_empty(), from.get() == committed.len() as u64);
        let bytes: usize = batches.iter().map(|batch| batch.bytes().len()).sum();
        assert!(bytes <= bytes_max || batches.len() == 1, "{bytes} bytes in {} batches", batches.len());
        if let Some(first) = batches.first() {
            assert!(first.base() <= from && from < first.end());
        }
        for batch in batches {
            let expected =
                &committed[usize::try_from(batch.base().get()).unwrap()..usize::try_from(batch.end().get()).unwrap()];
            assert_eq!(values(vec![Arc::new((*batch).clone().rebased(Offset::ZERO))]), expected);
        }
    }

    fn check(&self) {
        for (number, committed) in self.committed.iter().enumerate() {
            let name = partition(number);
            assert_eq!(self.log().bounds(&name).unwrap().end.get(), committed.len() as u64);
            assert_eq!(&values(self.log().read(&name, Offset::ZERO, usize::MAX).unwrap()), committed);
            for app in &self.apps {
                let session = app.session.as_ref().unwrap();
                let own: Vec<_> = committed.iter().chain(&app.staged[number]).cloned().collect();
                assert_eq!(session.end(&name).unwrap().get(), own.len() as u64);
                assert_eq!(session.follow(&name, Offset::ZERO).unwrap().get().get(), own.len() as u64);
                assert_eq!(values(session.read(&name, Offset::ZERO, usize::MAX).unwrap()), own);
            }
        }
        for app in &self.apps {
            assert_eq!(app.session.as_ref().unwrap().progress().unwrap(), app.progress);
        }
        assert_eq!(self.log().notes("scope").unwrap(), self.notes);
    }
}

fn check(open: &dyn Fn() -> Box<dyn Log>, durable: bool, ops: &[Op]) {
    let mut model = Model::new(open, durable);
    for op in ops {
        model.apply(op);
        model.check();
    }
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(any_op(), 0..80)
}

proptest! {
    #[test]
    fn the_memory_log_agrees_with_a_few_vectors(ops in ops()) {
        check(&|| Box::new(MemoryLog::new()), false, &ops);
    }

    #[test]
    fn the_embedded_log_agrees_with_a_few_vectors(ops in ops(), segment_bytes in 200_u64..3000, recent_bytes in 0_usize..600) {
        let files = SimulatedFiles::new();
        let settings = LogSettings { durability: Durability::EveryCommit, segment_bytes, recent_bytes, ..LogSettings::default() };
        check(&|| Box::new(EmbeddedLog::open_on(Arc::new(files.clone()), settings).unwrap()), true, &ops);
    }
}
