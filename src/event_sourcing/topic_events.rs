//! Events in a topic, where a task decides whose version counts.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tidemill_dsl::Topic;
use tidemill_dsl::event_sourcing::headers::event_version;
use tidemill_dsl::event_sourcing::{Aggregate, CommandContext, Commands, Refusal, Reply};
use tidemill_dsl::record::{TopicName, TopicPartition};
use tidemill_dsl::serde::{Data, List, Serde, SerdeError, SerdeRef};
use tidemill_dsl::state::Store;
use tidemill_dsl::stream::{Decisions, EventSourced, StreamsBuilder};
use tidemill_dsl::topology::{Topology, TopologyErrors};

use super::{Batches, EventBatch, Loaded, Provider, Recorded, SaveError};
use crate::error::{Error, ErrorKind};
use crate::runtime::{App, AskError, Position, Subscription};

/// An aggregate to whose state events are appended as they are: what a repository decided already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Data)]
#[data(crate = tidemill_dsl)]
pub struct Appended<A>(
    /// The state.
    pub A,
);

impl<A: Aggregate<Event: Clone>> Aggregate for Appended<A> {
    type Key = A::Key;
    type Command = Vec<A::Event>;
    type Event = A::Event;
    type Refusal = ();

    fn decide(&self, events: &Vec<A::Event>, _: &CommandContext<'_, A::Key>) -> Result<Vec<A::Event>, ()> {
        Ok(events.clone())
    }

    fn evolve(&mut self, event: &A::Event) {
        self.0.evolve(event);
    }

    fn is_gone(&self) -> bool {
        self.0.is_gone()
    }
}

/// Writes the state as the aggregate's own serde does.
struct AppendedSerde<A: 'static>(SerdeRef<A>);

impl<A: 'static> Serde<Appended<A>> for AppendedSerde<A> {
    fn write(&self, state: &Appended<A>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        self.0.write(&state.0, out)
    }

    fn read(&self, bytes: &[u8]) -> Result<Appended<A>, SerdeError> {
        self.0.read(bytes).map(Appended)
    }

    fn name(&self) -> String {
        self.0.name()
    }
}

/// The topics and the store of a repository's events, called after a name: `<name>-appends`, `<name>-events`, and the store `<name>`, which
/// has the states.
pub struct EventTopics<A: Aggregate<Event: Clone>> {
    appends: Commands<Appended<A>>,
    events: Topic<A::Key, A::Event>,
    states: Store<A::Key, Appended<A>>,
}

impl<A: Aggregate<Event: Clone>> Clone for EventTopics<A> {
    fn clone(&self) -> Self {
        EventTopics { appends: self.appends.clone(), events: self.events.clone(), states: self.states.clone() }
    }
}

impl<A: Aggregate<Event: Clone>> EventTopics<A> {
    /// Those of a name, with these serdes.
    pub fn new(name: &str, keys: SerdeRef<A::Key>, events: SerdeRef<A::Event>, states: SerdeRef<A>) -> Self {
        let lists = SerdeRef::new(List::new(events.clone()));
        EventTopics {
            appends: Commands::new(Topic::new(format!("{name}-appends"), keys.clone(), lists)),
            events: Topic::new(format!("{name}-events"), keys.clone(), events),
            states: Store::new(name, keys, SerdeRef::new(AppendedSerde(states))),
        }
    }

    /// The commands by which events are added: `save` sends them.
    pub fn appends(&self) -> &Commands<Appended<A>> {
        &self.appends
    }

    /// The topic of events, for whoever wants to follow them.
    pub fn events(&self) -> &Topic<A::Key, A::Event> {
        &self.events
    }

    /// The store of states, for queries.
    pub fn states(&self) -> &Store<A::Key, Appended<A>> {
        &self.states
    }

    /// Adds what decides about versions to a topology.
    pub fn add_to<'b>(&self, builder: &'b StreamsBuilder) -> Decisions<'b, Appended<A>> {
        let options = EventSourced::default().serdes(self.events.value_serde().clone(), SerdeRef::of());
        let decisions = builder.stream(self.appends.topic()).event_sourced_with(&self.states, options);
        decisions.events().to(&self.events);
        decisions
    }

    /// A topology of nothing else.
    ///
    /// # Errors
    ///
    /// When names are not allowed.
    pub fn topology(&self) -> Result<Topology, TopologyErrors> {
        let builder = StreamsBuilder::new();
        self.add_to(&builder);
        builder.build()
    }
}

/// The events of a running application whose topology has their topics.
pub struct TopicEvents<A: Aggregate<Event: Clone>> {
    app: Arc<App>,
    topics: EventTopics<A>,
    limit: Duration,
}

