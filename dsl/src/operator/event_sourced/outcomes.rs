//! Events, refusals and replies, each as a stream of its own. A reply that is given again is the only thing that comes of its
//! command.

use std::marker::PhantomData;

use bytes::Bytes;

use super::Decided;
use super::decided::ReplyOf;
use crate::event_sourcing::headers::EVENT_VERSION;
use crate::event_sourcing::{Aggregate, Refusal, Reply};
use crate::processor::{Flow, NodeContext, Operator, StreamOf};
use crate::record::Record;

/// Hands each event on, with its version.
pub(crate) struct Events<A>(pub(crate) PhantomData<fn(A)>);

impl<A: Aggregate> Operator<StreamOf<A::Key, Decided<A>>, StreamOf<A::Key, A::Event>> for Events<A> {
    fn process(
        &self,
        record: Record<'_, A::Key, Decided<A>>,
        ctx: &mut NodeContext<'_, StreamOf<A::Key, A::Event>>,
    ) -> Flow {
        let Reply::Accepted { version, events } = &record.value.reply else { return Ok(()) };
        if record.value.repeated {
            return Ok(());
        }
        let before = version - events.len() as u64;
        for (version, event) in (before + 1..).zip(events) {
            let mut headers = record.headers.clone();
            headers.add(EVENT_VERSION, Some(Bytes::from(version.to_string())));
            ctx.push(record.with_value(event).with_headers(&headers))?;
        }
        Ok(())
    }
}

/// Hands refusals on.
pub(crate) struct Refusals<A>(pub(crate) PhantomData<fn(A)>);

impl<A: Aggregate> Operator<StreamOf<A::Key, Decided<A>>, StreamOf<A::Key, Refusal<A::Refusal>>> for Refusals<A> {
    fn process(
        &self,
        record: Record<'_, A::Key, Decided<A>>,
        ctx: &mut NodeContext<'_, StreamOf<A::Key, Refusal<A::Refusal>>>,
    ) -> Flow {
        match record.value.reply.refusal() {
            Some(refusal) if !record.value.repeated => ctx.push(record.with_value(refusal)),
            _ => Ok(()),
        }
    }
}

/// Hands every reply on.
pub(crate) struct Replies<A>(pub(crate) PhantomData<fn(A)>);

impl<A: Aggregate> Operator<StreamOf<A::Key, Decided<A>>, StreamOf<A::Key, ReplyOf<A>>> for Replies<A> {
    fn process(
        &self,
        record: Record<'_, A::Key, Decided<A>>,
        ctx: &mut NodeContext<'_, StreamOf<A::Key, ReplyOf<A>>>,
    ) -> Flow {
        ctx.push(record.with_value(&record.value.reply))
    }
}
