//! Asks a command and waits for its reply.
//!
//! Rule: an ask knows its outcome or says that it does not. Whoever does not know may ask again with the same id: the command is
//! decided once.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidemill_dsl::event_sourcing::headers::{COMMAND_ID, EXPECTED_VERSION, REPLY_ID, REPLY_PARTITION};
use tidemill_dsl::event_sourcing::{Aggregate, Commands, Reply, ReplySerde};
use tidemill_dsl::record::{Batch, Headers, Timestamp, TopicPartition};
use tidemill_dsl::serde::Serde;

use super::answers::Expected;
use super::app::Handle;
use super::waiting::{First, News, first, reach};
use super::{App, AppState, Position};
use crate::error::{Error, ErrorKind};

/// How long an ask waits where nothing else is said.
const LIMIT: Duration = Duration::from_secs(30);

/// Makes names that no other ask has, in this process or in another.
pub(super) struct AskNames {
    process: u64,
    next: AtomicU64,
}

impl Default for AskNames {
    fn default() -> Self {
        // Nothing that a task computes depends on it: two processes must not call their asks the same.
        AskNames { process: RandomState::new().build_hasher().finish(), next: AtomicU64::new(0) }
    }
}

impl AskNames {
    fn next(&self) -> String {
        format!("{:016x}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// The partition of answers that this process reads, of so many.
    fn partition(&self, count: u32) -> u32 {
        u32::try_from(self.process % u64::from(count.max(1))).expect("it is below a number of 32 bits")
    }
}

/// What a command was answered.
pub struct Answer<A: Aggregate> {
    /// The reply: accepted, with events and version, or refused.
    pub reply: Reply<A::Event, A::Refusal>,
    /// The command's id, the one that was given or one of its own.
    pub id: String,
    /// Where the command lies: a query of [at least](crate::TableQuery::at_least) this position sees what it did, in the process that
    /// has the key. In this one every query that is made from now on does.
    pub position: Position,
}

impl<A: Aggregate<Event: fmt::Debug, Refusal: fmt::Debug>> fmt::Debug for Answer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("reply", &self.reply)
            .field("id", &self.id)
            .field("position", &self.position)
            .finish()
    }
}

/// Why an ask has no reply.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AskError {
    /// The command was not sent, and does nothing.
    NotSent(Error),
    /// The command was sent, and may have been decided, or may be yet. Ask again with this id: it is decided once, and the reply is
    /// the first one's.
    Unknown {
        /// The command's id.
        id: String,
        /// What happened: it took too long, or the application stopped.
        cause: Error,
    },
}

impl AskError {
    /// What happened.
    pub fn cause(&self) -> &Error {
        match self {
            AskError::NotSent(cause) | AskError::Unknown { cause, .. } => cause,
        }
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::NotSent(cause) => write!(f, "the command was not sent: {cause}"),
            AskError::Unknown { id, cause } => {
                write!(
                    f,
                    "nobody knows whether command `{id}` was decided: {cause}; ask again with this id, which is safe"
                )
            }
        }
    }
}

impl std::error::Error for AskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self.cause())
    }
}

impl From<AskError> for Error {
    fn from(error: AskError) -> Self {
        Error::new(error.cause().kind(), error.to_string())
    }
}

/// A command that is to be asked; await it.
#[must_use = "nothing is asked before it is awaited"]
pub struct Ask<A: Aggregate> {
    handle: Arc<Handle>,
    commands: Commands<A>,
    key: A::Key,
    command: A::Command,
    limit: Duration,
    id: Option<String>,
    expected: Option<u64>,
    timestamp: Option<Timestamp>,
    headers: Headers,
    hurries: bool,
}