impl<A: Aggregate<Event: Clone>> TopicEvents<A> {
    /// The events of this application, which others may hold too. A send waits for 30 seconds at most, unless
    /// [`timeout`](Self::timeout) says otherwise.
    pub fn new(app: impl Into<Arc<App>>, topics: &EventTopics<A>) -> Self {
        TopicEvents { app: app.into(), topics: topics.clone(), limit: Duration::from_secs(30) }
    }

    /// How long a send waits.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        TopicEvents { limit, ..self }
    }

    /// The application.
    pub fn app(&self) -> &App {
        &self.app
    }
}

impl<A: Aggregate<Event: Clone>> Provider<A> for TopicEvents<A> {
    fn fetch_all(&self, batch: usize) -> Result<Batches<'_, A>, Error> {
        let events = self.app.subscribe(&self.topics.events)?;
        // What comes later is no part of it.
        let end = self.app.subscribe(&self.topics.events)?.at_end()?.position();
        let (topic, start) = (self.topics.events.name().into(), events.position());
        Ok(Box::new(Replay {
            topic,
            events,
            start,
            end,
            ready: Vec::new(),
            batch: batch.max(1),
            read_all: false,
            over: false,
        }))
    }

    fn send(
        &self,
        key: A::Key,
        expected: u64,
        events: Vec<A::Event>,
        id: Option<String>,
    ) -> impl Future<Output = Result<u64, SaveError>> + Send {
        let ask = self.app.ask(&self.topics.appends, key, events).expect_version(expected).timeout(self.limit);
        let ask = match id {
            Some(id) => ask.id(id),
            None => ask,
        };
        let asked = ask.into_future();
        async move {
            match asked.await {
                Ok(answer) => version_of(answer.reply),
                Err(AskError::NotSent(cause)) => Err(SaveError::NotSent(cause)),
                Err(AskError::Unknown { id, cause }) => Err(SaveError::Unknown { id, cause }),
            }
        }
    }

    /// Closes the application, unless somebody else holds it: then it is theirs to close.
    async fn close(self) -> Result<(), Error> {
        match Arc::into_inner(self.app) {
            Some(app) => app.close().await,
            None => Ok(()),
        }
    }
}

fn version_of<E>(reply: Reply<E, ()>) -> Result<u64, SaveError> {
    match reply {
        Reply::Accepted { version, .. } => Ok(version),
        Reply::Refused(Refusal::Conflict { expected, actual }) => Err(SaveError::Conflict { expected, actual }),
        Reply::Refused(other) => {
            let message = format!("the events were refused: {other:?}; load the aggregate again, and decide again");
            Err(SaveError::NotSent(Error::new(ErrorKind::Invalid, message)))
        }
    }
}

/// Reads a topic up to where it ended.
struct Replay<A: Aggregate> {
    topic: TopicName,
    events: Subscription<A::Key, A::Event>,
    start: Position,
    end: Position,
    /// Read, and not given out yet.
    ready: Vec<Recorded<A::Key, A::Event>>,
    batch: usize,
    /// Nothing is left to read.
    read_all: bool,
    over: bool,
}

impl<A: Aggregate> Replay<A> {
    fn loaded(&self) -> Loaded {
        let now = self.events.position();
        let (mut read, mut total) = (0, 0);
        for (partition, end) in self.end.iter() {
            let start = self.start.next(partition).unwrap_or_default().get();
            let next = now.next(partition).unwrap_or_default().min(end).get();
            read += next.saturating_sub(start);
            total += end.get().saturating_sub(start);
        }
        Loaded { read: read.saturating_sub(self.ready.len() as u64), total }
    }

    /// Reads on until there is a batch, or no more.
    fn fill(&mut self) -> Result<(), Error> {
        while self.ready.len() < self.batch && !self.read_all {
            // An event that cannot be read is told of after those before it: so there is one more look at the end.
            let is_at_end = self.events.position().covers(&self.end);
            let records = self.events.read()?;
            self.read_all = is_at_end || records.is_empty();
            for record in records {
                let partition = TopicPartition::new(self.topic.clone(), record.partition);
                let is_later = self.end.next(&partition).is_none_or(|end| record.offset >= end);
                // A deleted event is none.
                let Some(event) = record.value.filter(|_| !is_later) else { continue };
                self.ready.push(Recorded { key: record.key, version: event_version(&record.headers), event });
            }
        }
        Ok(())
    }
}

impl<A: Aggregate> Iterator for Replay<A> {
    type Item = Result<EventBatch<A>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        if let Err(error) = self.fill() {
            self.over = true;
            return Some(Err(error));
        }
        if self.ready.is_empty() {
            self.over = true;
            return None;
        }
        let rest = self.ready.split_off(self.batch.min(self.ready.len()));
        let events = std::mem::replace(&mut self.ready, rest);
        Some(Ok(EventBatch { events, loaded: self.loaded() }))
    }
}
