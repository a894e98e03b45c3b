//! `map_async`: records wait for calls to end, and go on with what those give.
//!
//! Rule: a record lies in the store from the moment it comes until its result has gone on, so a commit at any time carries it,
//! and a task that begins makes the calls of all that lie there. In order means by key: the call of a record is not made before
//! the result of the one before it with the same key has gone on. At most so many calls are open at a time.

mod held_call;
mod index;
mod results;

use std::any::Any;
use std::future::Future;
use std::sync::Arc;

pub(crate) use held_call::{HeldCall, HeldCallSerde};
use index::Index;
pub(crate) use results::ResultsOf;

use crate::processor::{
    Answer, CallEvent, CallOf, CannotSnapshot, Edge, Flow, NodeContext, NodeProcessor, Nowhere, ProcessError,
    SilentContext, SnapshotBytes, StreamOf, Waited, Work,
};
use crate::record::{Record, Timestamp};
use crate::serde::SerdeRef;
use crate::state::Store;
use crate::stream::AsyncCalls;

pub(crate) struct MapAsync<K: 'static, V: 'static, F> {
    pub(crate) calls: AsyncCalls,
    pub(crate) keys: SerdeRef<K>,
    pub(crate) values: SerdeRef<V>,
    pub(crate) held: Store<u64, HeldCall>,
    pub(crate) call: Arc<F>,
    /// What follows from the rows and the open calls; made when it is asked for.
    pub(crate) index: Option<Index>,
}

impl<K, V, R, E, Fut, F> NodeProcessor<StreamOf<K, V>, ResultsOf<K, R>> for MapAsync<K, V, F>
where
    K: Send + 'static,
    V: Send + 'static,
    R: Send + 'static,
    E: Into<ProcessError>,
    Fut: Future<Output = Result<R, E>> + Send + 'static,
    F: Fn(&K, &V) -> Fut + Send + Sync + 'static,
{
    fn init(&mut self, ctx: &mut SilentContext<'_>) -> Flow {
        self.make_calls::<R, E, Fut, Nowhere>(ctx)
    }

    fn process(&mut self, record: Record<'_, K, V>, ctx: &mut NodeContext<'_, ResultsOf<K, R>>) -> Flow {
        let held = HeldCall {
            key: self.keys.to_nullable_bytes(record.key)?,
            value: self.values.to_nullable_bytes(record.value)?,
            timestamp: record.timestamp,
            headers: record.headers.clone(),
            address: ctx.address().cloned(),
        };
        let number = self.index(ctx)?.add(held.key.as_deref());
        ctx.store(&self.held)?.put(&number, held, record.timestamp)?;
        self.make_calls::<R, E, Fut, _>(ctx)
    }

    fn punctuate(&mut self, timer: &str, _: Timestamp, _: &mut NodeContext<'_, ResultsOf<K, R>>) -> Flow {
        Err(format!("timer `{timer}` fired, and a node that makes calls sets none").into())
    }

    fn called(&mut self, call: CallOf, event: CallEvent, ctx: &mut NodeContext<'_, ResultsOf<K, R>>) -> Flow {
        let answer = match event {
            CallEvent::Again => {
                let work = self.work::<R, E, Fut, _>(call.number, ctx)?;
                let (slot, limit) = (ctx.processor_slot(), self.calls.limit_millis());
                ctx.task().make_call(slot, call, limit, work);
                return Ok(());
            }
            CallEvent::Copied(id) => {
                let work = self.work::<R, E, Fut, _>(call.number, ctx)?;
                let slot = ctx.processor_slot();
                ctx.task().remake_call(slot, id, work);
                return Ok(());
            }
            CallEvent::Answered(answer) => answer,
            CallEvent::TooLate => Err(self.calls.too_late().into()),
        };
        if let Err(error) = &answer
            && !error.is_never_skipped()
            && let Some(pause) = self.calls.pause_after(call.attempt)
        {
            let slot = ctx.processor_slot();
            ctx.task().delay_call(slot, CallOf { attempt: call.attempt + 1, ..call }, pause);
            return Ok(());
        }
        self.end::<R>(call, answer, ctx)?;
        self.make_calls::<R, E, Fut, _>(ctx)
    }

    fn snapshot(&self, _: &mut SnapshotBytes) -> Result<(), CannotSnapshot> {
        Ok(())
    }

    fn restore(&mut self, _: &[u8]) -> Result<(), ProcessError> {
        self.index = None;
        Ok(())
    }
}

