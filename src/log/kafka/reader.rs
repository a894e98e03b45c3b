//! Reads partitions: what was fetched waits here until somebody takes it, as batches that leave no offset out.
//!
//! Rule: the batches of a partition follow each other without a gap from where reading began. What lies between records (the
//! ends of transactions, records that were compacted away) belongs to the batch before it, or to one without records; so
//! whoever goes on at a batch's end comes to the end of the partition.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset as At, TopicPartitionList};
use tidemill_dsl::record::{Batch, BatchBuilder, Offset, TopicPartition};

use super::super::{Bounds, LogError, LogErrorKind};
use super::client;
use super::fault::{coded, fault, late};
use super::native::{Fetched, Fetcher, Taken};
use super::settings::KafkaSettings;
use super::tender::Tender;
use super::turns::Turns;

/// A batch is cut when it is that long, so that readers get no more than they asked for by much.
const BATCH_BYTES: usize = 256 << 10;
/// How long a call waits for records in one go before it looks whether they came to another thread.
const TURN: Duration = Duration::from_millis(50);

/// A consumer of partitions that it is told.
pub(super) struct Reader {
    /// Replaced only while the state is held.
    fetcher: RwLock<Arc<Fetcher>>,
    state: Mutex<State>,
    version: AtomicU64,
    turns: Turns,
    tender: Tender,
    settings: KafkaSettings,
    group: String,
    patience: Duration,
}

#[derive(Default)]
struct State {
    places: BTreeMap<TopicPartition, Place>,
    /// Counts calls, so that the place that was not asked for the longest time is known.
    calls: u64,
    builder: BatchBuilder,
    distances: Vec<u32>,
}

/// Where reading is in a partition.
struct Place {
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    /// The offset after the last batch.
    next: Offset,
    /// The end as far as it is known; see `Session::follow`.
    end: Arc<AtomicU64>,
    paused: bool,
    failed: Option<RDKafkaErrorCode>,
    asked_at: u64,
}

impl Reader {
    /// A reader for `group`, as whose member it does not count.
    pub(super) fn new(
        settings: &KafkaSettings,
        group: &str,
        patience: Duration,
        tender: &Tender,
    ) -> Result<Arc<Self>, LogError> {
        let fetcher = new_fetcher(settings, group, patience)?;
        Ok(Arc::new_cyclic(|this| {
            listen(&fetcher, tender, this.clone());
            Reader {
                fetcher: RwLock::new(Arc::new(fetcher)),
                state: Mutex::default(),
                version: AtomicU64::new(1),
                turns: Turns::default(),
                tender: tender.clone(),
                settings: settings.clone(),
                group: group.to_owned(),
                patience,
            }
        }))
    }