impl App {
    /// Asks a command of an aggregate and waits for its reply, wherever its key is decided.
    ///
    /// The reply comes when what the command did is committed: every query that is made after it, in this process, sees that.
    /// It asks for the commit, so it does not wait for the interval, unless told to be [patient](Ask::patient). Without an id
    /// of yours the command gets one, so that it can be asked again when its outcome is unknown.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use std::time::Duration;
    /// # use tidemill::prelude::*;
    /// # #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
    /// # #[data(json)]
    /// # struct Account(i64);
    /// # impl Aggregate for Account {
    /// #     type Key = String;
    /// #     type Command = i64;
    /// #     type Event = i64;
    /// #     type Refusal = String;
    /// #     fn decide(&self, amount: &i64, _: &CommandContext<'_, String>) -> Result<Vec<i64>, String> {
    /// #         if self.0 + amount >= 0 { Ok(vec![*amount]) } else { Err("insufficient funds".into()) }
    /// #     }
    /// #     fn evolve(&mut self, amount: &i64) { self.0 += amount; }
    /// # }
    /// const OPERATIONS: Commands<Account> = Commands::of("operations");
    /// const ACCOUNTS: Store<String, Account> = Store::of("accounts");
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = StreamsBuilder::new();
    /// builder.stream(&OPERATIONS).event_sourced(&ACCOUNTS);
    /// let app = App::builder("bank", builder.build()?).memory().start().await?;
    ///
    /// let answer = app.ask(&OPERATIONS, "alice", 10).timeout(Duration::from_secs(5)).await?;
    /// assert_eq!(answer.reply, Reply::Accepted { version: 1, events: vec![10] });
    /// assert_eq!(app.table(&ACCOUNTS).get("alice").await?, Some(Account(10)));
    ///
    /// let answer = app.ask(&OPERATIONS, "alice", -20).expect_version(1).await?;
    /// assert_eq!(answer.reply, Reply::Refused(Refusal::Rule("insufficient funds".into())));
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ask<A: Aggregate>(
        &self,
        commands: &Commands<A>,
        key: impl Into<A::Key>,
        command: impl Into<A::Command>,
    ) -> Ask<A> {
        Ask {
            handle: self.handle.clone(),
            commands: commands.clone(),
            key: key.into(),
            command: command.into(),
            limit: LIMIT,
            id: None,
            expected: None,
            timestamp: None,
            headers: Headers::NONE,
            hurries: true,
        }
    }
}

impl<A: Aggregate> Ask<A> {
    /// How long to wait for the reply, by the application's clock; 30 seconds unless it is said.
    pub fn timeout(self, limit: Duration) -> Self {
        Ask { limit, ..self }
    }

    /// Gives the command this id: asked again with it, it is decided once.
    pub fn id(self, id: impl Into<String>) -> Self {
        Ask { id: Some(id.into()), ..self }
    }

    /// Has the command decided only if the state has this version, the number of events so far; else it is refused.
    pub fn expect_version(self, version: u64) -> Self {
        Ask { expected: Some(version), ..self }
    }

    /// Gives the command this time, in place of the clock's.
    pub fn at(self, timestamp: impl Into<Timestamp>) -> Self {
        Ask { timestamp: Some(timestamp.into()), ..self }
    }

    /// Gives the command these headers; its events have them too.
    pub fn headers(self, headers: Headers) -> Self {
        Ask { headers, ..self }
    }

    /// Waits for the next commit as the settings make it, and asks for none: less work where many ask at the same time.
    pub fn patient(self) -> Self {
        Ask { hurries: false, ..self }
    }

    /// The command as bytes, and who waits for its answer.
    fn prepare(self) -> Result<Prepared<A>, Error> {
        let shared = self.handle.shared.clone();
        let Some(route) = shared.topology.answers_to(self.commands.name()) else {
            return Err(nobody_answers(self.commands.name()));
        };
        let Some(replies) = route.replies::<A>().cloned() else {
            return Err(decided_by_another(self.commands.name(), route.node(), std::any::type_name::<A>()));
        };
        let answers = route.topic().resolve(&shared.application);
        let count = shared.log.topic(&answers)?.map_or(1, |spec| spec.partitions);
        let answers = TopicPartition::new(answers, self.handle.ask_names.partition(count));
        let name = self.handle.ask_names.next();
        let id = self.id.unwrap_or_else(|| name.clone());
        let mut headers = self.headers;
        headers.add(COMMAND_ID, Some(id.clone().into()));
        if let Some(version) = self.expected {
            headers.add(EXPECTED_VERSION, Some(version.to_string().into()));
        }
        headers.add(REPLY_PARTITION, Some(answers.partition.to_string().into()));
        headers.add(REPLY_ID, Some(name.clone().into()));
        let timestamp = self.timestamp.unwrap_or_else(|| shared.clock.now());
        let record = self.handle.encode(&self.commands, (&self.key, &self.command), timestamp, &headers)?;
        let expected = self.handle.answers.expect(&shared.log, &answers, name.as_bytes())?;
        let (subtopology, is_direct) = (route.subtopology(), route.is_direct());
        let (limit, hurries) = (self.limit, self.hurries);
        Ok(Prepared { handle: self.handle, record, expected, replies, id, limit, hurries, subtopology, is_direct })
    }
}