impl<K: Send + 'static, V: Send + 'static, F> MapAsync<K, V, F> {
    fn index<Out: Edge>(&mut self, ctx: &mut NodeContext<'_, Out>) -> Result<&mut Index, ProcessError> {
        if self.index.is_none() {
            let slot = ctx.processor_slot();
            let open = ctx.task().calls_of(slot).collect();
            let (mut index, mut rows) = (Index::new(self.calls.is_in_order(), open), ctx.scan(&self.held, ..)?);
            while let Some((number, held)) = rows.next(ctx)? {
                index.restore(number, held.key.as_deref());
            }
            self.index = Some(index);
        }
        Ok(self.index.as_mut().expect("made in the lines above"))
    }

    /// Makes the calls whose turn it is, as many as may be open.
    fn make_calls<R, E, Fut, Out: Edge>(&mut self, ctx: &mut NodeContext<'_, Out>) -> Flow
    where
        R: Send + 'static,
        E: Into<ProcessError>,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        F: Fn(&K, &V) -> Fut,
    {
        let (slot, limit, open_max) = (ctx.processor_slot(), self.calls.limit_millis(), self.calls.open_max());
        while let Some(number) = self.index(ctx)?.next(open_max) {
            let work = self.work::<R, E, Fut, Out>(number, ctx)?;
            ctx.task().make_call(slot, CallOf { number, attempt: 1 }, limit, work);
        }
        let full = self.index(ctx)?.len() >= self.calls.held_most();
        ctx.task().set_full(slot, full);
        Ok(())
    }

    /// The work of a record's call.
    fn work<R, E, Fut, Out: Edge>(&self, number: u64, ctx: &mut NodeContext<'_, Out>) -> Result<Work, ProcessError>
    where
        R: Send + 'static,
        E: Into<ProcessError>,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        F: Fn(&K, &V) -> Fut,
    {
        let mut store = ctx.store(&self.held)?;
        let held = store.get(&number)?.ok_or("a record that waits for a call is not in the store")?;
        let key = self.keys.read_nullable(held.key.as_deref())?;
        let value = self.values.read_nullable(held.value.as_deref())?;
        let work = (self.call)(&key, &value);
        Ok(Box::pin(async move {
            match work.await {
                Ok(result) => Ok(Box::new(result) as Box<dyn Any + Send>),
                Err(error) => Err(error.into()),
            }
        }))
    }

    /// Takes a record out of the store and hands its result on, or its failure to the handlers.
    fn end<R: Send + 'static>(
        &mut self,
        call: CallOf,
        answer: Answer,
        ctx: &mut NodeContext<'_, ResultsOf<K, R>>,
    ) -> Flow {
        let mut store = ctx.store(&self.held)?;
        let held = store.get(&call.number)?.cloned().ok_or("a call was answered that no record waits for")?;
        store.delete(&call.number, held.timestamp)?;
        self.index(ctx)?.remove(call.number, held.key.as_deref());
        let key = self.keys.read_nullable(held.key.as_deref())?;
        let HeldCall { timestamp, headers, .. } = &held;
        let waited = Waited {
            key: held.key.as_deref(),
            value: held.value.as_deref(),
            timestamp: *timestamp,
            headers,
            address: held.address.as_ref(),
        };
        let name = ctx.node_name().to_owned();
        let (outlet, task) = ctx.children();
        task.attempt_later(&waited, |task| {
            let result = answer.map_err(|error| error.at_node(&name))?.downcast::<R>();
            let value = result.map_err(|_| "a call gave another type than it was made for")?;
            outlet.push(Record { key: &key, value: &value, timestamp: *timestamp, headers }, task)
        })
    }
}