    /// What fetches now.
    pub(super) fn fetcher(&self) -> Arc<Fetcher> {
        self.fetcher.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_current(&self, fetcher: &Arc<Fetcher>) -> bool {
        Arc::ptr_eq(&self.fetcher.read().unwrap_or_else(PoisonError::into_inner), fetcher)
    }

    /// Goes on with a new client, from where each partition is read.
    pub(super) fn renew(self: &Arc<Self>) {
        let fresh = match new_fetcher(&self.settings, &self.group, self.patience) {
            Ok(fresh) => Arc::new(fresh),
            Err(error) => {
                tracing::warn!(target: "tidemill::kafka", %error, "a client that lost a broker is used on");
                return;
            }
        };
        listen(&fresh, &self.tender, Arc::downgrade(self));
        let mut state = self.lock();
        if let Err(error) = state.begin_all(&fresh) {
            tracing::warn!(target: "tidemill::kafka", %error, "a client that lost a broker is used on");
            return;
        }
        let mut fetcher = self.fetcher.write().unwrap_or_else(PoisonError::into_inner);
        let lost = std::mem::replace(&mut *fetcher, fresh);
        drop((fetcher, state));
        tracing::debug!(target: "tidemill::kafka", group = self.group, "a client lost a broker: another one reads on");
        self.version.fetch_add(1, Ordering::AcqRel);
        self.turns.stir();
        lost.wake();
    }

    fn ahead(&self) -> usize {
        self.settings.fetch_ahead_bytes.max(1)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to read a partition at `from`, unless that is where it is read already. The result is the end as it is known.
    pub(super) fn follow(
        &self,
        partition: &TopicPartition,
        from: Offset,
        bounds: Bounds,
    ) -> Result<Arc<AtomicU64>, LogError> {
        if let Some(place) = self.lock().places.get(partition).filter(|place| place.reaches(from)) {
            place.end.fetch_max(bounds.end.get(), Ordering::AcqRel);
            return Ok(place.end.clone());
        }
        let end = match self.lock().places.get(partition) {
            Some(place) => place.end.clone(),
            None => Arc::default(),
        };
        end.fetch_max(bounds.end.get(), Ordering::AcqRel);
        self.place(partition, from, end.clone())?;
        if !(bounds.start..=bounds.end).contains(&from) {
            self.lock().places.get_mut(partition).into_iter().for_each(|place| {
                place.failed = Some(RDKafkaErrorCode::OffsetOutOfRange);
            });
        }
        Ok(end)
    }

    /// Puts a partition's place at `from`.
    fn place(&self, partition: &TopicPartition, from: Offset, end: Arc<AtomicU64>) -> Result<(), LogError> {
        self.instead_of(partition, |fetcher, state, was_read| {
            if was_read {
                unassign(fetcher, partition)?;
            }
            assign(fetcher, &[(partition, from)])?;
            let asked_at = state.calls;
            let place =
                Place { batches: VecDeque::new(), bytes: 0, next: from, end, paused: false, failed: None, asked_at };
            state.places.insert(partition.clone(), place);
            Ok(())
        })
    }

    /// Stops reading a partition.
    pub(super) fn unfollow(&self, partition: &TopicPartition) {
        self.instead_of(partition, |fetcher, _, was_read| {
            if was_read && let Err(error) = unassign(fetcher, partition) {
                tracing::warn!(target: "tidemill::kafka", %partition, %error, "a partition goes on being fetched for nobody");
            }
        });
    }

    /// Takes away a partition's place, and does something in its stead, told whether there was one. What is taken now belonged to that
    /// place, or is of others and stays theirs; while this lasts, nobody takes.
    fn instead_of<T>(&self, partition: &TopicPartition, act: impl FnOnce(&Fetcher, &mut State, bool) -> T) -> T {
        loop {
            let fetcher = self.fetcher();
            let _turn = self.turns.first(|| fetcher.wake());
            let taken = fetcher.take(Duration::ZERO);
            let mut state = self.lock();
            if !self.is_current(&fetcher) {
                continue;
            }
            let was_read = state.places.remove(partition).is_some();
            if state.add_all(&taken, self.ahead(), &fetcher) {
                self.version.fetch_add(1, Ordering::AcqRel);
            }
            return act(&fetcher, &mut state, was_read);
        }
    }

    /// Stops reading the partitions of a topic that are read.
    pub(super) fn unfollow_topic(&self, topic: &str) {
        let here: Vec<_> = self.lock().places.keys().filter(|at| &*at.topic == topic).cloned().collect();
        here.iter().for_each(|partition| self.unfollow(partition));
    }

    /// Whether a partition is read.
    pub(super) fn follows(&self, partition: &TopicPartition) -> bool {
        self.lock().places.contains_key(partition)
    }

    /// The partition that nobody asked for for the longest time, when more than `most` are read.
    pub(super) fn superfluous(&self, most: usize) -> Option<TopicPartition> {
        let state = self.lock();
        let oldest = state.places.iter().min_by_key(|(_, place)| place.asked_at);
        oldest.filter(|_| state.places.len() > most).map(|(partition, _)| partition.clone())
    }

    /// What was fetched of a partition from `from` on, at most `bytes_max` bytes but one batch if there is one. From now on it is
    /// followed.
    pub(super) fn fetched(
        &self,
        partition: &TopicPartition,
        from: Offset,
        bytes_max: usize,
    ) -> Result<Vec<Arc<Batch>>, LogError> {
        let mut state = self.lock();
        state.calls += 1;
        let calls = state.calls;
        let Some(place) = state.places.get_mut(partition) else {
            drop(state);
            self.place(partition, from, Arc::default())?;
            return Ok(Vec::new());
        };
        place.asked_at = calls;
        if let Some(code) = place.failed {
            return Err(coded(&format!("cannot read `{partition}` from {from} on"), code));
        }
        if !place.reaches(from) {
            let end = place.end.clone();
            drop(state);
            self.place(partition, from, end)?;
            return Ok(Vec::new());
        }
        let batches = place.take(from, bytes_max);
        if place.paused && place.bytes < self.ahead() / 2 {
            place.paused = false;
            resume(&self.fetcher(), partition);
        }
        Ok(batches)
    }

    /// As [`fetched`](Self::fetched), but waits for records that are there (`to` is behind `from`), until there are
    /// `bytes_max` bytes or all up to `to`.
    pub(super) fn read(
        &self,
        partition: &TopicPartition,
        from: Offset,
        to: Offset,
        bytes_max: usize,
    ) -> Result<Vec<Arc<Batch>>, LogError> {
        let (mut batches, mut next, mut bytes) = (Vec::new(), from, 0);
        let mut waited = Duration::ZERO;
        while next < to && (batches.is_empty() || bytes < bytes_max) {
            let seen = self.version();
            let more = self.fetched(partition, next, bytes_max.saturating_sub(bytes))?;
            let added: usize = more.iter().map(|batch| batch.bytes().len()).sum();
            if let Some(last) = more.last() {
                if !batches.is_empty() && bytes + added > bytes_max {
                    self.give_back(partition, more);
                    break;
                }
                (next, bytes) = (last.end(), bytes + added);
                batches.extend(more);
                waited = Duration::ZERO;
                continue;
            }
            if waited >= self.settings.answer_within {
                // The next call has the client begin anew, which may have lost its way when brokers came back.
                self.unfollow(partition);
                let what = format!("cannot read `{partition}` from {next} on, which ends at {to}");
                return Err(late(&what, &self.settings.brokers, self.settings.answer_within));
            }
            if !self.serve(seen, TURN) {
                waited += TURN;
            }
        }
        Ok(batches)
    }

    fn give_back(&self, partition: &TopicPartition, batches: Vec<Arc<Batch>>) {
        if let Some(place) = self.lock().places.get_mut(partition) {
            for batch in batches.into_iter().rev() {
                place.bytes += batch.bytes().len();
                place.batches.push_front(batch);
            }
        }
    }

    /// Counts what came.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Takes in what was fetched; waits for it for about `limit` at most, unless something came since `seen`, which another thread may
    /// have taken in. Says whether anything came.
    pub(super) fn serve(&self, seen: u64, limit: Duration) -> bool {
        let came = || self.version() != seen;
        let Some(_turn) = self.turns.within(limit, came) else { return came() };
        let fetcher = self.fetcher();
        let taken = fetcher.take(limit);
        if taken.is_empty() {
            return false;
        }
        let mut state = self.lock();
        // What an earlier client gave comes again from the one that is there now.
        if self.is_current(&fetcher) && state.add_all(&taken, self.ahead(), &fetcher) {
            self.version.fetch_add(1, Ordering::AcqRel);
        }
        true
    }

    /// Waits until something changed since `seen`, or for `limit`.
    pub(super) fn wait(&self, seen: u64, limit: Duration) -> u64 {
        while self.version() == seen {
            if !self.serve(seen, limit) {
                break;
            }
        }
        self.version()
    }

    /// Ends a `wait`.
    pub(super) fn wake(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
        self.turns.stir();
        self.fetcher().wake();
    }
}

impl State {
    /// Has a new fetcher begin where each partition is read. What is ahead already makes it pause again.
    fn begin_all(&mut self, fetcher: &Fetcher) -> Result<(), LogError> {
        let places: Vec<_> = self.places.iter().map(|(partition, place)| (partition, place.next)).collect();
        assign(fetcher, &places)?;
        self.places.values_mut().for_each(|place| place.paused = false);
        Ok(())
    }

    /// Adds what was taken to the partitions' batches. Says whether any of them went on, or failed.
    fn add_all(&mut self, taken: &Taken<'_>, ahead: usize, fetcher: &Fetcher) -> bool {
        let mut changed = false;
        let mut all = taken.iter().peekable();
        while let Some(first) = all.next() {
            let partition = TopicPartition::new(first.topic(), first.partition());
            let Some(place) = self.places.get_mut(&partition) else { continue };
            let mut maker = Maker { place, builder: &mut self.builder, distances: &mut self.distances };
            changed |= maker.add(first);
            while let Some(more) = all.next_if(|more| more.is_beside(&first)) {
                changed |= maker.add(more);
            }
            maker.cut();
            if place.bytes > ahead && !place.paused {
                place.paused = true;
                pause(fetcher, &partition);
            }
        }
        changed
    }
}

/// Makes batches of what was fetched of a partition.
struct Maker<'a> {
    place: &'a mut Place,
    builder: &'a mut BatchBuilder,
    distances: &'a mut Vec<u32>,
}

impl Maker<'_> {
    fn add(&mut self, fetched: Fetched<'_>) -> bool {
        let at = Offset::new(fetched.offset());
        match fetched.error() {
            None if at < self.reached() => return false,
            None => self.push(at, fetched),
            Some(_) if fetched.is_end() => {
                self.cut();
                self.skip_to(at);
            }
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                self.place.failed = Some(RDKafkaErrorCode::OffsetOutOfRange);
            }
            Some(code @ (RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::UnknownTopicOrPartition)) => {
                self.place.failed = Some(code);
            }
            // The client goes on trying.
            Some(_) => return false,
        }
        true
    }

    /// The offset after the last record that was added.
    fn reached(&self) -> Offset {
        self.distances.last().map_or(self.place.next, |last| self.place.next.plus(u64::from(*last) + 1))
    }

    fn push(&mut self, at: Offset, record: Fetched<'_>) {
        if self.builder.size() >= BATCH_BYTES {
            self.cut();
        }
        if at.get() - self.place.next.get() >= u64::from(u32::MAX) {
            self.cut();
            self.skip_to(at);
        }
        let distance = u32::try_from(at.get() - self.place.next.get()).expect("what is further on was skipped");
        self.distances.push(distance);
        record.push_to(self.builder);
    }

    /// Ends the batch.
    fn cut(&mut self) {
        let (base, end) = (self.place.next, self.reached());
        if end == base {
            return;
        }
        let is_dense = u64::from(self.builder.count()) == end.get() - base.get();
        let batch = match is_dense {
            true => self.builder.finish(base),
            false => self.builder.finish_sparse(base, end, self.distances),
        };
        self.distances.clear();
        self.place.add(batch);
    }

    /// There is no record before `at`.
    fn skip_to(&mut self, at: Offset) {
        if at > self.place.next {
            let batch = self.builder.finish_sparse(self.place.next, at, &[]);
            self.place.add(batch);
        }
    }
}

