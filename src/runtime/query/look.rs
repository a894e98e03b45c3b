//! A look into a store of any kind, as a processor gets it.
//!
//! Rule: what a kind of store can be asked is written once, with the kind. A committed look opens the rows of a commit as a
//! store of that kind in the calling thread; a dirty one goes to the worker that owns the store.

use tidemill_dsl::processor::ProcessError;
use tidemill_dsl::serde::{SerdeError, SerdeRef};
use tidemill_dsl::state::{CommittedRows, CommittedStore, Descriptor, StoreError, StoreSpec};
use tokio::sync::oneshot;

use super::{Mode, Place, StoreQuery};
use crate::error::{Error, ErrorKind};
use crate::exec::Executor;
use crate::task::Task;

/// A store to look into.
pub(super) struct Look<D> {
    query: StoreQuery,
    store: D,
}

impl<D: Descriptor + Clone + Send + 'static> Look<D> {
    pub(super) fn new(query: StoreQuery, store: &D) -> Self {
        Look { query, store: store.clone() }
    }

    /// The same, asked in another way.
    pub(super) fn by(&self, query: StoreQuery) -> Self {
        Look::new(query, &self.store)
    }

    pub(super) fn query(&self) -> &StoreQuery {
        &self.query
    }

    pub(super) fn store(&self) -> &D {
        &self.store
    }

    /// Looks where records with a key's bytes go to by default; `None` where there is no such place.
    pub(super) async fn at<R, L>(&self, key: &[u8], look: L) -> Result<Option<R>, Error>
    where
        R: Send + 'static,
        L: Fn(&mut D::Access<'_>) -> Result<R, ProcessError> + Send + 'static,
    {
        let place = self.query.ready().await?;
        let Some(partition) = place.partition_of(key) else { return Ok(None) };
        Ok(self.in_parts(&place, &[partition], look).await?.pop())
    }

    /// Looks into all partitions, one after another.
    pub(super) async fn everywhere<R, L>(&self, look: L) -> Result<Vec<R>, Error>
    where
        R: Send + 'static,
        L: Fn(&mut D::Access<'_>) -> Result<R, ProcessError> + Send + 'static,
    {
        let place = self.query.ready().await?;
        self.in_parts(&place, &self.query.partitions(&place), look).await
    }

    async fn in_parts<R, L>(&self, place: &Place, partitions: &[u32], mut look: L) -> Result<Vec<R>, Error>
    where
        R: Send + 'static,
        L: Fn(&mut D::Access<'_>) -> Result<R, ProcessError> + Send + 'static,
    {
        let mut found = Vec::new();
        match self.query.mode {
            // Only key-value stores are asked where they are on standby.
            Mode::Committed | Mode::Stale { .. } => {
                let snapshot = self.query.snapshot_of(place, partitions).await?;
                for rows in snapshot.parts() {
                    found.push(self.in_committed(place, rows, &look)?);
                }
            }
            Mode::Dirty => {
                for &partition in partitions {
                    let part;
                    (part, look) = self.in_owned(place, partition, look).await?;
                    found.extend(part);
                }
            }
        }
        Ok(found)
    }

    fn in_committed<R>(
        &self,
        place: &Place,
        rows: &CommittedRows,
        look: &impl Fn(&mut D::Access<'_>) -> Result<R, ProcessError>,
    ) -> Result<R, Error> {
        let specs = self.query.shared().topology.stores();
        let named = |spec: &&StoreSpec| *spec.name() == place.store;
        let spec = specs.iter().find(named).expect("the place was found by it");
        let mut committed = CommittedStore::new(spec, rows.clone())?;
        let mut opened = committed.open(&self.store).expect("the query was checked against the topology");
        look(&mut opened).map_err(reason)
    }

    /// Looks between two records of the worker that owns a partition; `None` where no task has the store. Gives the look
    /// back.
    async fn in_owned<R, L>(&self, place: &Place, partition: u32, look: L) -> Result<(Option<R>, L), Error>
    where
        R: Send + 'static,
        L: Fn(&mut D::Access<'_>) -> Result<R, ProcessError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let (store, subtopology) = (self.store.clone(), place.subtopology);
        let ask = move |executor: &mut Executor| {
            let task = executor.task(subtopology, partition);
            let open = |task: &mut Task| task.state().open(&store)?.map(|mut opened| look(&mut opened)).transpose();
            let found = task.map_or(Ok(None), |task| task.with_stores(open));
            // Whoever asked may have gone.
            let _ = answer.send((found, look));
            Ok(())
        };
        let shared = self.query.shared();
        shared.tell(place.subtopology, partition, Box::new(ask))?;
        let (found, look) = match answered.await {
            Ok(answer) => answer,
            Err(_) => return Err(shared.over().await),
        };
        Ok((found.map_err(reason)?, look))
    }
}

/// Why a look failed: the store's own error, or that of a serde.
fn reason(error: ProcessError) -> Error {
    let cause = match error.into_cause().downcast::<StoreError>() {
        Ok(store) => return (*store).into(),
        Err(other) => other,
    };
    match cause.downcast::<SerdeError>() {
        Ok(serde) => (*serde).into(),
        Err(other) => Error::new(ErrorKind::Invalid, other.to_string()),
    }
}

/// The bytes of a key.
pub(super) fn bytes_of<K: 'static>(keys: &SerdeRef<K>, key: &K) -> Result<Vec<u8>, SerdeError> {
    let mut bytes = Vec::new();
    keys.write(key, &mut bytes)?;
    Ok(bytes)
}

/// A copy of a value, by way of its bytes: a store's values need not be `Clone`.
pub(super) fn copy_of<V: 'static>(values: &SerdeRef<V>, value: &V) -> Result<V, SerdeError> {
    values.read(&bytes_of(values, value)?)
}
