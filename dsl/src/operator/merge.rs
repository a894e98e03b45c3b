//! `merge` and the ends of a split: passes everything on.

use crate::processor::{Edge, Flow, NodeContext, Operator};

pub(crate) struct PassOn;

impl<E: Edge> Operator<E, E> for PassOn {
    fn process(&self, item: E::Item<'_>, ctx: &mut NodeContext<'_, E>) -> Flow {
        ctx.push(item)
    }
}