impl Place {
    fn add(&mut self, batch: Batch) {
        self.next = batch.end();
        self.bytes += batch.bytes().len();
        self.end.fetch_max(self.next.get(), Ordering::AcqRel);
        self.batches.push_back(Arc::new(batch));
    }

    /// Whether reading can go on at `from` with what is here or comes next.
    fn reaches(&self, from: Offset) -> bool {
        let begin = self.batches.front().map_or(self.next, |first| first.base());
        (begin..=self.next).contains(&from)
    }

    fn take(&mut self, from: Offset, bytes_max: usize) -> Vec<Arc<Batch>> {
        while self.batches.front().is_some_and(|first| first.end() <= from) {
            self.bytes -= self.batches.pop_front().map_or(0, |batch| batch.bytes().len());
        }
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(first) = self.batches.front() {
            bytes += first.bytes().len();
            if bytes > bytes_max && !taken.is_empty() {
                break;
            }
            self.bytes -= first.bytes().len();
            taken.extend(self.batches.pop_front());
        }
        taken
    }
}

/// A fetcher for `group`, as whose member it does not count.
fn new_fetcher(settings: &KafkaSettings, group: &str, patience: Duration) -> Result<Fetcher, LogError> {
    let consumer = client::reader(settings, group, patience)?
        .create_with_context(client::Quiet::default())
        .map_err(|error| fault("cannot make a consumer", &error))?;
    let message = "cannot make a consumer: the client gives it no queue";
    Fetcher::new(consumer).ok_or_else(|| LogError::new(LogErrorKind::Unavailable, message))
}

