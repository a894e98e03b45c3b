//! `map_async`: makes a call for each record, and goes on with what it gives.

use std::future::Future;
use std::sync::Arc;

use super::stream_type::serde_for;
use super::{AsyncCalls, Stream};
use crate::operator::{HeldCallSerde, MapAsync};
use crate::processor::ProcessError;
use crate::serde::{Data, SerdeRef};
use crate::state::{Store, StoreSpec};
use crate::topology::Fault;

impl<'b, K: Data, V: Data> Stream<'b, K, V> {
    /// Makes a call for each record, such as a question to another service, and goes on with what it gives as the record's
    /// value. Records do not wait for each other's calls, but where order asks for it.
    ///
    /// `call` makes a future that needs nothing of the record any more when it is returned. An application runs it on the tokio
    /// runtime in which it was started; the test driver runs it in the calling thread. Results come with their records' keys,
    /// times and headers: in order for each key, or as they come, as `calls` says. A time limit, retries with pauses and
    /// how many calls are open are said there too. A call that fails for good is a record that fails: the error handlers decide.
    ///
    /// A record lies in a store, with a changelog, from when it comes until its result goes on. So nothing waits for slow
    /// calls before it is committed, and nothing is lost: after a crash the calls of all records that had no result are made
    /// again. A result goes on once, but its call may have been made more often: let what it calls bear that.
    ///
    /// ```
    /// # use tidemill_dsl::{Topic, stream::StreamsBuilder};
    /// # use tidemill_testkit::TestDriver;
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # const OUT: Topic<String, i64> = Topic::of("out");
    /// use std::time::Duration;
    /// use tidemill_dsl::stream::AsyncCalls;
    ///
    /// async fn price_of(item: i64) -> Result<i64, std::io::Error> {
    ///     Ok(item * 100) // asks somebody
    /// }
    ///
    /// # let builder = StreamsBuilder::new();
    /// let calls = AsyncCalls::in_order(10).time_limit(Duration::from_secs(2)).retries(3, Duration::from_millis(100));
    /// builder.stream(&IN).map_async(calls, |_key, item| price_of(*item)).named("prices").to(&OUT);
    /// # let mut driver = TestDriver::new(&builder.build()?);
    /// driver.input(&IN).send("a", 7);
    /// assert_eq!(driver.output(&OUT).key_values(), [("a".into(), 700)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_async<R, E, F>(
        &self,
        calls: AsyncCalls,
        call: impl Fn(&K, &V) -> F + Send + Sync + 'static,
    ) -> Stream<'b, K, R>
    where
        R: Data,
        E: Into<ProcessError> + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
    {
        let mut plan = self.builder.plan();
        let (parent, name) = (self.step, plan.names.numbered("KSTREAM-MAPASYNC-"));
        let store = plan.names.derived(name, "-calls", "KSTREAM-MAPASYNC-STATE-STORE-");
        plan.persistent.push(store);
        let keys = serde_for(&mut plan, self.serdes.0.clone(), "key of `map_async`");
        let values = serde_for(&mut plan, self.serdes.1.clone(), "value of `map_async`");
        let call = Arc::new(call);
        let step = plan.add(name, &[parent], move |plan, builder| {
            let (name, store) = (plan.name(name), plan.name(store));
            if let Some(reason) = calls.fault() {
                builder.faults.push(Fault::Setting { node: name.clone(), reason });
            }
            // Without serdes the plan has a fault already.
            let Some((keys, values)) = keys.zip(values) else { return };
            let held = Store::new(&*store, SerdeRef::of(), SerdeRef::new(HeldCallSerde));
            let spec = StoreSpec::plain(&held);
            builder.add_calling::<K, V, R, _>(&name, &[&plan.node(parent)], &[&store], move || {
                let (keys, values, held, call) = (keys.clone(), values.clone(), held.clone(), call.clone());
                MapAsync { calls, keys, values, held, call, index: None }
            });
            builder.add_state_store(spec, &[&name]);
        });
        drop(plan);
        self.continued(step, self.rekeyed, (self.serdes.0.clone(), None))
    }
}