impl<A: Aggregate> IntoFuture for Ask<A> {
    type Output = Result<Answer<A>, AskError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let prepared = self.prepare();
        Box::pin(async move { prepared.map_err(AskError::NotSent)?.ask().await })
    }
}

/// A command on its way.
struct Prepared<A: Aggregate> {
    handle: Arc<Handle>,
    record: (TopicPartition, Batch),
    expected: Expected,
    replies: ReplySerde<A::Event, A::Refusal>,
    id: String,
    limit: Duration,
    hurries: bool,
    subtopology: usize,
    is_direct: bool,
}

impl<A: Aggregate> Prepared<A> {
    async fn ask(self) -> Result<Answer<A>, AskError> {
        let Prepared { handle, record, expected, replies, id, limit, hurries, subtopology, is_direct } = self;
        let shared = handle.shared.clone();
        let alarm = handle.timer.after(limit, &shared.clock).map_err(AskError::NotSent)?;
        let posted = handle.post(vec![record], None).await.map_err(AskError::NotSent)?;
        let answered = async {
            let position = posted.await?;
            if hurries {
                shared.want(&position);
            }
            let reply = answer(&handle, expected).await?;
            let reply = replies.read(&reply)?;
            seen(&handle, &position, (subtopology, is_direct), limit).await?;
            Ok((reply, position))
        };
        let outcome = match first(answered, alarm).await {
            First::One(outcome) => outcome,
            First::Other(Ok(())) => Err(too_late(limit)),
            First::Other(Err(_)) => Err(shared.gone()),
        };
        match outcome {
            Ok((reply, position)) => Ok(Answer { reply, id, position }),
            Err(cause) => Err(AskError::Unknown { id, cause }),
        }
    }
}

/// The reply's bytes, unless the application fails.
async fn answer(handle: &Handle, mut expected: Expected) -> Result<Vec<u8>, Error> {
    let mut states = handle.shared.state.subscribe();
    let failed = states.wait_for(|state| matches!(state, AppState::Failed(_)));
    match first(&mut expected.answer, failed).await {
        First::One(Ok(reply)) => Ok(reply),
        First::One(Err(_)) | First::Other(_) => Err(handle.shared.gone()),
    }
}

/// Returns when queries in this process see what a command did that was answered: the commit is made, and the rows of it are let out a
/// moment later. Where another process decided, that has the rows.
async fn seen(
    handle: &Handle,
    position: &Position,
    (subtopology, is_direct): (usize, bool),
    limit: Duration,
) -> Result<(), Error> {
    let shared = &handle.shared;
    if !is_direct {
        return reach(handle, position, subtopology, limit).await;
    }
    let mut news = News::of(shared);
    loop {
        let over = news.look();
        let is_here = |partition: &TopicPartition| {
            shared.crew().is_some_and(|crew| shared.worker_of(&crew, subtopology, partition.partition).is_some())
        };
        if over
            || shared.committed.position().covers(position)
            || !position.iter().any(|(partition, _)| is_here(partition))
        {
            return Ok(());
        }
        news = news.next().await;
    }
}

fn nobody_answers(topic: &str) -> Error {
    let message = format!(
        "nobody answers commands of topic `{topic}`: decide them with `event_sourced`, without `unasked`, or name another topic"
    );
    Error::new(ErrorKind::Unknown, message)
}

fn decided_by_another(topic: &str, node: &str, aggregate: &str) -> Error {
    let message = format!(
        "commands of topic `{topic}` are decided by node `{node}`, whose events and refusals are not those of `{aggregate}`: ask \
         with the `Commands` that the topology was built with"
    );
    Error::new(ErrorKind::Invalid, message)
}

fn too_late(limit: Duration) -> Error {
    Error::new(ErrorKind::TimedOut, format!("no reply came within {limit:?}"))
}