/// Has the reader told when the fetcher's client is lost.
fn listen(fetcher: &Fetcher, tender: &Tender, reader: Weak<Reader>) {
    let tender = tender.clone();
    fetcher.on_loss(Box::new(move || tender.tell(reader)));
}

fn assign(fetcher: &Fetcher, places: &[(&TopicPartition, Offset)]) -> Result<(), LogError> {
    let names = || places.iter().map(|(partition, _)| partition.to_string()).collect::<Vec<_>>().join("`, `");
    let mut list = TopicPartitionList::with_capacity(places.len());
    let mut listed = places.iter().map(|(partition, from)| {
        list.add_partition_offset(&partition.topic, number(partition), At::Offset(from.get().cast_signed()))
    });
    let _known: Vec<_> = places.iter().map(|(partition, _)| fetcher.know(&partition.topic)).collect();
    let done = listed.try_for_each(|added| added).and_then(|()| match places.is_empty() {
        true => Ok(()),
        false => fetcher.consumer().incremental_assign(&list),
    });
    done.map_err(|error| fault(&format!("cannot read `{}`", names()), &error))
}

fn unassign(fetcher: &Fetcher, partition: &TopicPartition) -> Result<(), LogError> {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(&partition.topic, number(partition));
    let done = fetcher.consumer().incremental_unassign(&list);
    done.map_err(|error| fault(&format!("cannot stop reading `{partition}`"), &error))
}

fn pause(fetcher: &Fetcher, partition: &TopicPartition) {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(&partition.topic, number(partition));
    if let Err(error) = fetcher.consumer().pause(&list) {
        tracing::warn!(target: "tidemill::kafka", %partition, %error, "a partition that is far ahead cannot be paused");
    }
}

fn resume(fetcher: &Fetcher, partition: &TopicPartition) {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(&partition.topic, number(partition));
    if let Err(error) = fetcher.consumer().resume(&list) {
        tracing::warn!(target: "tidemill::kafka", %partition, %error, "a paused partition cannot be resumed");
    }
}

/// A partition's number as the client has it.
pub(super) fn number(partition: &TopicPartition) -> i32 {
    i32::try_from(partition.partition).unwrap_or(i32::MAX)
}
